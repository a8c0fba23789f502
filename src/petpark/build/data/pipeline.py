"""The batches in `params.yaml`, and what follows from them for the stages in `dvc.yaml`.

DVC cannot expand a list in `deps`, so the inputs of each stage are written out, batch by batch.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from petpark import layout
from petpark.build import yamledit
from petpark.build.repository import LOCK
from petpark.config.ingest import Batch, IngestSettings, Role
from petpark.config.settings import parse, read_yaml
from petpark.errors import SettingsError

PIPELINE: Final = Path("dvc.yaml")

_BATCHES: Final = ("ingest", "batches")
_READS: Final[dict[str, tuple[tuple[Callable[[str], Path], Role | None], ...]]] = {
    "split": ((layout.manifest, None),),
    "validate": ((layout.manifest, None), (layout.shard, "train")),
    "train": ((layout.shard, "train"),),
    "package": ((layout.shard, "train"), (layout.originals, "train")),
    "evaluate": ((layout.shard, "train"),),
}
"""What each stage reads of the batches of one role, or of all."""
_NAMES: Final = frozenset(path("any").name for reads in _READS.values() for path, _ in reads)


def inputs(ingest: IngestSettings) -> dict[str, list[str]]:
    """Return the files of batches that each stage depends on."""
    return {
        stage: [path(batch).as_posix() for path, role in reads for batch in ingest.names(role)]
        for stage, reads in _READS.items()
    }


def agree(text: str, ingest: IngestSettings) -> str:
    """Make the text of dvc.yaml list the inputs that follow from the batches; all else stays as it is.

    Raises:
        KeyError: a stage or its list of `deps` is missing.
    """
    for stage, wanted in inputs(ingest).items():
        text = yamledit.set_items(text, ("stages", stage, "deps"), _is_input, wanted)
    return text


def edited(put: Mapping[str, Batch] | None = None, drop: Collection[str] = ()) -> dict[Path, str]:
    """Return the new texts of the files that change when batches come, change or go; nothing is written.

    Raises:
        SettingsError: a file is missing, wrong, or written in a way that cannot be edited.
    """
    params = _with_batches(put or {}, drop)
    ingest = parse(IngestSettings, _load(params)["ingest"], f"{layout.PARAMS}: ingest")
    texts = {layout.PARAMS: params, PIPELINE: _with_inputs(ingest)}
    if LOCK.exists():
        texts[LOCK] = _without_results(drop)
    return {path: text for path, text in texts.items() if text != _text(path)}


def _with_batches(put: Mapping[str, Batch], drop: Collection[str]) -> str:
    meant = read_yaml(layout.PARAMS)
    with _editing(layout.PARAMS):
        batches = meant["ingest"].setdefault("batches", {})
        text = _text(layout.PARAMS)
        if not yamledit.has(text, _BATCHES):
            text = yamledit.put(text, _BATCHES[:1], _BATCHES[1], {})
        for name, batch in put.items():
            batches[name] = batch.model_dump()
            text = yamledit.put(text, _BATCHES, name, {"sha256": f"'{batch.sha256}'", "role": batch.role})
        for name in drop:
            del batches[name]
            text = yamledit.drop(text, _BATCHES, name)
        _check(_load(text), meant)
    return text


def _with_inputs(ingest: IngestSettings) -> str:
    before = read_yaml(PIPELINE)
    with _editing(PIPELINE):
        text = agree(_text(PIPELINE), ingest)
        after = _load(text)
        _check(_take_inputs(after), {stage: sorted(paths) for stage, paths in inputs(ingest).items()})
        _take_inputs(before)
        _check(after, before)
    return text


def _without_results(drop: Collection[str]) -> str:
    """DVC keeps the results of stages that are no more, and dvc.lock would never be fresh again."""
    meant = read_yaml(LOCK)
    with _editing(LOCK):
        text = _text(LOCK)
        for stage in (f"ingest@{name}" for name in drop):
            if meant.get("stages", {}).pop(stage, None) is not None:
                text = yamledit.drop(text, ("stages",), stage)
        _check(_load(text), meant)
    return text


def _take_inputs(pipeline: dict[str, Any]) -> dict[str, list[str]]:
    """Take the files of batches out of the stages, and return them."""
    taken = {}
    for stage in _READS:
        deps = pipeline["stages"][stage]["deps"]
        taken[stage] = sorted(filter(_is_input, deps))
        deps[:] = [each for each in deps if not _is_input(each)]
    return taken


def _is_input(path: object) -> bool:
    """Whether a dependency is a file of some batch."""
    parts = PurePosixPath(path).parts if isinstance(path, str) else ()
    return len(parts) == 3 and parts[0] == str(layout.LAKE) and parts[2] in _NAMES


@contextmanager
def _editing(path: Path) -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, YAMLError, RecursionError) as error:
        keys = error.args[0] if isinstance(error, KeyError) else None
        where = f" ('{'.'.join(keys)}' is missing, or no list)" if isinstance(keys, tuple) else ""
        raise SettingsError(
            f"{path} is written in a way that petpark cannot edit{where}: restore it from Git history, or write its "
            "batches and the inputs of its stages one a line."
        ) from None


def _check(found: object, meant: object) -> None:
    """No edit is believed: what the new text says must be what was meant."""
    if found != meant:
        raise ValueError


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _load(text: str) -> Any:
    return YAML(typ="safe").load(text)
