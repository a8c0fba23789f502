"""Package: from trained weights to the one file that ships, and how far its forms agree."""

import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from petpark import files, fingerprint, golden, images, lake, layout, metrics, shards
from petpark.build import export, networks, pixels
from petpark.build.index import index
from petpark.card import ModelCard
from petpark.classifier import Classifier
from petpark.config.package import PackageSettings
from petpark.errors import DataError, ModelError
from petpark.evidence.package import GoldenRows, Package, Variant

_FEATURES = 2048  # training photos that the embedding's projection is fitted on
_TIMINGS = 40
_GOLDEN = 64
_GOLDEN_BYTES = 16_000_000  # golden rows travel with every release

Name = Literal["fp32", "int8"]
Wanted = Literal["auto", "fp32", "int8"]


@dataclass(frozen=True)
class _Form:
    """One form of the model, opened, with its answers on the validation side."""

    name: Name
    path: Path
    classifier: Classifier
    validation: NDArray[np.float32]
    figures: Variant


def package(settings: PackageSettings, max_int8_loss: float, batches: Sequence[str], seed: int) -> None:
    """Export, quantise, choose the variant and its threshold, and write model, golden rows, index and evidence.

    Args:
        settings: the stage's settings.
        max_int8_loss: accuracy on the validation side that the policy lets int8 lose.
        batches: names of the training batches, whose originals become golden rows.
        seed: picks the photos that ranges are measured on.

    Raises:
        ModelError: the weights file is not what `train` writes or belongs to another lake, or int8 is demanded and
            cannot be made.
        DataError: the lake is incomplete.
    """
    card, network = _trained(layout.WEIGHTS)
    size, labels = card.image_size, card.labels
    photos = _photos(labels)
    originals = _originals(batches)
    sample = _sample(lake.side(photos, "train"), max(_FEATURES, settings.calibration_photos), size, seed)
    validation = lake.side(photos, "validation")
    seen, truth = pixels.load(validation, size, "validation"), validation.targets(labels)
    with tempfile.TemporaryDirectory(dir=_scratch()) as scratch:
        model = export.wrap(network, sample[:_FEATURES])
        paths, refusal = _export(model, size, sample[: settings.calibration_photos], Path(scratch), settings.variant)
        forms = _open(paths, card, seen, truth)
        chosen, why = _choose(forms, settings.variant, max_int8_loss, refusal)
        threshold = metrics.choose_threshold(truth, chosen.validation, settings.sure_accuracy)
        export.stamp(chosen.path, replace(card, threshold=threshold, variant=chosen.name))
        rows, agreement = _agreement(model, forms, chosen, photos, originals)
        golden.write(rows)
        with files.whole(layout.MODEL) as partial:
            partial.write_bytes(chosen.path.read_bytes())
    index(photos, settings.index_photos)
    facts = Package(
        architecture=card.architecture,
        sha256=files.sha256(layout.MODEL),
        image_size=size,
        parameters=sum(weight.numel() for weight in network.parameters()),
        variants=tuple(form.figures for form in forms.values()),
        chosen=chosen.name,
        why=why,
        threshold=threshold,
        golden=agreement,
    )
    facts.write(layout.PACKAGE)
    print(f"{layout.MODEL}: {chosen.name}, {why}; sure from a confidence of {threshold:.2f}")


def _scratch() -> Path:
    layout.SCRATCH.mkdir(exist_ok=True)
    return layout.SCRATCH


def _trained(path: Path) -> tuple[ModelCard, networks.Network]:
    """What `train` wrote, as a network and the card of its file (threshold and variant are not known yet)."""
    if not path.is_file():
        raise ModelError(f"{path} is missing: fetch it with `dvc pull {path}`, or make it with `dvc repro train`.")
    try:
        trained: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        model, size = trained["settings"]["model"], trained["settings"]["image_size"]
        code = fingerprint.code(trained["code"])
        card = ModelCard(tuple(trained["labels"]), size, 0.0, model, "fp32", trained["data"], code)
        network = networks.build(model, len(card.labels))
        network.load_state_dict(trained["state"])
    except Exception as error:  # noqa: BLE001 - torch raises what the damage happens to hit
        reason = (str(error) or type(error).__name__).splitlines()[0][:120]
        raise ModelError(f"{path} is not what `petpark train` writes ({reason}): run `dvc repro -f train`.") from None
    return card, network


def _photos(labels: tuple[str, ...]) -> lake.Photos:
    photos = lake.read_split()
    if (found := lake.labels(photos)) != labels:
        raise ModelError(
            f"{layout.WEIGHTS} knows the labels {', '.join(labels)}, and the lake holds {', '.join(found)}: "
            "run `dvc repro train`."
        )
    return photos


def _sample(photos: lake.Photos, count: int, size: int, seed: int) -> images.Pixels:
    """A random sample of photos, prepared; where it is cut short it is a random sample again."""
    rows = np.random.default_rng(seed).permutation(len(photos))[:count]
    return pixels.load(photos.take(rows), size, "sample")


def _export(
    model: export.Exported, size: int, calibration: images.Pixels, folder: Path, wanted: Wanted
) -> tuple[dict[Name, Path], str]:
    """Write the forms that are wanted; where int8 is none of them, the text says why."""
    fp32, int8 = folder / "fp32.onnx", folder / "int8.onnx"
    export.to_onnx(model, size, fp32)
    if wanted == "fp32":
        return {"fp32": fp32}, "not asked for"
    try:
        export.to_int8(fp32, calibration, int8)
    except ModelError as error:
        if wanted == "int8":
            raise ModelError(f"package.variant: {error}: set it to auto or fp32.") from None
        return {"fp32": fp32}, str(error)
    return {"fp32": fp32, "int8": int8}, ""


