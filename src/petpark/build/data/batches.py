"""Batches come, change their role, and go: archive, data.dvc, params.yaml and dvc.yaml all follow, or none of them."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
from pydantic import TypeAdapter, ValidationError

from petpark import files, layout, shards
from petpark.build.data import outcome, packing, pipeline, sources, together, tracking
from petpark.build.data.outcome import Added, Changed, Row, State
from petpark.config.ingest import Batch, BatchName, Role
from petpark.config.params import load_params
from petpark.errors import DataError, SetupError

_NO_HASH: Final = "0" * 64


def add(source: str, name: str | None = None, role: Role | None = None, query: str | None = None) -> Added:
    """Make a batch of a source, or replace the batch of that name.

    A source that is `data/<name>.tar` itself is taken as it is. Where the source gives what it gave before, the archive
    stays, with the time at which it was read.

    Args:
        source: what `sources.opened` takes.
        name: the batch's name; None derives it from the source's.
        role: None keeps the batch's role; a new batch is for training.
        query: for a database, the SELECT that gives a row a photo.

    Raises:
        DataError: the source cannot be read or holds no photos, the name is none, or the store would be too large.
        SettingsError: params.yaml or dvc.yaml is wrong or cannot be edited.
        SetupError: DVC failed, or another process changes batches.
    """
    with together.alone():
        return _add(source, name, role, query)


def _add(source: str, name: str | None, role: Role | None, query: str | None) -> Added:
    name, in_place = _name(source, name)
    before = load_params().ingest.batches.get(name)
    batch = Batch(sha256=_NO_HASH, role=role or (before.role if before else "train"))
    path = layout.archive(name)
    if before is None and path.exists() and not in_place:
        raise DataError(
            f"{path} is in the way, and no batch yet: add it with `petpark data add {path}`, move it, or give another "
            "name with `--name`."
        )
    pipeline.edited({name: batch})  # what stands in the way of the end is said before photos are packed
    tracking.tracked()
    if in_place:
        return _take(path, packing.look(path), name, batch, before)
    packed = layout.SCRATCH / path.name
    try:
        contents = packing.pack(source, packed, query)
        same = before is not None and packing.same(path, packed)
        added = _take(path if same else packed, contents, name, batch, before)
    finally:
        files.remove(packed)
    sources.forget(source, query)
    return added


def role(name: str, role: Role) -> Changed:
    """Give a batch another role.

    Raises:
        DataError: there is no such batch.
        SettingsError: params.yaml or dvc.yaml is wrong or cannot be edited.
        SetupError: another process changes batches.
    """
    with together.alone():
        batch = _known([name])[name]
        if batch.role == role:
            return Changed(f"{name}: has the role {role} already", ())
        with together.all_or_nothing() as texts:
            together.write(pipeline.edited({name: batch.model_copy(update={"role": role})}))
        return Changed(f"{name}: {batch.role} before, {role} now", _commands(texts))


def drop(names: Sequence[str]) -> Changed:
    """Take batches out, with what lies here of them.

    Git's history and DVC's remote keep the photos, for old versions need them.

    Raises:
        DataError: there is no such batch.
        SettingsError: params.yaml or dvc.yaml is wrong or cannot be edited.
        SetupError: DVC failed, or another process changes batches.
    """
    with together.alone():
        return _drop(list(dict.fromkeys(names)))


def _drop(names: Sequence[str]) -> Changed:
    _known(names)
    edits = pipeline.edited(drop=names)
    archives = [layout.archive(name) for name in names]
    with together.all_or_nothing(*archives, *(layout.manifest(name).parent for name in names)) as texts:
        together.write(edits)
        tracking.untrack(archives)
    sentence = (
        f"{', '.join(names)}: dropped; Git's history and DVC's remote keep the photos, for old versions need them"
    )
    return Changed(sentence, _commands(texts))


def table() -> str:
    """Lay out the list of batches for a person.

    Raises:
        DataError: a manifest cannot be read.
        SettingsError: params.yaml is wrong.
    """
    return outcome.table(batches())


def batches() -> list[Row]:
    """List the batches in the order of params.yaml; nothing is fetched but, where it is not here, the list of data.dvc.

    Raises:
        DataError: a manifest cannot be read.
        SettingsError: params.yaml is wrong.
        SetupError: another process changes batches.
    """
    if together.unfinished():
        with together.alone():
            pass
    known = load_params().ingest.batches
    try:
        tracked = tracking.tracked()
    except SetupError as error:  # the rest can be told without DVC
        tracked = {}
        if tracking.POINTER.exists():
            print(f"petpark: what {tracking.POINTER} lists is not known. {error}", file=sys.stderr)
    return [_row(name, batch, tracked.get(layout.archive(name).name)) for name, batch in known.items()]


def _row(name: str, batch: Batch, tracked: tracking.Tracked | None) -> Row:
    path, photos, quarantined = layout.archive(name), None, None
    if layout.manifest(name).exists():
        reasons = shards.read_table(layout.manifest(name), pa.schema([("reason", pa.string())]))["reason"]
        photos, quarantined = len(reasons), len(reasons) - reasons.null_count
    size = path.stat().st_size if path.exists() else (tracked.size if tracked else None)
    return Row(name, batch.role, photos, quarantined, size, batch.sha256, path.exists())


def _take(new: Path, contents: packing.Contents, name: str, batch: Batch, before: Batch | None) -> Added:
    """Make a batch of an archive, which is moved to its place if it lies elsewhere."""
    path = layout.archive(name)
    digest = tracking.md5(new)
    tracking.check_store(path.name, digest, new.stat().st_size)
    batch = batch.model_copy(update={"sha256": files.sha256(new)})
    with together.all_or_nothing(*([] if new == path else [path])) as texts:
        if new != path:
            path.parent.mkdir(exist_ok=True)
            together.move(new, path)
        together.write(pipeline.edited({name: batch}))
        tracking.track(path, digest)
    return Added(name, batch.role, _state(before, batch), batch.sha256, contents, _commands(texts))


def _name(source: str, name: str | None) -> tuple[str, bool]:
    """Return the batch's name, and whether the source is its archive, in its place already."""
    path = Path(source)
    if path.suffix == ".tar" and path.parent.resolve() == layout.DATA.resolve() and name in (None, path.stem):
        return _checked_name(path.stem), True
    return _checked_name(sources.batch_name(source) if name is None else name), False


