"""Made-up evidence that hangs together: answers are drawn, and every figure is counted from them."""

import hashlib
import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import (
    ClassFigures,
    Confidence,
    Coverage,
    CurvePoint,
    Evaluation,
    Mistake,
    ModelFacts,
    Slice,
)
from petpark.evidence.package import GoldenRows, Package, Variant
from petpark.evidence.validation import BatchCount, Check, SideCount, Validation
from petpark.report.page import Case, Neighbour
from tests.conftest import draw, jpeg

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "' onmouseover='alert(3)",
    "</title></svg><style>*{display:none}</style>",
    "{{ 7 * 7 }}{% raw %}&amp;",
    "\u202eevil\u202d",
    "قطة فارسية",
    "long " * 60,
    "unbroken" * 40,
    "snow\u2744 \U0001f431",
)


def labels(count: int) -> tuple[str, ...]:
    """Names of labels, in the order of the alphabet."""
    first = ("ant", "bat", "cow", "doe", "emu", "fox", "gnu", "hen", "ibis", "jay")
    second = ("", "arctic ", "common ", "dwarf ", "eastern ", "great ")
    return tuple(f"{place}{name}" for place in second for name in first)[:count]


def evaluation(names: Sequence[str], photos: int = 600, skill: float = 3.0, seed: int = 0) -> Evaluation:
    """Evidence of a model that is mostly right; with an endless `skill` it makes no mistake."""
    rng = np.random.default_rng(seed)
    count = len(names)
    truth = rng.choice(count, photos, p=_frequencies(count))
    scores = rng.normal(size=(photos, count)) + 0.35 * rng.normal(size=count)
    scores[np.arange(photos), truth] += min(skill, 1e3)
    odds = np.exp(1.6 * (scores - scores.max(axis=1, keepdims=True)))
    return judged(tuple(names), truth, odds / odds.sum(axis=1, keepdims=True), rng)


def judged(names: tuple[str, ...], truth: Ints, odds: Floats, rng: np.random.Generator) -> Evaluation:
    """Count every figure from answers: truth [N] and probabilities [N, K]."""
    guess, sure = odds.argmax(axis=1), odds.max(axis=1)
    hits = guess == truth
    draws = rng.integers(0, len(truth), (200, len(truth)))
    threshold = 0.8

    def estimate(figure: Callable[[Ints], float], rows: Ints | None = None) -> Estimate:
        rows = np.arange(len(truth)) if rows is None else rows
        low, high = np.quantile([figure(rows[picked % len(rows)]) for picked in draws], [0.025, 0.975])
        value = figure(rows)
        return Estimate(value=value, low=min(float(low), value), high=max(float(high), value))

    def accuracy(rows: Ints) -> float:
        return float(hits[rows].mean())

    def recall(place: int) -> Callable[[Ints], float]:
        return lambda rows: _ratio(hits[rows] & (truth[rows] == place), truth[rows] == place)

    def precision(place: int) -> Callable[[Ints], float]:
        return lambda rows: _ratio(hits[rows] & (guess[rows] == place), guess[rows] == place)

    def rate(place: int) -> Callable[[Ints], float]:
        return lambda rows: _ratio(guess[rows] == place, truth[rows] == place)

    def mean(figure: Callable[[int], Callable[[Ints], float]]) -> Callable[[Ints], float]:
        return lambda rows: float(np.mean([figure(place)(rows) for place in range(len(names))]))

    def gap(rows: Ints) -> float:
        return float(np.ptp([recall(place)(rows) for place in np.unique(truth).tolist()]))

    squares = ((odds - np.eye(len(names))[truth]) ** 2).sum(axis=1)
    wrong = np.flatnonzero(~hits)[np.argsort(-sure[~hits], kind="stable")]
    confusion = np.zeros((len(names), len(names)), np.int64)
    np.add.at(confusion, (truth, guess), 1)
    return Evaluation(
        schema="evaluation/1",
        model=facts(names, threshold),
        photos=len(truth),
        accuracy=estimate(accuracy),
        precision=estimate(mean(precision)),
        recall=estimate(mean(recall)),
        f1=estimate(mean(lambda place: lambda rows: _f1(precision(place)(rows), recall(place)(rows)))),
        roc_auc=Estimate(value=0.9871, low=0.9812, high=0.9934),
        brier=estimate(lambda rows: float(squares[rows].mean())),
        calibration_error=Estimate(value=0.0217, low=0.0143, high=0.0342),
        cost=estimate(lambda rows: 1500 * (1 - accuracy(rows))),
        recall_gap=estimate(gap),
        classes=tuple(
            ClassFigures(
                label=name,
                photos=int((truth == place).sum()),
                predicted=int((guess == place).sum()),
                precision=estimate(precision(place)),
                recall=estimate(recall(place)),
                f1=estimate(lambda rows, at=place: _f1(precision(at)(rows), recall(at)(rows))),  # type: ignore[misc]
                rate_ratio=estimate(rate(place)),
            )
            for place, name in enumerate(names)
        ),
        confusion=tuple(tuple(int(cell) for cell in row) for row in confusion),
        sure=_covered(sure, hits, threshold),
        coverage=tuple(_covered(sure, hits, float(edge)) for edge in np.linspace(0, 0.995, 40)),
        reliability=tuple(_bins(sure, hits)),
        curves={name: _curve(odds[:, place], truth == place) for place, name in enumerate(names)},
        slices=tuple(
            Slice(name=name, value=value, photos=len(rows), accuracy=estimate(accuracy, rows))
            for name, value, rows in _parts(len(truth), hits, rng)
        ),
        mistakes=tuple(
            Mistake(
                id=digest(f"photo {row}"),
                batch=f"pets-2026-{row % 3 + 1:02}",
                label=names[truth[row]],
                predicted=names[guess[row]],
                confidence=float(sure[row]),
            )
            for row in wrong
        ),
    )


