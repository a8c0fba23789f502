"""The evaluation in a terminal: verdict, main figures, labels; at most 20 lines."""

import unicodedata
from collections.abc import Iterator, Sequence

from petpark.evidence.build import BuildEvidence
from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import Evaluation
from petpark.report import words

_REASONS = 5
_CLASSES = 5
_WIDTH = 24


def summary(evidence: BuildEvidence, reasons: tuple[str, ...]) -> str:
    """Sum a build up in plain text.

    Args:
        evidence: what was measured, and compared with what.
        reasons: why the gate says no; none where it says yes.

    Returns:
        at most 20 lines, without a line break at the end.
    """
    figures = [*_figures(evidence.evaluation), *_classes(evidence.evaluation)]
    return "\n".join([*_verdict(reasons), _compared(evidence), "", *_aligned(figures)])


def _verdict(reasons: Sequence[str]) -> Iterator[str]:
    if not reasons:
        yield "Verdict: yes, the model may be merged."
        return
    yield f"Verdict: no, for {len(reasons)} reason{'s' if len(reasons) > 1 else ''}."
    shown = reasons if len(reasons) <= _REASONS else reasons[: _REASONS - 1]
    yield from (f"  - {printable(reason)}" for reason in shown)
    if len(shown) < len(reasons):
        yield f"  - and {len(reasons) - len(shown)} more"


def _compared(evidence: BuildEvidence) -> str:
    if (found := evidence.comparison) is None:
        return f"Compared with nothing, because {printable(evidence.uncompared)}."
    name = f"the champion of {printable(found.champion)}"
    return f"Compared with {name} on {words.count(found.photos, 'photo')}: accuracy changes by {found.accuracy_gain}."


def _figures(evaluation: Evaluation) -> Iterator[tuple[str, str, str]]:
    sure = evaluation.sure
    yield "accuracy", *_share(evaluation.accuracy, f" on {evaluation.photos:,} test photos")
    yield "F1", *_share(evaluation.f1)
    yield "ROC-AUC", f"{evaluation.roc_auc.value:.3f}", words.number_span(evaluation.roc_auc, 3)
    yield "calibration error", *_share(evaluation.calibration_error)
    yield "cost per 1,000 photos", words.number(evaluation.cost.value), words.number_span(evaluation.cost)
    yield "recall, best less worst", *_share(evaluation.recall_gap)
    right = f"and right on {sure.accuracy:.1%} of these" if sure.share > 0 else "of no photo"
    yield "sure of its answer", words.percent(sure.share), f"{right} (threshold {sure.threshold:.3f})"


def _classes(evaluation: Evaluation) -> Iterator[tuple[str, str, str]]:
    classes = words.worst_first(evaluation)
    shown = classes if len(classes) <= _CLASSES else classes[: _CLASSES - 1]
    for each in shown:
        name = f"recall of {_cut(printable(each.label))}"
        if not each.photos:
            yield name, "-", "no test photos"
            continue
        rate = words.skew(each.rate_ratio.value)
        note = f"{words.span(each.recall)}, precision {each.precision.value:.1%}, predicted {rate}"
        yield name, words.percent(each.recall.value), note
    if len(shown) < len(classes):
        yield f"and {words.count(len(classes) - len(shown), 'label')} more", "", ""


def _share(estimate: Estimate, note: str = "") -> tuple[str, str]:
    return words.percent(estimate.value), words.span(estimate) + note


def _aligned(rows: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    first = max(columns(name) for name, _, _ in rows)
    second = max(len(value) for _, value, _ in rows)
    for name, value, note in rows:
        yield f"  {name}{' ' * (first - columns(name))}  {value:>{second}}  {note}".rstrip()


def printable(text: str) -> str:
    """Make a text harmless in a terminal: what is not printable (escape codes, direction marks) becomes `?`."""
    return "".join(sign if sign.isprintable() else "?" for sign in " ".join(text.split()))


def columns(text: str) -> int:
    """How many columns of a terminal a printable text takes: East Asian wide signs two, combining ones none."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _cut(text: str) -> str:
    if columns(text) <= _WIDTH:
        return text
    while columns(text) >= _WIDTH:
        text = text[:-1]
    return f"{text}…"
