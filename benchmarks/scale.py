"""100,000 drawn pictures from ingest to evaluate: how much memory each stage holds, and whether time stays linear."""

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from benchmarks import harness, memory, pictures, result
from petpark import files, layout

COUNT: Final = 100_000
_ROUNDS: Final = 2
_PART: Final = 10  # the race is against so many times fewer pictures
_GIGABYTES: Final = 2.0
_LINEAR: Final = 0.9  # as fast, per picture, as with a tenth: noise aside, 1
_BATCH: Final = "drawn"
_STAGES: Final = ("ingest", "split", "train", "package", "evaluate")
SETTINGS: Final[dict[str, Any]] = {
    "ingest": {"short_side": 64, "quality": 85},
    "split": {},
    "train": {"image_size": 64, "epochs": 1},
}

Took = dict[str, memory.Watched]  # by stage


def run() -> result.Result:
    """Run the stages on many pictures and on a tenth of them, by turns."""
    count = harness.scaled(COUNT, least=2_000)
    with harness.scratch("scale") as folder:
        roots = {n: lay(folder / str(n), n) for n in (count, count // _PART)}
        took = harness.alternate({str(n): partial(stages, root) for n, root in roots.items()}, harness.rounds(_ROUNDS))
    return judge(took[str(count)], took[str(count // _PART)], count)


def judge(many: Sequence[Took], few: Sequence[Took], count: int) -> result.Result:
    """Make a row of what the stages took on all pictures and on a tenth, in each round."""
    peaks = [max(stage.bytes for stage in took.values()) / 1e9 for took in many]
    speed = harness.ratio([_PART * _total(took) for took in few], [_total(took) for took in many])
    by_stage = {name: max(took[name].bytes for took in many) / 1e9 for name in many[0]}
    shown = ", ".join(f"{name} {harness.describe(value)}" for name, value in by_stage.items())
    most = harness.spread(peaks)
    return result.made(
        "scale",
        most,
        "GB of anonymous memory",
        goal=f"< {_GIGABYTES:g} GB at every stage; per picture as fast as with a tenth (≥ {_LINEAR:g})",
        met=most.high < _GIGABYTES and speed.middle >= _LINEAR,
        limit=f"{_GIGABYTES:g} GB",
        peers={f"{count // _PART:,} pictures, per picture": speed},
        pictures=f"{count:,} drawn pictures of 64 x 64 pixels; GB: {shown}",
    )


def lay(root: Path, count: int) -> Path:
    """Lay a folder in which the stages can run: an archive and its settings."""
    archive = pictures.pack(root / layout.archive(_BATCH), pictures.small(count))
    settings = {name: dict(section) for name, section in SETTINGS.items()}
    settings["ingest"]["batches"] = {_BATCH: {"sha256": files.sha256(archive), "role": "train"}}
    empty: dict[str, Any] = {"seed": 0, "validate": {}, "package": {}, "evaluate": {}}
    YAML().dump(empty | settings, root / layout.PARAMS)
    shutil.copy(harness.ROOT / layout.POLICY, root)
    (root / layout.CORRECTIONS).write_text("id,label\n")
    return root


def stages(root: Path) -> Took:
    """Run every stage anew, each in a process of its own."""
    for made in (layout.LAKE, layout.MODELS, layout.REPORTS, layout.SCRATCH):
        files.remove(root / made)
    return {name: memory.watch(_command(name, root), root) for name in _STAGES}


def _command(stage: str, root: Path) -> list[str]:
    if stage != "ingest":
        return ["petpark", stage]
    return ["petpark", stage, _BATCH, "--sha256", files.sha256(root / layout.archive(_BATCH))]


def _total(took: Mapping[str, memory.Watched]) -> float:
    return sum(stage.seconds for stage in took.values())
