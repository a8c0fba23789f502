"""What stands first: the verdict, what became of the model, and what was changed to that end."""

from collections.abc import Iterator

from petpark.evidence.evaluation import Evaluation
from petpark.gate import Verdict
from petpark.report import words
from petpark.report.change import figures, material
from petpark.report.change.blocks import Block, Code, Heading, Line, Listing, Piece, Strong, Text, line
from petpark.report.change.figures import Move
from petpark.report.change.side import Head, Side
from petpark.report.change.wording import (
    NAMED,
    NO_GAIN,
    counted,
    figure,
    gained,
    mood,
    name,
    plural,
    reason,
    shorten,
    span,
    written,
)

_REASONS = 12


def verdict(found: Verdict, pending: str) -> Iterator[Block]:
    """Yes, no or not yet, in one line; then the reasons."""
    count = words.count(len(found.reasons), "reason")
    if pending:
        yield Heading(1, f"⏳ Pending: {shorten(pending, 200)}", "open")
        answer = "yes, the model may be merged." if found.passed else f"no, for {count}:"
        yield Text(line(f"By this evidence the answer would be {answer}"))
    elif found.passed:
        yield Heading(1, "✅ Yes: the model may be merged", "good")
    else:
        yield Heading(1, f"❌ No, for {count}", "bad")
    if not found.passed:
        shown = found.reasons if len(found.reasons) <= _REASONS else found.reasons[: _REASONS - 1]
        more = len(found.reasons) - len(shown)
        yield Listing((*map(reason, shown), *([line(f"and {more} more")] if more else [])))


def state(base: Side, head: Head, accuracy: Move) -> Iterator[Block]:
    """Whether there is another model, and whether it is better."""
    old, new = base.evaluation, head.evidence.evaluation
    if old is None:
        yield Text(line(Strong("Nothing to compare with:"), f" the base has no evaluation. {_accuracy(new)}"))
    elif figures.retrained(old, new):
        yield Text((Strong("The model was retrained."), *_gain(head, old, accuracy)))
    elif old == new:
        yield Text(line(Strong("The model is that of the base."), f" {_accuracy(new)}"))
    else:
        yield Text((Strong("The model is that of the base, judged anew."), *_gain(head, old, accuracy)))
    yield from _champion(head, old)
    if base.unread:
        items = (shorten(each, 300) for each in base.unread)
        yield Text(line(Strong("The base could not be read as a whole:"), f" {' '.join(items)}"))


def changes(base: Side, head: Head, found: Verdict, own: Verdict | None) -> Iterator[Block]:
    """What was changed, in one line, and what a changed policy means for the verdict."""
    parts = [*_settings(base, head.side), *_batches(base, head.side), *_corrections(base, head.side)]
    entries = material.policy(base, head.side)
    if entries:
        parts.append(line(f"{plural(len(entries), 'entry', 'entries')} of the policy"))
    if not parts:
        yield Text(line("Settings, data and policy are those of the base."))
        return
    pieces: list[Piece] = [Strong("Changed:"), " "]
    for place, part in enumerate(parts):
        pieces += [*([", "] if place else []), *part]
    yield Text((*pieces, "."))
    if entries:
        changed = line(Strong("The policy changed,"), " and this verdict is by that of the base. ")
        yield Text((*changed, _by_its_own(found, own)))


def _by_its_own(found: Verdict, own: Verdict | None) -> str:
    if own is None:
        return "The changed one is missing, or cannot be read by the base's code."
    too = " too" if own.passed == found.passed else ""
    return f"By the changed one the answer would be {'yes' if own.passed else 'no'}{too}."


def _accuracy(new: Evaluation) -> str:
    photos = words.count(new.photos, "test photo")
    return f"Accuracy {words.percent(new.accuracy.value)} ({span(new.accuracy, 'share')}) on {photos}."


def _gain(head: Head, old: Evaluation, accuracy: Move) -> Line:
    """Such as ` Accuracy 95.2% → 97.3%: better, +2.1 points (+0.9 to +3.3), on …`."""
    said = NO_GAIN if accuracy.winner == "tie" else str(accuracy.winner)
    found = figures.of_base(head.evidence.comparison, old)
    where = ", by both intervals, as the models were not compared on the same photos."
    before, after = old.accuracy.value, accuracy.head.value
    if found is not None:
        before, after = found.champion_accuracy, found.challenger_accuracy
        where = f", on {words.count(found.photos, 'photo')} that neither model learned from."
    shares = line(f" Accuracy {words.percent(before)} → ", Strong(words.percent(after)), ": ")
    return (*shares, Strong(said, mood(accuracy)), f", {gained(accuracy)}{where}")


def _champion(head: Head, old: Evaluation | None) -> Iterator[Block]:
    """The comparison with a champion that is not the base's model."""
    found = head.evidence.comparison
    if found is None or figures.of_base(found, old) is not None:
        return
    move = Move("accuracy", "share", None, head.evidence.evaluation.accuracy, found.accuracy_gain)
    said = NO_GAIN if move.winner == "tie" else str(move.winner)
    where = f" on {words.count(found.photos, 'photo')}: {figure(found.champion_accuracy, 'share')} → "
    after = f"{figure(found.challenger_accuracy, 'share')}, "
    pieces = line("Against the champion of ", name(found.champion), where + after)
    yield Text((*pieces, Strong(said, mood(move)), f", {gained(move)}."))


def _settings(base: Side, head: Side) -> Iterator[Line]:
    found = material.parameters(base, head)
    if len(found) > NAMED:
        yield line(f"{len(found):,} settings")
        return
    for each in found:
        yield line(name(each.name), " ", written(each.base), " → ", written(each.head))


def _batches(base: Side, head: Side) -> Iterator[Line]:
    found = [each for each in material.batches(base, head) if each.state != "same"] if base.validation else []
    photos = sum(each.photos for each in found)
    if len(found) > NAMED:
        yield line(f"{len(found):,} batches ({counted(photos, 'photo')})")
        return
    for each in found:
        yield line("batch ", name(each.name), f" {each.state} ({counted(each.photos, 'photo')})")


def _corrections(base: Side, head: Side) -> Iterator[Line]:
    if lines := material.corrections(base, head).lines:
        yield line(words.count(lines, "line") + " of ", Code("corrections.csv"))
