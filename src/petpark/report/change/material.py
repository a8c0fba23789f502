"""What became of the data and the settings: batches, corrections, parameters, policy."""

from collections import Counter
from dataclasses import dataclass
from typing import Final, Literal

from petpark.evidence.validation import BatchCount, Validation
from petpark.report.change import plain
from petpark.report.change.plain import Plain
from petpark.report.change.side import Side

State = Literal["new", "gone", "changed", "same"]

_BATCHES: Final = "ingest.batches."


@dataclass(frozen=True)
class BatchMove:
    """One batch on both sides."""

    name: str
    state: State
    base: BatchCount | None
    head: BatchCount | None

    @property
    def photos(self) -> int:
        """Photos that came (or, below 0, went)."""
        return (self.head.photos if self.head else 0) - (self.base.photos if self.base else 0)


@dataclass(frozen=True)
class Setting:
    """One setting on both sides, as it is written; None where it is not."""

    name: str
    base: str | None
    head: str | None


@dataclass(frozen=True)
class Corrections:
    """Lines of corrections.csv that came, went, or say something else now."""

    added: tuple[tuple[str, int], ...]
    """Label or `excluded`, and how many photos got it; the most frequent first."""
    removed: int
    changed: int

    @property
    def lines(self) -> int:
        """How many lines differ."""
        return sum(count for _, count in self.added) + self.removed + self.changed


def batches(base: Side, head: Side) -> list[BatchMove]:
    """Every batch of either side: the head's in its order, then those that are gone."""
    old, new = _counts(base.validation), _counts(head.validation)
    hashes = [_hashes(side.params) for side in (base, head)]
    return [
        BatchMove(name, _state(old.get(name), new.get(name), hashes[0].get(name) == hashes[1].get(name)), *pair)
        for name in [*new, *(name for name in old if name not in new)]
        for pair in [(old.get(name), new.get(name))]
    ]


def corrections(base: Side, head: Side) -> Corrections:
    """What became of the lines of corrections.csv."""
    old, new = base.corrections, head.corrections
    added = Counter(label for photo_id, label in new.items() if photo_id not in old)
    return Corrections(
        tuple(sorted(added.items(), key=lambda pair: (-pair[1], pair[0]))),
        removed=len(old.keys() - new.keys()),
        changed=sum(old[photo_id] != new[photo_id] for photo_id in old.keys() & new.keys()),
    )


def parameters(base: Side, head: Side) -> list[Setting]:
    """Settings of params.yaml that differ; batches are told of as data."""
    return [each for each in _differing(base.params, head.params) if not each.name.startswith(_BATCHES)]


def policy(base: Side, head: Side) -> list[Setting]:
    """Entries of policy.yaml that differ."""
    return _differing(base.policy or {}, head.policy or {})


def _differing(base: Plain, head: Plain) -> list[Setting]:
    old, new = plain.flat(base), plain.flat(head)
    names = [*new, *(name for name in old if name not in new)]
    return [Setting(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _counts(found: Validation | None) -> dict[str, BatchCount]:
    return {each.batch: each for each in found.batches} if found else {}


def _hashes(params: Plain) -> dict[str, str]:
    return {
        name.removeprefix(_BATCHES).removesuffix(".sha256"): value
        for name, value in plain.flat(params).items()
        if name.startswith(_BATCHES) and name.endswith(".sha256")
    }


def _state(old: BatchCount | None, new: BatchCount | None, same_archive: bool) -> State:
    if old is None:
        return "new"
    if new is None:
        return "gone"
    return "same" if same_archive and old == new else "changed"