def _open(paths: dict[Name, Path], card: ModelCard, seen: images.Pixels, truth: NDArray[np.int64]) -> dict[Name, _Form]:
    """Open the forms, and judge each on the validation side."""
    for path in paths.values():
        export.stamp(path, card)
    times = _milliseconds([Classifier(path, threads=1) for path in paths.values()], seen[:1])
    forms = {}
    for (name, path), milliseconds in zip(paths.items(), times, strict=True):
        form = Classifier(path)
        answers, _ = form.run(seen)
        figures = Variant(
            name=name,
            bytes=path.stat().st_size,
            milliseconds=round(milliseconds, 3),
            accuracy=float((answers.argmax(1) == truth).mean()),
        )
        forms[name] = _Form(name, path, form, answers, figures)
    return forms


def _milliseconds(opened: Sequence[Classifier], photo: images.Pixels) -> list[float]:
    """Median time of one photo on one thread, in alternating runs."""
    times: list[list[float]] = [[] for _ in opened]
    for _ in range(_TIMINGS):
        for form, taken in zip(opened, times, strict=True):
            start = time.perf_counter()
            form.run(photo)
            taken.append(1000 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]


def _choose(forms: dict[Name, _Form], wanted: Wanted, max_loss: float, refusal: str = "") -> tuple[_Form, str]:
    """Pick the form that ships, and say why; `refusal` says why there is no int8."""
    if wanted != "auto":
        return forms[wanted], "as params.yaml asks"
    if "int8" not in forms:
        return forms["fp32"], refusal
    fp32, int8 = forms["fp32"].figures, forms["int8"].figures
    loss, gain = fp32.accuracy - int8.accuracy, fp32.milliseconds / int8.milliseconds
    if loss > max_loss:
        return forms["fp32"], f"int8 would lose {loss:.1%} of accuracy ({max_loss:.1%} are allowed)"
    if gain <= 1:
        return forms["fp32"], f"int8 is no faster ({gain:.2f} times)"
    return forms["int8"], f"int8 is {gain:.1f} times as fast and loses {max(loss, 0):.1%} of accuracy"


def _originals(batches: Sequence[str]) -> dict[str, bytes]:
    """Golden photos by id: the smallest ids of each label, equally many of each, about 64 and 16 MB in all."""
    tables = [shards.read_table(layout.originals(batch), shards.ORIGINALS) for batch in batches]
    rows = sorted(row for table in tables for row in zip(*(table.column(i).to_pylist() for i in range(3)), strict=True))
    labels = {label for _, label, _ in rows}
    if not rows:
        raise DataError("No batch holds an original for the golden rows: add photos of at most 2 MB each.")
    most, room = max(1, _GOLDEN // len(labels)), _GOLDEN_BYTES // len(labels)
    taken, filled = Counter[str](), Counter[str]()
    chosen: dict[str, bytes] = {}
    for photo_id, label, image in rows:
        fits = not taken[label] or (taken[label] < most and filled[label] + len(image) <= room)
        if fits and photo_id not in chosen:
            taken[label] += 1
            filled[label] += len(image)
            chosen[photo_id] = image
    return chosen


def _agreement(
    model: export.Exported, forms: dict[Name, _Form], chosen: _Form, photos: lake.Photos, originals: dict[str, bytes]
) -> tuple[golden.GoldenRows, GoldenRows]:
    """Run the originals through every form, and through ingest's stored form."""
    prepared = np.stack([chosen.classifier.prepare(photo) for photo in originals.values()])
    answers = {form.name: form.classifier.run(prepared)[0] for form in forms.values()}
    fp32, int8 = answers["fp32"], answers.get("int8")
    shift, same = _shift(list(originals), answers[chosen.name], chosen, photos)
    return golden.GoldenRows(tuple(originals), tuple(originals.values()), answers[chosen.name]), GoldenRows(
        photos=len(originals),
        torch_fp32=_gap(model.run(prepared), fp32),
        fp32_int8=None if int8 is None else _gap(fp32, int8),
        int8_agreement=None if int8 is None else float((fp32.argmax(1) == int8.argmax(1)).mean()),
        ingest_shift=float(shift.mean()),
        ingest_shift_max=float(shift.max()),
        ingest_agreement=same,
    )


def _gap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    return float(np.abs(one - other).max())


def _shift(
    ids: list[str], answers: NDArray[np.float32], chosen: _Form, photos: lake.Photos
) -> tuple[NDArray[np.float32], float]:
    """How far the answers on the stored photos [n] lie from those on the originals, and the share of equal labels."""
    place = {photo_id: row for row, photo_id in enumerate(ids)}
    rows = {photo_id: row for row, photo_id in enumerate(photos.ids) if photo_id in place}
    stored = photos.take(np.array(list(rows.values()), np.int64))
    original = answers[[place[photo_id] for photo_id in rows]]
    again, _ = chosen.classifier.run(pixels.load(stored, chosen.classifier.size, "stored"))
    return np.abs(original - again).max(1), float((original.argmax(1) == again.argmax(1)).mean())
