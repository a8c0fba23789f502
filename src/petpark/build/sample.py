"""`petpark sample`: drawn batches of cats and dogs, for a repository without photos of its own.

Two batches to learn from and one of another evening to release on. They are drawings, and say so in their
`provenance.json`. As in real batches, not all is well; the traps are these:

| trap                                                   | sample-1 | sample-2 |
|--------------------------------------------------------|----------|----------|
| the bytes of a picture of the same batch once more     | 8        | 4        |
| the bytes of a picture of sample-1 once more           |          | 8        |
| a picture of sample-1, encoded anew or a bit brighter  | 6        | 6        |
| the bytes of a picture under the other label too       | 1        |          |
| a JPEG that is cut short                               | 1        |          |
| a JPEG with zeros in its middle                        | 1        |          |
| an empty file                                          | 1        |          |
| a text named .jpg                                      | 1        |          |
| a GIF named .jpg (a good picture)                      | 1        |          |

All other labels are right. The same seed gives the same bytes, whatever the machine, for one version of Pillow and
numpy.
"""

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from PIL import Image
from tqdm import tqdm

from petpark import files
from petpark.build.drawing.animals import KINDS
from petpark.build.drawing.frame import frame

PROVENANCE: Final = "provenance.json"
_SOURCE: Final = "drawn by `petpark sample`"
_LABELS: Final = tuple(KINDS)
_FIRST, _SECOND, _ACCEPTANCE = "sample-1", "sample-2", "sample-acceptance"
_DRAWN: Final = {_FIRST: 1400, _SECOND: 850, _ACCEPTANCE: 250}
_QUALITIES: Final = (75, 70, 60, 50, 42, 35, 30, 25, 20)
_SMALL: Final = 80 * 80  # pixels
_BUDGET: Final = 1024  # bytes: two blocks of a tar, so that three batches and a model stay small enough for Git
_LARGE_BUDGET: Final = 1536


class Member(NamedTuple):
    """One file of a batch."""

    label: str
    data: bytes


def draw_sample(folder: Path, seed: int = 7) -> dict[str, Path]:
    """Draw the sample batches into a folder: `sample-1.tar`, `sample-2.tar` and `sample-acceptance.tar`.

    Returns:
        Each batch's archive by the name of the batch.

    Raises:
        OSError: the folder cannot be made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)  # a folder that cannot be is better refused before drawing
    archives = {name: folder / f"{name}.tar" for name in _DRAWN}
    for name, path in archives.items():
        _pack(path, draw_batch(name, seed), seed)
    return archives


def draw_batch(name: str, seed: int) -> dict[str, bytes]:
    """Draw one of the sample batches.

    Returns:
        The files by their paths in the archive (`label/name.jpg`), sorted. Names do not tell which are traps.
    """
    numbers = tqdm(range(_DRAWN[name]), name, unit="picture", disable=None, leave=False)
    members = [_member(name, number, seed) for number in numbers]
    members += _TRAPS[name](seed)
    order = np.random.default_rng((seed, _batch_number(name))).permutation(len(members)).tolist()
    named = {f"{members[place].label}/{i:05d}.jpg": members[place].data for i, place in enumerate(order, 1)}
    return dict(sorted(named.items()))


def _batch_number(name: str) -> int:
    return tuple(_DRAWN).index(name)


def _label(number: int) -> str:
    return _LABELS[number % len(_LABELS)]


def _picture(name: str, number: int, seed: int) -> Image.Image:
    """Draw a picture of a batch; each has a number, and is the same whatever else is drawn."""
    rng = np.random.default_rng((seed, _batch_number(name), number))
    return frame(_label(number), rng, evening=name == _ACCEPTANCE)


def _member(name: str, number: int, seed: int) -> Member:
    return Member(_label(number), _fitting(_picture(name, number, seed)))


def _fitting(picture: Image.Image) -> bytes:
    """Encode a picture as well as it fits into its budget of bytes."""
    budget = _BUDGET if picture.width * picture.height <= _SMALL else _LARGE_BUDGET
    for quality in _QUALITIES:
        data = _encoded(picture, "JPEG", quality=quality, optimize=True)
        if len(data) <= budget:
            break
    return data


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _first_traps(seed: int) -> list[Member]:
    copies = [_member(_FIRST, number, seed) for number in range(8)]
    contested = Member(_label(9), _member(_FIRST, 8, seed).data)
    return [*copies, contested, *_similar(range(10, 16), seed), *_odd_files(seed)]


def _second_traps(seed: int) -> list[Member]:
    copies = [_member(_SECOND, number, seed) for number in range(4)]
    copies += [_member(_FIRST, number, seed) for number in range(20, 28)]
    return [*copies, *_similar(range(30, 36), seed)]


def _similar(numbers: range, seed: int) -> list[Member]:
    """Near-duplicates of pictures of the first batch: by turns encoded anew and a bit brighter."""
    members = []
    for place, number in enumerate(numbers):
        picture = _picture(_FIRST, number, seed)
        if place % 2:
            picture = picture.point([min(255, round(1.06 * level)) for level in range(256)] * 3)
        data = _encoded(picture, "JPEG", quality=40 if place % 2 == 0 else 65, optimize=True)
        members.append(Member(_label(number), data))
    return members


def _odd_files(seed: int) -> list[Member]:
    """Files of the first batch that are not what their names say; the pictures in them are nowhere else."""
    first = _DRAWN[_FIRST]
    cut, zeroed = _member(_FIRST, first, seed), _member(_FIRST, first + 1, seed)
    middle = len(zeroed.data) * 2 // 3  # behind the headers
    moving = _picture(_FIRST, first + 2, seed).quantize(32)
    return [
        Member(cut.label, cut.data[: len(cut.data) * 3 // 4]),
        Member(zeroed.label, zeroed.data[:middle] + bytes(64) + zeroed.data[middle + 64 :]),
        Member(_LABELS[0], b""),
        Member(_LABELS[1], b"The camera at the east gate was being cleaned.\n"),
        Member(_label(first + 2), _encoded(moving, "GIF")),
    ]


_TRAPS: Final[dict[str, Callable[[int], list[Member]]]] = {
    _FIRST: _first_traps,
    _SECOND: _second_traps,
    _ACCEPTANCE: lambda _: [],
}


def _pack(path: Path, members: dict[str, bytes], seed: int) -> None:
    provenance = {"source": _SOURCE, "seed": seed, "photos": len(members)}
    text = json.dumps(provenance, indent=2) + "\n"
    with files.whole(path) as partial, tarfile.open(partial, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in {**members, PROVENANCE: text.encode()}.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o644
            tar.addfile(info, io.BytesIO(data))
