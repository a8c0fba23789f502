"""Evaluate: judge the packaged file on the test side, and show its mistakes."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from petpark import explain, files, images, lake, layout, metrics, nearest, predictions
from petpark.build import pixels
from petpark.build.answers import Answers, ask
from petpark.build.slices import slices
from petpark.classifier import Classifier
from petpark.config.evaluate import EvaluateSettings
from petpark.errors import DataError
from petpark.evidence.evaluation import Evaluation, Mistake, ModelFacts
from petpark.report.page import Case, Neighbour, render

_PAGE = layout.REPORTS / "evaluation.html"
_SHOWN = 4  # nearest training photos beside each mistake
_MISTAKES = 1000  # of the evidence
_CURVE = np.linspace(0, 1, 51)  # thresholds of the unsure curve
_HEAT = 192  # long side of an occlusion map in pixels

CostMatrix = Callable[[tuple[str, ...]], list[list[float]]]


def evaluate(settings: EvaluateSettings, cost: CostMatrix, seed: int) -> None:
    """Judge the packaged model on the test side, and write predictions, evidence and the page.

    Args:
        settings: the stage's settings.
        cost: the policy's cost matrix for given labels.
        seed: of the bootstrap.

    Raises:
        ModelError: the model is missing or was not packaged by petpark.
        DataError: the lake is incomplete, or holds labels that the model does not know.
    """
    classifier = Classifier(layout.MODEL)
    photos = lake.read_split()
    _check_labels(classifier, photos)
    answers = ask(classifier, lake.side(photos, "test"), "test")
    found = _evidence(classifier, answers, settings, cost(classifier.labels), seed)
    known = ask(classifier, _reference(photos, settings.neighbours), "training photos")
    page = render(found, list(_gallery(classifier, found.mistakes[: settings.gallery], answers, known)))
    truth = answers.photos.targets(classifier.labels)
    said = predictions.Predictions(tuple(answers.photos.ids), classifier.labels, truth, answers.probabilities)
    predictions.write(said, layout.PREDICTIONS)
    files.write_text(_PAGE, page)
    found.write(layout.EVALUATION)
    print(f"accuracy {found.accuracy} on {found.photos} test photos; {_PAGE} shows more")


def _check_labels(classifier: Classifier, photos: lake.Photos) -> None:
    if classifier.labels != lake.labels(photos):
        raise DataError(
            f"{layout.MODEL} knows {', '.join(classifier.labels)}, the lake {', '.join(lake.labels(photos))}: "
            "train again with `dvc repro`."
        )


def _reference(photos: lake.Photos, most: int) -> lake.Photos:
    """Training photos among which to look for similar ones: those with the smallest ids."""
    side = lake.side(photos, "train")
    return side.take(np.argsort(np.array(side.ids), kind="stable")[:most])


def _evidence(
    classifier: Classifier, answers: Answers, settings: EvaluateSettings, cost: list[list[float]], seed: int
) -> Evaluation:
    labels, probabilities = classifier.labels, answers.probabilities
    truth = answers.photos.targets(labels)
    measured = metrics.measure(truth, probabilities, labels, cost, resamples=settings.resamples, seed=seed)
    return Evaluation(
        **dict(measured),
        model=_facts(classifier),
        sure=metrics.coverage(truth, probabilities, [classifier.card.threshold])[0],
        coverage=metrics.coverage(truth, probabilities, _CURVE.tolist()),
        reliability=metrics.reliability(truth, probabilities),
        curves=metrics.precision_recall(truth, probabilities, labels),
        slices=slices(answers.photos, probabilities.argmax(1) == truth),
        mistakes=tuple(_mistakes(answers, truth, labels)),
    )


def _facts(classifier: Classifier) -> ModelFacts:
    return ModelFacts(
        sha256=files.sha256(layout.MODEL),
        bytes=layout.MODEL.stat().st_size,
        image_size=classifier.size,
        labels=classifier.labels,
        threshold=classifier.card.threshold,
        data=classifier.card.data,
        code=classifier.card.code,
    )


def _mistakes(answers: Answers, truth: NDArray[np.int64], labels: tuple[str, ...]) -> Iterator[Mistake]:
    """Wrong answers, the most confident first; evidence is committed, so not without end."""
    confidence, said = answers.probabilities.max(1), answers.probabilities.argmax(1)
    wrong = np.flatnonzero(said != truth)
    ids, batches = answers.photos.ids, answers.photos.column("batch")
    for row in sorted(wrong.tolist(), key=lambda row: (-confidence[row], ids[row]))[:_MISTAKES]:
        yield Mistake(
            id=ids[row],
            batch=str(batches[row]),
            label=labels[truth[row]],
            predicted=labels[said[row]],
            confidence=round(float(confidence[row]), 5),
        )


def _gallery(classifier: Classifier, mistakes: Sequence[Mistake], answers: Answers, known: Answers) -> Iterator[Case]:
    """Mistakes, each with its occlusion map and the training photos that look alike to it."""
    place = {photo_id: row for row, photo_id in enumerate(answers.photos.ids)}
    rows = np.array([place[mistake.id] for mistake in mistakes], np.int64)
    photos = _jpegs(answers.photos, rows)
    near, cosines = nearest.most_similar(answers.embeddings[rows], known.embeddings, _SHOWN)
    pictures = _jpegs(known.photos, np.unique(near))
    ids, labels = known.photos.ids, known.photos.column("label").tolist()
    for number, (row, mistake) in enumerate(zip(rows.tolist(), mistakes, strict=True)):
        neighbours = tuple(
            Neighbour(pictures[each], labels[each], ids[each], round(float(cosine), 4))
            for each, cosine in zip(near[number].tolist(), cosines[number], strict=True)
        )
        yield Case(mistake, photos[row], _heat(classifier, photos[row], mistake.predicted), neighbours)


def _jpegs(photos: lake.Photos, rows: NDArray[np.int64]) -> dict[int, bytes]:
    """Stored photos by row."""
    return {int(rows[place]): jpeg for place, jpeg in photos.take(rows).stored()}


def _heat(classifier: Classifier, jpeg: bytes, predicted: str) -> bytes:
    """A photo under its occlusion map (PNG)."""
    square = pixels.square(jpeg, classifier.size)
    falls = explain.occlusion(classifier, square, classifier.labels.index(predicted))
    photo = images.decode(jpeg)
    scale = _HEAT / max(photo.width, photo.height)
    return explain.overlay(square, falls, round(photo.width * scale), round(photo.height * scale))
