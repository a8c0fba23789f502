"""How figures are put into words, the same on the page and in the terminal."""

from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import ClassFigures, Evaluation


def percent(share: float) -> str:
    """A share as `96.4%`."""
    return f"{share:.1%}"


def number(value: float, digits: int = 1) -> str:
    """A figure with thousands separated, as `1,204.5`."""
    return f"{value:,.{digits}f}"


def count(things: int, noun: str) -> str:
    """So many things, as `1 photo` or `1,204 photos`."""
    return f"{things:,} {noun}{'' if things == 1 else 's'}"


def size(count: int) -> str:
    """Bytes as `512 bytes`, `1.2 kB` or `3.4 MB`."""
    if count < 1000:
        return f"{count} bytes"
    return f"{count / 1e3:,.1f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"


def span(estimate: Estimate) -> str:
    """The interval of a share, as `95.0% to 97.6%`."""
    return f"{percent(estimate.low)} to {percent(estimate.high)}"


def number_span(estimate: Estimate, digits: int = 1) -> str:
    """The interval of a figure, as `31.2 to 52.9`."""
    return f"{number(estimate.low, digits)} to {number(estimate.high, digits)}"


def points(share: float) -> str:
    """A difference of shares as `4.1 points`."""
    return f"{share * 100:.1f} points"


def skew(ratio: float) -> str:
    """How a label's predicted rate stands to its true one: 1.07 is `7.0% too often`."""
    if ratio <= 0:
        return "never"
    if in_step(ratio):
        return "as often as it occurs"
    return f"{abs(ratio - 1):.1%} too {'often' if ratio > 1 else 'rarely'}"


def in_step(ratio: float) -> bool:
    """Whether a rate ratio is 1 as far as one decimal of a percentage shows."""
    return abs(ratio - 1) < 0.0005


def skew_span(ratio: Estimate) -> str:
    """The interval of a rate ratio as deviations, `-1.2% to +13.0%`."""
    return f"{ratio.low - 1:+.1%} to {ratio.high - 1:+.1%}"


def beyond_chance(estimate: Estimate, neutral: float) -> bool:
    """Whether the interval leaves out the value that means no effect."""
    return not estimate.low <= neutral <= estimate.high


def worst_first(evaluation: Evaluation) -> list[ClassFigures]:
    """The labels by recall, the worst first; labels without test photos come last."""
    return sorted(evaluation.classes, key=lambda each: (each.photos == 0, each.recall.value))


def most_skewed(evaluation: Evaluation) -> ClassFigures | None:
    """The label whose predicted rate is farthest from its true one; None where no label has test photos."""
    return max(
        (each for each in evaluation.classes if each.photos),
        key=lambda each: abs(each.rate_ratio.value - 1),
        default=None,
    )


def confused(evaluation: Evaluation) -> list[tuple[str, str, int, float]]:
    """The (true label, predicted label, photos, share of the true label), the most frequent first, rights left out."""
    labels = evaluation.model.labels
    pairs = [
        (labels[true], labels[guess], count, count / sum(row))
        for true, row in enumerate(evaluation.confusion)
        for guess, count in enumerate(row)
        if count and true != guess
    ]
    return sorted(pairs, key=lambda pair: (-pair[2], -pair[3]))