def facts(names: tuple[str, ...], threshold: float) -> ModelFacts:
    """Facts of a model that knows these labels."""
    return ModelFacts(
        sha256=digest("model"),
        bytes=1_234_567,
        image_size=64,
        labels=names,
        threshold=threshold,
        data=digest("data"),
        code=digest("code"),
    )


def gallery(evidence: Evaluation, shown: int = 6) -> list[Case]:
    """The first mistakes, with pictures drawn on the spot."""
    names = evidence.model.labels
    return [
        Case(
            mistake,
            photo=jpeg(draw(place, width=200, height=150)),
            heat=heat(place),
            neighbours=tuple(
                Neighbour(
                    jpeg(draw(100 + 10 * place + near, width=80, height=60 + 20 * (near % 2))),
                    label=(mistake.predicted, mistake.label, names[-1], names[0])[near],
                    id=digest(f"near {place} {near}"),
                    similarity=0.97 - 0.03 * near,
                )
                for near in range(4)
            ),
        )
        for place, mistake in enumerate(evidence.mistakes[:shown])
    ]


def heat(seed: int) -> bytes:
    """A picture under a map of warm and cold places, as PNG."""
    buffer = io.BytesIO()
    Image.blend(draw(seed, width=200, height=150), draw(seed + 50, width=200, height=150), 0.6).save(buffer, "PNG")
    return buffer.getvalue()


def package() -> Package:
    """Evidence of a packaged model."""
    return Package(
        schema="package/1",
        architecture="small",
        sha256=digest("model"),
        image_size=64,
        parameters=291_234,
        variants=(
            Variant(name="fp32", bytes=1_234_567, milliseconds=1.84, accuracy=0.9312),
            Variant(name="int8", bytes=345_678, milliseconds=0.97, accuracy=0.9304),
        ),
        chosen="int8",
        why="faster, and loses less than the policy allows",
        threshold=0.8,
        golden=GoldenRows(
            photos=32,
            torch_fp32=1e-6,
            fp32_int8=0.011,
            int8_agreement=1.0,
            ingest_shift=0.021,
            ingest_shift_max=0.11,
            ingest_agreement=0.9688,
        ),
    )


def validation(names: Sequence[str]) -> Validation:
    """Evidence of validated data."""
    return Validation(
        schema="validation/1",
        classes=tuple(SideCount(label=name, train=1711, validation=187, test=423) for name in names),
        batches=(
            BatchCount(batch="first", role="train", photos=2051, quarantined=7, reasons={"damaged": 4, "empty": 3}),
            BatchCount(batch="park", role="acceptance", photos=240, quarantined=0, reasons={}),
        ),
        duplicates=31,
        conflicts=13,
        excluded=19,
        corrected=17,
        leaked=23,
        drift={"brightness": 0.037, "contrast": 0.052},
        checks=(Check(name="Label Drift", status="PASS", info="score 0.012 is under 0.2"),),
    )


def digest(text: str) -> str:
    """A SHA-256, as hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _frequencies(count: int) -> Floats:
    weights = np.linspace(1.4, 0.8, count)
    return np.asarray(weights / weights.sum(), np.float64)


def _ratio(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float:
    return float(part.sum() / max(1, whole.sum()))


def _f1(precision: float, recall: float) -> float:
    return 2 * precision * recall / max(1e-12, precision + recall)


def _covered(sure: Floats, hits: NDArray[np.bool_], threshold: float) -> Coverage:
    kept = sure >= threshold
    return Coverage(threshold=threshold, share=float(kept.mean()), accuracy=_ratio(hits & kept, kept))


def _bins(sure: Floats, hits: NDArray[np.bool_]) -> list[Confidence]:
    place = np.minimum((sure * 10).astype(int), 9)
    inside = [place == each for each in range(10)]
    return [
        Confidence(photos=int(each.sum()), confidence=float(sure[each].mean()), accuracy=float(hits[each].mean()))
        for each in inside
        if each.any()
    ]


def _curve(scores: Floats, positive: NDArray[np.bool_]) -> tuple[CurvePoint, ...]:
    edges = np.quantile(scores, np.linspace(0, 0.999, 60))
    kept = [scores >= edge for edge in edges]
    return tuple(
        CurvePoint(recall=_ratio(each & positive, positive), precision=_ratio(each & positive, each)) for each in kept
    )


def _parts(count: int, hits: NDArray[np.bool_], rng: np.random.Generator) -> list[tuple[str, str, Ints]]:
    dim = np.argsort(hits * 0.5 + rng.random(count), kind="stable")
    order = rng.permutation(count)
    third = count // 3
    return [
        ("brightness", "dark (under 0.31)", dim[:third]),
        ("brightness", "medium (0.31 to 0.57)", dim[third : 2 * third]),
        ("brightness", "bright (over 0.57)", dim[2 * third :]),
        ("shape", "landscape", order[: count * 7 // 10]),
        ("shape", "portrait", order[count * 7 // 10 : count * 19 // 20]),
        ("shape", "square", order[count * 19 // 20 :]),
        ("colour", "grey", order[::9]),
        ("colour", "colour", order[1::2]),
        ("batch", "pets-2026-01", order[::3]),
        ("batch", "pets-2026-02", order[1::3]),
        ("batch", "pets-2026-03", order[2::3]),
    ]
