"""Slices: for which photos the model is better, and for which worse."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from petpark import lake, metrics
from petpark.evidence.evaluation import Slice

_GREY = 0.02  # mean spread of the colour channels under which a photo counts as grey
_THIRDS = {
    "brightness": ("dark", "medium", "bright"),
    "contrast": ("flat", "medium", "contrasty"),
    "size": ("small", "medium", "large"),
}


def slices(photos: lake.Photos, hits: NDArray[np.bool_]) -> tuple[Slice, ...]:
    """Accuracy on parts of the photos, by what they look like and where they came from.

    Args:
        photos: N photos.
        hits: [N] whether the answer was right.
    """
    return tuple(
        Slice(name=name, value=value, photos=int(inside.sum()), accuracy=metrics.share_interval(hits[inside]))
        for name, value, inside in _parts(photos)
        if inside.any()
    )


def _parts(photos: lake.Photos) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    width, height = (photos.column(name).astype(np.float64) for name in ("width", "height"))
    figures = {
        "brightness": photos.column("brightness").astype(np.float64),
        "contrast": photos.column("contrast").astype(np.float64),
        "size": np.sqrt(width * height),
    }
    for name, values in figures.items():
        yield from _thirds(name, values, _THIRDS[name], "px" if name == "size" else "")
    shape = np.where(width > 1.1 * height, 0, np.where(height > 1.1 * width, 2, 1))
    for number, value in enumerate(("landscape", "square", "portrait")):
        yield "shape", value, shape == number
    grey = photos.column("saturation").astype(np.float64) < _GREY
    yield "colour", "grey", grey
    yield "colour", "colour", ~grey
    batches = photos.column("batch")
    for batch in sorted(set(batches.tolist())):
        yield "batch", batch, np.asarray(batches == batch)


def _thirds(
    name: str, values: NDArray[np.float64], words: Sequence[str], unit: str
) -> Iterator[tuple[str, str, NDArray[np.bool_]]]:
    """Thirds of the photos by one figure; equal figures stay together, so a part may be empty."""
    low, high = np.quantile(values, [1 / 3, 2 / 3])
    form = f"{low:.0f} {unit}", f"{high:.0f} {unit}"
    if not unit:
        form = f"{low:.2f}", f"{high:.2f}"
    yield name, f"{words[0]} (under {form[0]})", values < low
    yield name, f"{words[1]} ({form[0]} to {form[1]})", (values >= low) & (values <= high)
    yield name, f"{words[2]} (over {form[1]})", values > high
