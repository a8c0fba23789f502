"""Compare: the model of a Git revision against the one at hand, on photos that neither was trained on."""

import hashlib
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from petpark import files, lake, layout, metrics, predictions, shards
from petpark.build import pixels, repository, revisions
from petpark.build.repository import LOCK
from petpark.classifier import Classifier
from petpark.config.policy import Cost
from petpark.errors import DataError, ModelError, PetparkError, SetupError
from petpark.evidence.build import Comparison
from petpark.predictions import Predictions

_NEEDED: Final = (layout.MODEL, layout.PREDICTIONS, layout.SPLIT)


class NoChampionError(PetparkError):
    """There is nothing to compare with; the message is the end of a sentence."""


@dataclass(frozen=True)
class _Champion:
    """What a revision left behind: its model file, its answers, and the ids that it learned from."""

    name: str
    model: Path
    answers: Predictions
    learned: frozenset[str]


def compare(revision: str, cost: Cost, seed: int, resamples: int = 1000) -> Comparison | None:
    """Compare the model at hand with the champion, the model that `dvc.lock` of a Git revision names.

    Both answer the photos of today's test side by today's labels. Photos that the champion learned from, or that look
    like one of those, are left out; its answers are those of its own predictions file, and only photos that are not
    in there are shown to its model.

    Args:
        revision: Git revision of the champion.
        cost: prices mistakes.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Returns:
        the comparison, or None where the revision has the same model.

    Raises:
        NoChampionError: the revision left no model to compare with, or one that learned from the whole test side.
        DataError: no such revision, or something of the champion cannot be fetched.
        SetupError: Git is missing, or this is no Git repository.
    """
    commit = revisions.commit(revision)
    if commit is None:
        raise NoChampionError("this repository has no commit yet")
    then, now = _outputs(revisions.content(commit, LOCK)), _outputs(_text(LOCK))
    if missing := [str(path) for path in _NEEDED if path not in then]:
        raise NoChampionError(f"{LOCK} of {revision} names no {missing[0]}")
    if then[layout.MODEL] == now.get(layout.MODEL):
        return None
    _bring([layout.PREDICTIONS, layout.SPLIT])
    answers, split = predictions.read(layout.PREDICTIONS), lake.read_split()
    with tempfile.TemporaryDirectory() as folder:
        champion = _champion(commit, then, Path(folder))
        fair = _fair(answers, split, champion.learned)
        known = _answers(champion, [answers.ids[row] for row in np.flatnonzero(fair).tolist()], split)
        rows = np.array([row for row in np.flatnonzero(fair).tolist() if answers.ids[row] in known], np.int64)
        if not len(rows):
            raise NoChampionError(f"the champion of {revision} learned from every photo of the test side")
        gain = _gain(answers, rows, [known[answers.ids[row]] for row in rows.tolist()], cost, (resamples, seed))
        return Comparison(
            champion=champion.name,
            champion_model=files.sha256(champion.model),
            photos=len(rows),
            seen=int((~fair).sum()),
            champion_accuracy=gain.champion_accuracy,
            challenger_accuracy=gain.challenger_accuracy,
            accuracy_gain=gain.accuracy,
            cost_gain=gain.cost,
        )


def _gain(
    answers: Predictions, rows: NDArray[np.int64], given: list[str], cost: Cost, bootstrap: tuple[int, int]
) -> metrics.Gain:
    """Compare the challenger's answers with those given by the champion, by the names of their labels."""
    labels = (*answers.labels, *sorted(set(given) - set(answers.labels)))
    index = {label: place for place, label in enumerate(labels)}
    champion = np.array([index[label] for label in given], np.int64)
    resamples, seed = bootstrap
    return metrics.paired_gain(
        answers.truth[rows], champion, answers.predicted[rows], cost.matrix(labels), resamples=resamples, seed=seed
    )


