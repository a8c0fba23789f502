"""JPEGs that refine themselves again and again: a few kilobytes of them keep a decoder busy for minutes."""

from typing import Final

from petpark.deploy.serving.wire import Payload
from petpark.images import ImageError

_MOST: Final = 100  # encoders make some ten, at most twenty
_START, _SCAN = b"\xff\xd8", b"\xff\xda"
_SEGMENTS: Final = 200  # looked at before the first scan
_BASELINE: Final = (0xC0, 0xC1)
_NO_FRAME: Final = (0xC4, 0xC8, 0xCC)  # tables, among the markers of frames


def check(photo: Payload) -> None:
    """Refuse a JPEG of more scans than encoders make.

    Raises:
        ImageError: it has more.
    """
    if photo.startswith(_START) and not _has_one_scan(photo) and (count := photo.count(_SCAN)) > _MOST:
        raise ImageError("damaged", f"{count} scans")


def _has_one_scan(photo: Payload) -> bool:
    """Whether the first scan holds all colours of a plain frame, as in everyday photos: decoders stop after it.

    Counting scans takes as long as a twentieth of decoding; this takes nothing (markers: ITU-T T.81, annex B).
    """
    place, colours = 2, 0
    for _ in range(_SEGMENTS):
        if len(photo) < place + 10 or photo[place] != 0xFF:
            return False
        marker = photo[place + 1]
        if marker == _SCAN[1]:
            return photo[place + 4] == colours
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:
            if marker not in _BASELINE:
                return False
            colours = photo[place + 9]
        place += 2 + int.from_bytes(photo[place + 2 : place + 4], "big")
    return False
