"""What an audit finds, as data: counts, and photos with the reason why somebody should look at them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from petpark.build.corrections import EXCLUDED

BLANK: Final = 0.01  # contrast under which nothing can be seen on a photo; on dim and foggy ones there is more


@dataclass(frozen=True)
class Finding:
    """A photo that somebody should look at."""

    id: str
    batch: str
    side: str
    """Train, validation or test; empty where the photo is on none."""
    label: str
    """As it stands; all of them where it came under several."""
    why: str
    proposed: str | None = None
    """The label to give it, or `excluded`; None where that is a person's to say."""


@dataclass(frozen=True)
class Quarantined:
    """A photo that could not be used."""

    id: str
    batch: str
    label: str
    name: str
    reason: str
    detail: str | None


@dataclass(frozen=True)
class BatchCount:
    """What became of the photos of one batch."""

    batch: str
    role: str
    photos: int
    reasons: dict[str, int]
    """Photos in quarantine, by reason."""
    dropped: dict[str, int]
    """Photos that the split dropped: duplicate, conflict, excluded."""
    corrected: int
    proposed: int

    @property
    def quarantined(self) -> int:
        """Photos in quarantine."""
        return sum(self.reasons.values())


@dataclass(frozen=True)
class LabelCount:
    """How one label fares."""

    label: str
    photos: int
    """Photos that stayed."""
    quarantined: int
    suspects: int
    taken_for: str
    """The label that most of the suspects look like; empty where there is none."""
    excluded: int
    """Photos of it that are proposed to be left out."""


@dataclass(frozen=True)
class Findings:
    """Everything that an audit finds."""

    batches: tuple[BatchCount, ...]
    labels: tuple[LabelCount, ...]
    judged: int
    """Photos whose labels were examined."""
    network: str | None
    """Whose features the labels were examined by; None where there was no network."""
    independent: bool
    """Whether that network has never seen the labels."""
    suspects: tuple[Finding, ...]
    """Labels that are probably wrong, the surest first."""
    doubtful: tuple[Finding, ...]
    """Labels that another one beats, but not surely."""
    unlike: tuple[Finding, ...]
    blank: tuple[Finding, ...]
    conflicts: tuple[Finding, ...]
    look_alikes: tuple[tuple[Finding, ...], ...]
    """Groups of photos that look alike and have several labels."""
    quarantined: tuple[Quarantined, ...]

    def proposals(self) -> dict[str, str]:
        """The label, or `excluded`, of each photo id for which something is proposed, in the order of the page."""
        return {each.id: each.proposed for each in self.photos() if each.proposed is not None}

    def photos(self) -> Iterator[Finding]:
        """Every finding with a stored photo."""
        for kind in (self.suspects, self.unlike, self.blank, self.conflicts, self.doubtful, *self.look_alikes):
            yield from kind

    @property
    def reasons(self) -> dict[str, int]:
        """Photos in quarantine by reason, of all batches."""
        return dict(sorted(Counter(each.reason for each in self.quarantined).items()))

    @property
    def dropped(self) -> dict[str, int]:
        """Photos that the split dropped, by reason, of all batches."""
        return dict(sorted(sum((Counter(each.dropped) for each in self.batches), Counter[str]()).items()))

    @property
    def excluding(self) -> int:
        """Photos that are proposed to be left out."""
        return sum(label == EXCLUDED for label in self.proposals().values())
