"""Files that change together or not at all."""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from petpark import files, layout
from petpark.build.data import pipeline, tracking

Texts = dict[Path, bytes | None]  # None: there is no such file

_GITIGNORE: Final = Path(".gitignore")  # `dvc add` may write it
_TEXTS: Final = (_GITIGNORE, tracking.POINTER, pipeline.LOCK, pipeline.PIPELINE, layout.PARAMS)
_ASIDE: Final = layout.SCRATCH / "aside"


def texts() -> Texts:
    """Return what stands in the files that tell which batches there are."""
    return {path: path.read_bytes() if path.exists() else None for path in _TEXTS}


def write(new: Mapping[Path, str]) -> None:
    """Write new texts, each whole or not at all."""
    for path, text in new.items():
        files.write_text(path, text)


@contextmanager
def all_or_nothing(*paths: Path) -> Iterator[Texts]:
    """Give the texts as they are, and put them and these files or folders back if the block fails.

    The block begins without the files and folders: they are set aside, and gone for good when it ends well.
    """
    before = texts()
    files.remove(_ASIDE)
    _ASIDE.mkdir(parents=True)
    kept = {path: _ASIDE / str(number) for number, path in enumerate(paths) if os.path.lexists(path)}
    try:
        for path, place in kept.items():
            move(path, place)
        yield before
    except BaseException:
        _restore_texts(before)
        for path in paths:
            _restore(path, kept.get(path))
        raise
    files.remove(_ASIDE)


def move(source: Path, target: Path) -> None:
    """Move a file or folder; at no moment is it whole in neither place."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:  # another disk
            raise
        with files.whole(target) as partial:
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, partial)
        files.remove(source)


def _restore_texts(before: Texts) -> None:
    for path, data in before.items():
        if data is None:
            files.remove(path)
        elif not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)


def _restore(path: Path, kept: Path | None) -> None:
    if kept is None:
        files.remove(path)
    elif os.path.lexists(kept):
        files.remove(path)
        move(kept, path)
