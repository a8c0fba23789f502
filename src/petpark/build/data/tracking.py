"""What DVC knows of the archives."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from petpark import files, layout
from petpark.build import repository
from petpark.errors import DataError, SetupError

POINTER: Final = layout.DATA.with_suffix(".dvc")
STORE_LIMIT: Final = 50_000_000  # bytes: everyone who clones the repository fetches its store whole

_FILES: Final = Path("files", "md5")  # where DVC 3 keeps objects, in a cache and in a remote


class Tracked(NamedTuple):
    """A file as data.dvc lists it; its size is None where neither the cache nor the store on this machine has it."""

    md5: str
    size: int | None


def md5(path: Path) -> str:
    """Return the hash by which DVC knows a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "md5").hexdigest()


def track(archive: Path, digest: str) -> None:
    """Bring an archive, whose MD5 is given, into data.dvc; the other archives need not be here.

    Raises:
        SetupError: `dvc add` failed.
    """
    if POINTER.exists():
        known = tracked().get(archive.name)
        if known and known.md5 == digest and known.size is not None:
            return
    else:  # `dvc add data` would sweep in whatever else lies there
        files.write_text(POINTER, f"outs:\n- path: {layout.DATA}\n")
    repository.run_silently("add", str(archive))


def untrack(archives: Sequence[Path]) -> None:
    """Take archives, whose files are gone, out of data.dvc; the other archives need not be here.

    Raises:
        SetupError: `dvc add` failed.
    """
    listed = tracked()
    gone = [str(archive) for archive in archives if archive.name in listed]
    if gone:
        layout.DATA.mkdir(exist_ok=True)  # DVC forgets what is missing in a folder, but not where the folder is missing
        repository.run_silently("add", *gone)


def tracked() -> dict[str, Tracked]:
    """Return the files that data.dvc lists, by name.

    Raises:
        SetupError: this is no DVC repository, or the list can be had neither here nor from the remote.
    """
    with repository.opened() as repo:
        return _tracked(repo)


def store() -> Path | None:
    """Return the folder of the default remote, where it lies in this repository.

    Raises:
        SetupError: this is no DVC repository.
    """
    with repository.opened() as repo:
        return _store(repo)


def check_store(name: str, digest: str, size: int) -> None:
    """Refuse an archive with which the store in this repository would become too large.

    Archives that are in data.dvc and not yet pushed count too.

    Args:
        name: what the archive is or will be called in `data/`.
        digest: its MD5.
        size: its bytes.

    Raises:
        DataError: the limit would be exceeded.
        SetupError: this is no DVC repository.
    """
    with repository.opened() as repo:
        folder = _store(repo)
        if folder is None:
            return
        waiting = {each.md5: each.size or 0 for key, each in _tracked(repo).items() if key != name}
    waiting[digest] = size
    stored = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    new = [length for each, length in waiting.items() if _place(folder / _FILES, each) not in stored]
    _check_total(sum(stored.values()) + sum(new))


def check_size(size: int) -> None:
    """Refuse photos that alone are more than the store in this repository may hold, before they are read.

    Args:
        size: their bytes.

    Raises:
        DataError: the limit would be exceeded.
        SetupError: this is no DVC repository.
    """
    if size > STORE_LIMIT and store() is not None:
        _check_total(size)


def _check_total(total: int) -> None:
    if total > STORE_LIMIT:
        raise DataError(
            f"with this batch the DVC store in this repository would hold {total / 1e6:,.1f} MB, and "
            f"{STORE_LIMIT / 1e6:,.0f} MB is its limit: keep photos elsewhere by "
            "`dvc remote add -d NAME s3://BUCKET/FOLDER`, run `dvc push`, and add it again."
        )


def _tracked(repo: Any) -> dict[str, Tracked]:
    out = repo.stage.load_one(str(POINTER)).outs[0] if POINTER.exists() else None
    if out is None or not out.hash_info:
        return {}
    tree = out.get_dir_cache()  # fetches the list, and no archive, where it is not here
    if tree is None:
        raise SetupError(
            f"what {POINTER} lists can be had neither from DVC's cache nor from its remote: look whether "
            f"`dvc pull {POINTER}` reaches it."
        )
    homes = [Path(out.cache.path), *(folder / _FILES for folder in [_store(repo)] if folder)]
    return {"/".join(key): Tracked(info.value, _size(homes, info.value)) for key, _, info in tree}


def _size(homes: Sequence[Path], digest: str) -> int | None:
    places = (_place(home, digest) for home in homes)
    return next((place.stat().st_size for place in places if place.is_file()), None)


def _place(home: Path, digest: str) -> Path:
    return home / digest[:2] / digest[2:]


def _store(repo: Any) -> Path | None:
    name = repo.config["core"].get("remote")
    url = str(repo.config["remote"].get(name, {}).get("url", "")) if name else ""
    if not url or "://" in url:
        return None
    folder, root = Path(url).resolve(), Path(repo.root_dir).resolve()
    return folder if folder.is_relative_to(root) else None
