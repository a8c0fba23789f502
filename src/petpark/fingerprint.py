"""Fingerprints: which data and which code a model came from."""

import hashlib
import sys
from pathlib import Path

from petpark import files, layout
from petpark.lake import Photos


def lake(photos: Photos) -> str:
    """SHA-256 over the split and the shards of its batches, as hex."""
    digest = hashlib.sha256(files.sha256(layout.SPLIT).encode())
    for batch in sorted(set(photos.table.column("batch").to_pylist())):
        for part in sorted(layout.shard(batch).glob("*.parquet")):
            digest.update(f"{batch} {part.name} {files.sha256(part)}".encode())
    return digest.hexdigest()


def code(*before: str) -> str:
    """SHA-256 over petpark's modules that are imported now (the command line's own apart), as hex.

    Args:
        before: fingerprints of the code whose work is carried on.
    """
    digest = hashlib.sha256(" ".join(before).encode())
    for name in sorted(sys.modules):
        path = getattr(sys.modules[name], "__file__", None)
        if name.startswith("petpark.") and not name.startswith("petpark.cli") and path:
            digest.update(f"{name} {files.sha256(Path(path))}".encode())
    return digest.hexdigest()