def _checked_name(name: str) -> str:
    try:
        return TypeAdapter(BatchName).validate_python(name)
    except ValidationError:
        raise DataError(
            f"a batch cannot be called {name!r}: give it a name of letters, digits, '.', '_' and '-' with `--name`, at "
            "most 64 of them, the first a letter or a digit."
        ) from None


def _known(names: Sequence[str]) -> dict[str, Batch]:
    known = load_params().ingest.batches
    for name in names:
        if name not in known:
            raise DataError(f"there is no batch {name!r}: params.yaml lists {', '.join(known) or 'none'}.")
    return known


def _state(before: Batch | None, after: Batch) -> State:
    if before is None:
        return "added"
    if before.sha256 != after.sha256:
        return "replaced"
    return "unchanged" if before.role == after.role else "role changed"


def _commands(before: together.Texts) -> tuple[str, ...]:
    """Say how what changed gets to everyone else.

    Only a push of data.dvc as a whole is right: after one of a single archive DVC believes that all others are there.
    """
    changed = [path for path, data in together.texts().items() if data != before[path]]
    if not changed:
        return ()
    push, store = [], []
    if tracking.POINTER in changed:
        push = [f"dvc push {tracking.POINTER}"]
        folder = tracking.store()
        store = [os.path.relpath(folder)] if folder else []
    return (*push, " ".join(["git add", *store, *map(str, changed)]))
