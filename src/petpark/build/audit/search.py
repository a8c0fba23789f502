"""Look through the lake: counts, and every photo that somebody should look at."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from petpark.build.audit import features, suspects, unlike
from petpark.build.audit.features import Extractor
from petpark.build.audit.findings import BLANK, BatchCount, Finding, Findings, LabelCount, Quarantined
from petpark.build.audit.material import UNSETTLED, Material
from petpark.build.audit.suspects import Opinions
from petpark.build.corrections import EXCLUDED
from petpark.config.ingest import IngestSettings

Numbers = NDArray[np.float64]


def search(seen: Material, ingest: IngestSettings, network: Extractor | None) -> Findings:
    """Find everything that an audit tells.

    Args:
        seen: the lake.
        ingest: the batches and their roles.
        network: whose features labels are examined by; without one they are not.

    Raises:
        DataError: a shard is missing or broken.
    """
    contrast = seen.photos.column("contrast").astype(np.float64)
    blank = (contrast < BLANK) & ~seen.settled
    opinions, far = _examine(seen, network)
    strange = (far > unlike.FAR) & ~seen.settled & ~blank
    rest = ~seen.settled & ~blank & ~strange
    sure = rest & opinions.confident & (seen.targets != UNSETTLED)
    doubtful = rest & ~sure & (opinions.margin > 0) & (seen.targets != UNSETTLED)
    tell = _Teller(seen, opinions, far, contrast)
    found = {
        "suspects": tell.each(sure, -opinions.margin, tell.suspect),
        "doubtful": tell.each(doubtful, -opinions.margin, tell.doubtful),
        "unlike": tell.each(strange, -far, tell.unlike),
        "blank": tell.each(blank, contrast, tell.blank),
        "conflicts": tell.each(rest & (seen.targets == UNSETTLED), -opinions.margin, tell.conflict),
    }
    changed = [each for kind in found.values() for each in kind if each.proposed is not None]
    return Findings(
        batches=tuple(_batches(seen, ingest, changed)),
        labels=tuple(_labels(seen, found["suspects"], changed)),
        judged=int((~seen.settled).sum()),
        network=network.name if network else None,
        independent=bool(network and network.independent),
        look_alikes=tuple(_look_alikes(seen, tell)),
        quarantined=tuple(_quarantined(seen)),
        **found,
    )


def _examine(seen: Material, network: Extractor | None) -> tuple[Opinions, Numbers]:
    """What a network's features say of each photo; nothing at all without one.

    A network that was trained on these labels draws the photos of one together, whatever else is on them: its distances
    tell hard photos from easy ones, and not strangers from others, so they are not asked.
    """
    n, classes = len(seen.photos), len(seen.labels)
    nothing = np.zeros(n)
    if network is None:
        return Opinions(np.zeros(n, np.int64), nothing - 1, np.zeros(n, bool)), nothing
    known, ids = features.extract(seen, network), seen.photos.ids
    probabilities = suspects.out_of_fold(known, seen.targets, ids, seen.groups, classes)
    if not network.independent:
        return suspects.opinions(probabilities, seen.targets), nothing
    far = unlike.strangeness(unlike.distances(known, ids, seen.groups), seen.targets)
    return suspects.opinions(probabilities, seen.targets), far


class _Teller:
    """Puts what was found about photos into words."""

    def __init__(self, seen: Material, opinions: Opinions, far: Numbers, contrast: Numbers) -> None:
        self._seen, self._opinions, self._far, self._contrast = seen, opinions, far, contrast
        self._ids = seen.photos.ids
        self._batches, self._sides, self._labels = (
            seen.photos.column(name).tolist() for name in ("batch", "side", "label")
        )

    def each(
        self, chosen: NDArray[np.bool_], order: Numbers, tell: Callable[[int], tuple[str, str | None]]
    ) -> tuple[Finding, ...]:
        """Tell of the chosen photos [N], by `order` [N] and then by id."""
        rows = sorted(np.flatnonzero(chosen).tolist(), key=lambda row: (order[row], self._ids[row]))
        return tuple(self.finding(row, *tell(row)) for row in rows)

    def finding(self, row: int, why: str, proposed: str | None = None) -> Finding:
        """Tell of one photo."""
        photo_id = self._ids[row]
        label = " / ".join(self._seen.came_under.get(photo_id, (self._labels[row],)))
        return Finding(photo_id, self._batches[row], self._sides[row] or "", label, why, proposed)

    def suspect(self, row: int) -> tuple[str, str | None]:
        """A label that is probably wrong."""
        other = self._other(row)
        return f"looks like {other} (margin {self._opinions.margin[row]:.2f})", other

    def doubtful(self, row: int) -> tuple[str, str | None]:
        """A label that another one beats, but not surely."""
        return f"perhaps {self._other(row)} (margin {self._opinions.margin[row]:.2f})", None

    def unlike(self, row: int) -> tuple[str, str | None]:
        """A photo that is unlike all others."""
        return f"unlike all others (deviation {self._far[row]:.1f})", EXCLUDED

    def blank(self, row: int) -> tuple[str, str | None]:
        """A photo of nearly one colour."""
        return f"nearly one colour (contrast {self._contrast[row]:.3f})", EXCLUDED

    def conflict(self, row: int) -> tuple[str, str | None]:
        """A photo that came under several labels: one of these is proposed where it is believed."""
        other = self._other(row)
        if self._opinions.confident[row] and other in self._seen.came_under[self._ids[row]]:
            return f"came under several labels; looks like {other}", other
        return "came under several labels", None

    def _other(self, row: int) -> str:
        return self._seen.labels[int(self._opinions.other[row])]


def _look_alikes(seen: Material, tell: _Teller) -> Iterator[tuple[Finding, ...]]:
    """Groups with several labels, the ones with most photos first; settled photos and conflicts stay out."""
    groups: dict[int, list[int]] = {}
    open_ = np.flatnonzero(~seen.settled & (seen.targets != UNSETTLED)).tolist()
    for row in open_:
        groups.setdefault(int(seen.groups[row]), []).append(row)
    mixed = [rows for rows in groups.values() if len({int(seen.targets[row]) for row in rows}) > 1]
    for number, rows in enumerate(sorted(mixed, key=lambda rows: (-len(rows), rows)), start=1):
        ordered = sorted(rows, key=lambda row: (int(seen.targets[row]), seen.photos.ids[row]))
        yield tuple(tell.finding(row, f"group {number}: nearly the same photo") for row in ordered)


def _batches(seen: Material, ingest: IngestSettings, changed: Sequence[Finding]) -> Iterator[BatchCount]:
    names = seen.split.column("batch").tolist()
    dropped = Counter(zip(names, seen.split.column("dropped").tolist(), strict=True))
    corrected = Counter(zip(names, seen.split.column("corrected").tolist(), strict=True))
    proposed = Counter(each.batch for each in changed)
    for batch, table in seen.manifests.items():
        reasons = Counter(reason for reason in table.column("reason").to_pylist() if reason)
        yield BatchCount(
            batch=batch,
            role=ingest.batches[batch].role,
            photos=table.num_rows,
            reasons=dict(sorted(reasons.items())),
            dropped={why: count for why in ("duplicate", "conflict", "excluded") if (count := dropped[batch, why])},
            corrected=corrected[batch, True],
            proposed=proposed[batch],
        )


def _labels(seen: Material, sure: Sequence[Finding], changed: Sequence[Finding]) -> Iterator[LabelCount]:
    stayed = Counter(seen.targets.tolist())
    out = Counter(each.label for each in changed if each.proposed == EXCLUDED)
    quarantined = Counter(each.label for each in _quarantined(seen))
    for place, label in enumerate(seen.labels):
        taken = Counter(each.proposed for each in sure if each.label == label)
        first = min(taken.items(), key=lambda item: (-item[1], str(item[0])), default=("", 0))[0]
        yield LabelCount(label, stayed[place], quarantined[label], taken.total(), str(first), out[label])


def _quarantined(seen: Material) -> Iterator[Quarantined]:
    names = ("id", "label", "name", "reason", "detail")
    for batch, table in seen.manifests.items():
        bad = table.filter(pc.is_valid(table.column("reason")))
        for photo_id, label, name, reason, detail in zip(
            *(bad.column(each).to_pylist() for each in names), strict=True
        ):
            yield Quarantined(photo_id, batch, label, name, reason, detail)
