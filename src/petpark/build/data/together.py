"""Files that change together or not at all, even where the process is killed: the next one puts them back."""

import errno
import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from petpark import files, layout, locks
from petpark.build import repository
from petpark.build.data import pipeline, tracking

Texts = dict[Path, bytes | None]  # None: there is no such file

_GITIGNORE: Final = Path(".gitignore")  # `dvc add` may write it
_TEXTS: Final = (_GITIGNORE, tracking.POINTER, repository.LOCK, pipeline.PIPELINE, layout.PARAMS)
_LOCK: Final = layout.SCRATCH / "data.lock"
_ASIDE: Final = layout.SCRATCH / "aside"
_JOURNAL: Final = layout.SCRATCH / "journal.json"  # what a change began with; there as long as it has not ended
_UNDONE: Final = layout.SCRATCH / "undone"


@contextmanager
def alone() -> Iterator[None]:
    """Keep other processes from changing batches, and undo first what a killed one has left half done.

    Raises:
        SetupError: another process changes batches.
    """
    layout.SCRATCH.mkdir(exist_ok=True)
    with locks.alone(_LOCK, "changes the batches of this repository"):
        if _JOURNAL.exists():
            _undo_killed()
        yield


def unfinished() -> bool:
    """Whether a process changes batches right now, or was killed while it did."""
    return _JOURNAL.exists()


def texts() -> Texts:
    """Return what stands in the files that tell which batches there are."""
    return {path: path.read_bytes() if path.exists() else None for path in _TEXTS}


def write(new: Mapping[Path, str]) -> None:
    """Write new texts, each whole or not at all."""
    for path, text in new.items():
        files.write_text(path, text)


@contextmanager
def all_or_nothing(*paths: Path) -> Iterator[Texts]:
    """Give the texts as they are, and put them and these files or folders back if the block fails or is killed.

    The block begins without the files and folders: they are set aside, and gone for good when it ends well.
    """
    before = texts()
    files.remove(_ASIDE)
    _ASIDE.mkdir(parents=True)
    there = [os.path.lexists(path) for path in paths]
    _begin(before, paths, there)
    try:
        for number, path in enumerate(paths):
            if there[number]:
                move(path, _ASIDE / str(number))
        yield before
    except BaseException:
        _undo(before, paths, there)
        raise
    _end()


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


def _begin(before: Texts, paths: Sequence[Path], there: Sequence[bool]) -> None:
    was = {str(path): None if data is None else data.decode("latin-1") for path, data in before.items()}
    files.write_json(_JOURNAL, {"texts": was, "paths": list(map(str, paths)), "there": list(there)})


def _end() -> None:
    """From the moment at which the journal is gone, the change holds."""
    files.remove(_JOURNAL)
    files.remove(_ASIDE)


def _undo_killed() -> None:
    journal = json.loads(_JOURNAL.read_bytes())
    before = {Path(path): text if text is None else text.encode("latin-1") for path, text in journal["texts"].items()}
    for path, data in texts().items():
        if data not in (None, before[path]):  # somebody may have edited it since
            files.write_bytes(_UNDONE / path.name, data or b"")
    _undo(before, list(map(Path, journal["paths"])), journal["there"])
    print(
        "petpark: a change of batches was killed half-way, and is undone now; what it had written into "
        f"{', '.join(path.name for path in _TEXTS[1:])} lies in {_UNDONE}.",
        file=sys.stderr,
    )


def _undo(before: Texts, paths: Sequence[Path], there: Sequence[bool]) -> None:
    for path, data in before.items():
        if data is None:
            files.remove(path)
        elif not path.exists() or path.read_bytes() != data:
            files.write_bytes(path, data)
    for number, path in enumerate(paths):
        _restore(path, _ASIDE / str(number), was_there=there[number])
    _end()


def _restore(path: Path, kept: Path, *, was_there: bool) -> None:
    if os.path.lexists(kept):
        files.remove(path)
        move(kept, path)
    elif not was_there:
        files.remove(path)