def _fair(answers: Predictions, split: lake.Photos, learned: frozenset[str]) -> NDArray[np.bool_]:
    """[N] whether neither a photo nor one that looks like it was learned from."""
    group = dict(zip(split.ids, split.table.column("group").to_pylist(), strict=True))
    known = {number for photo_id, number in group.items() if photo_id in learned}
    return np.array([photo_id not in learned and group.get(photo_id) not in known for photo_id in answers.ids], bool)


def _answers(champion: _Champion, ids: list[str], split: lake.Photos) -> dict[str, str]:
    """The champion's label of each photo; new photos are left out where this version cannot run its model."""
    old = champion.answers
    known = {photo_id: old.labels[place] for photo_id, place in zip(old.ids, old.predicted.tolist(), strict=True)}
    new = set(ids) - known.keys()
    if not new:
        return known
    try:
        classifier = Classifier(champion.model)
    except ModelError as error:
        print(f"{len(new)} photos that are new to the champion are left out, because it cannot be asked: {error}")
        return known
    test = lake.side(split, "test")
    photos = test.take(np.array([row for row, photo_id in enumerate(test.ids) if photo_id in new], np.int64))
    _bring(layout.shard(batch) for batch in sorted(set(photos.column("batch").tolist())))
    places = classifier.run(pixels.load(photos, classifier.size, "new photos"))[0].argmax(axis=1).tolist()
    return known | {photo_id: classifier.labels[place] for photo_id, place in zip(photos.ids, places, strict=True)}


def _champion(commit: str, outputs: Mapping[Path, str], folder: Path) -> _Champion:
    """Fetch what a revision left behind into a folder."""
    model, answers, split = (folder / path.name for path in _NEEDED)
    _fetch(commit, {path: outputs[path] for path in _NEEDED}, folder)
    rows = shards.read_table(split, pa.schema([lake.SPLIT.field(name) for name in ("id", "side")])).to_pylist()
    learned = frozenset(row["id"] for row in rows if row["side"] in ("train", "validation"))
    return _Champion(commit[:12], model, predictions.read(answers), learned)


def _fetch(commit: str, wanted: Mapping[Path, str], folder: Path) -> None:
    """Fetch outputs of a revision from DVC's cache or its remote, and check them against their MD5."""
    repository.quieten()
    from dvc.api import DVCFileSystem

    for path, md5 in wanted.items():
        try:
            DVCFileSystem(".", rev=commit).get_file(str(path), str(folder / path.name))
        except Exception as error:  # noqa: BLE001 - each kind of remote raises classes of its own
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise DataError(
                f"{path} of revision {commit[:12]} is in neither DVC's cache nor its remote ({reason}): "
                "`dvc push` it where it was made."
            ) from None
        if hashlib.md5((folder / path.name).read_bytes(), usedforsecurity=False).hexdigest() != md5:
            raise DataError(f"{path} of revision {commit[:12]} came damaged from DVC's remote: `dvc push` it again.")


def _bring(paths: Iterable[Path]) -> None:
    """Fetch outputs of the pipeline at hand that are not here: a clone with a fresh lock has none of them."""
    missing = [path for path in paths if not path.exists()]
    if not missing:
        return
    try:
        with repository.opened() as repo:
            repo.pull([str(path) for path in missing])
    except (SetupError, OSError):
        names = " ".join(map(str, missing))
        raise DataError(f"{names} cannot be fetched: make it with `dvc repro`, or `dvc push` it elsewhere.") from None


def _outputs(lock: str | None) -> dict[Path, str]:
    """The MD5 of each output that a dvc.lock names."""
    try:
        stages = (YAML(typ="safe").load(lock or "") or {}).get("stages", {})
        return {
            Path(out["path"]): out["md5"] for stage in stages.values() for out in stage.get("outs", ()) if "md5" in out
        }
    except (YAMLError, AttributeError, TypeError, KeyError, RecursionError):
        raise DataError(f"{LOCK} cannot be read: restore it with `git checkout {LOCK}`, or run `dvc repro`.") from None


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None
