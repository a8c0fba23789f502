"""What else takes in photos: the codec alone, the script that one would write, Hugging Face datasets.

Each function gives the seconds of its work on the loose photos of a folder, with what it imports already there.
"""

import hashlib
import io
import multiprocessing
import tempfile
import time
from collections.abc import Callable, Sequence
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any, Final

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
import simplejpeg
from PIL import Image

from benchmarks import harness

LOOSE: Final = "loose"  # the folder of photos in the folder that is given
SIDE: Final = 160
QUALITY: Final = 85
_CHUNK: Final = 64
_ROWS: Final = 256
_SCHEMA: Final = pa.schema([("id", pa.string()), ("label", pa.string()), ("jpeg", pa.binary())])


def codec(folder: str) -> float:
    """libjpeg-turbo on all cores, photos in memory, with scaled decoding, and resizing by the average of areas."""
    return _in_memory(folder, cv2.INTER_AREA)


def codec_quick(folder: str) -> float:
    """The same with bilinear resizing, which petpark takes where little is left to shrink."""
    return _in_memory(folder, cv2.INTER_LINEAR)


def script(folder: str) -> float:
    """Pillow at its best, a pool of processes, Parquet."""
    begin = time.perf_counter()
    with (
        multiprocessing.get_context("fork").Pool(harness.cores()) as pool,
        pq.ParquetWriter(Path(folder) / "script.parquet", _SCHEMA, compression="none") as file,
    ):
        rows: list[dict[str, Any]] = []
        for row in pool.imap(_row, _loose(folder), chunksize=_CHUNK):
            rows.append(row)
            if len(rows) == _ROWS:
                file.write_table(pa.Table.from_pylist(rows, _SCHEMA))
                rows.clear()
        file.write_table(pa.Table.from_pylist(rows, _SCHEMA))
    return time.perf_counter() - begin


def hugging_face(folder: str) -> float:
    """`datasets` as documented: a folder of images, a map over all cores, and Parquet."""
    import datasets

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        photos = datasets.load_dataset("imagefolder", data_dir=f"{folder}/{LOOSE}", split="train", cache_dir=cache)
        features = photos.features.copy()
        _map(photos, _images, features).to_parquet(f"{folder}/datasets.parquet")
        return time.perf_counter() - begin


def hugging_face_with_script(folder: str) -> float:
    """`datasets` without its decoder: paths in, and the script's function over all cores."""
    import datasets

    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        photos = datasets.Dataset.from_dict({"path": _loose(folder)})
        features = datasets.Features.from_arrow_schema(_SCHEMA)
        mapped = _map(photos, _rows, features, remove_columns=["path"], cache_file_name=f"{cache}/rows.arrow")
        mapped.to_parquet(f"{folder}/datasets.parquet")
        return time.perf_counter() - begin


def _map(photos: Any, function: Callable[..., Any], features: Any, **options: Any) -> Any:
    return photos.map(function, batched=True, batch_size=_CHUNK, num_proc=harness.cores(), features=features, **options)


def _images(batch: dict[str, list[Image.Image]]) -> dict[str, list[Any]]:
    return {"image": [{"bytes": _shrunk(image), "path": None} for image in batch["image"]]}


def _rows(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
    rows = [_row(path) for path in batch["path"]]
    return {name: [row[name] for row in rows] for name in _SCHEMA.names}


def _row(path: str) -> dict[str, Any]:
    """Shrink a photo with Pillow, which scales while it decodes, too."""
    data = Path(path).read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", _small(*image.size))
        jpeg = _shrunk(image)
    return {"id": hashlib.sha256(data).hexdigest(), "label": Path(path).parent.name, "jpeg": jpeg}


def _shrunk(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    small = image.convert("RGB").resize(_small(*image.size), Image.Resampling.BILINEAR)
    small.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


def _small(width: int, height: int) -> tuple[int, int]:
    short = min(width, height)
    return round(width * SIDE / short), round(height * SIDE / short)


def _loose(folder: str) -> list[str]:
    return [str(path) for path in sorted((Path(folder) / LOOSE).rglob("*.jpg"))]


def _in_memory(folder: str, way: int) -> float:
    photos = [Path(path).read_bytes() for path in _loose(folder)]
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(harness.cores() + 1)
    shares = [photos[first :: harness.cores()] for first in range(harness.cores())]
    crew = [context.Process(target=_shrink_all, args=(share, way, gate), daemon=True) for share in shares]
    for process in crew:
        process.start()
    gate.wait()
    seconds = harness.seconds(gate.wait)
    for process in crew:
        process.join()
    return seconds


def _shrink_all(photos: Sequence[bytes], way: int, gate: Barrier) -> None:
    cv2.setNumThreads(1)
    gate.wait()
    for data in photos:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        pixels = simplejpeg.decode_jpeg(data, "RGB", min_height=SIDE, min_width=SIDE)
        small = cv2.resize(pixels, _small(width, height), interpolation=way)
        simplejpeg.encode_jpeg(small, quality=QUALITY, colorsubsampling="420", fastdct=True)
    gate.wait()
