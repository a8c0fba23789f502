"""The report of a change, in the order in which a reader with 30 seconds needs it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from petpark import consistency
from petpark.config.policy import Policy
from petpark.evidence.run import Run
from petpark.gate import Verdict
from petpark.report import words
from petpark.report.change import curves, figures, front, judging, supply, verdict
from petpark.report.change.blocks import Block, Details, Heading, Line, Link, Piece, Small, Text, line
from petpark.report.change.side import Head, Side
from petpark.report.change.wording import minutes, name, shorten

_FEW = 6  # labels that are shown at once


@dataclass(frozen=True)
class Report:
    """The verdict, and everything that a reader is told."""

    verdict: Verdict
    pending: str
    """Why the verdict does not count yet, if it does not."""
    blocks: tuple[Block, ...]


def compose(base: Side, head: Head, pending: str = "", run: Run | None = None, links: tuple[Link, ...] = ()) -> Report:
    """Judge a change and say what it changes.

    Args:
        base: the side that it starts from; its policy judges.
        head: the side that is judged.
        pending: why the verdict does not count yet, if it does not.
        run: what it took.
        links: where there is more.

    Raises:
        DataError: the base has no policy.
        SettingsError: the base's policy cannot be read.
    """
    policy = verdict.policy_of(base)
    found = verdict.judged(base, head, policy)
    own = verdict.by_its_own(base, head)
    head = _without_a_strangers_comparison(head, policy)
    moves = list(figures.moves(base.evaluation, head.evidence.evaluation, head.evidence.comparison, policy.cost))
    blocks = [
        *front.verdict(found, pending),
        *front.state(base, head, moves[0]),
        *front.changes(base, head, found, own),
        *_figures(base, head, moves),
        *supply.data(base, head),
        *supply.settings(base, head),
        *curves.training(base, head),
        *curves.precision_recall(base, head),
        *_folded(base, head),
        *_end(base, moves, run, links),
    ]
    return Report(found, pending, tuple(blocks))


def _without_a_strangers_comparison(head: Head, policy: Policy) -> Head:
    """What another model gained is told of no more; the verdict has named it."""
    if not any(consistency.one_challenger(head.evidence, policy)):
        return head
    return replace(head, evidence=head.evidence.model_copy(update={"comparison": None}))


def _figures(base: Side, head: Head, moves: list[figures.Move]) -> Iterator[Block]:
    old, new = base.evaluation, head.evidence.evaluation
    labels = figures.labels(None if old == new else old, new)
    blocks: list[Block] = [Heading(2, "Figures"), judging.main(base, head, moves)]
    ranked = sorted(labels, key=lambda each: not each.worse)  # which leaves the order among equals
    blocks += judging.labels((labels if len(labels) <= _FEW else ranked)[:_FEW], len(labels))
    if old == new:
        yield Details("The figures, which are those of the base", tuple(blocks[1:]))
    else:
        yield from blocks
        yield from judging.moved(figures.slices(old, new), compared=old is not None)


def _folded(base: Side, head: Head) -> Iterator[Block]:
    """What few readers ask for, in the order in which it may be left out last."""
    old, new = base.evaluation, head.evidence.evaluation
    labels = figures.labels(old, new)
    if len(labels) > _FEW:
        yield Details(f"All {len(labels):,} labels", tuple(judging.labels(labels, len(labels))))
    if new.slices and old != new:
        parts = figures.slices(old, new)
        yield Details(f"Every kind of photos, {len(parts):,} in all", (judging.kinds(parts),))
    yield from supply.batches(base, head)


def _end(base: Side, moves: list[figures.Move], run: Run | None, links: tuple[Link, ...]) -> Iterator[Block]:
    if run is not None and (took := tuple(_took(run))):
        yield Heading(2, "What it took")
        yield Text(took)
    out: list[Piece] = [piece for link in links for piece in (link, " · ")]
    yield Text((*out, "judged by the policy of ", name(base.at)))
    yield Text(line(Small(judging.note(moves))))


def _took(run: Run) -> Line:
    parts: list[Line] = []
    if run.minutes:
        each = ", ".join(f"{shorten(stage, 24)} {minutes(value)}" for stage, value in list(run.minutes.items())[:12])
        parts.append(line(f"{minutes(sum(run.minutes.values()))} ({each})"))
    if run.photos_ingested is not None:
        parts.append(line(f"{words.count(run.photos_ingested, 'photo')} ingested"))
    if run.photos_trained is not None:
        parts.append(line(f"{words.count(run.photos_trained, 'photo')} trained on"))
    if run.bytes_fetched is not None:
        parts.append(line(f"{words.size(run.bytes_fetched)} fetched"))
    if run.bytes_pushed is not None:
        parts.append(line(f"{words.size(run.bytes_pushed)} pushed"))
    if run.runner is not None:
        parts.append(line("on ", name(run.runner)))
    return tuple(piece for place, part in enumerate(parts) for piece in ((", ",) if place else ()) + part)
