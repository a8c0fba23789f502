"""What an installation of petpark carries beside its code: the wheel of `make wheel` brings a model along."""

from pathlib import Path
from typing import Final

from petpark.errors import ModelError

FOLDER: Final = "_embedded"  # within the package; only a wheel has it
MODEL: Final = "model.onnx"
INDEX: Final = "index.parquet"
MANIFEST: Final = "build.json"

_HERE: Final = Path(__file__).parent


def model() -> Path:
    """Return the path of the model that this installation carries.

    Raises:
        ModelError: it carries none, as a checkout does not.
    """
    if (path := carried(MODEL)) is None:
        raise ModelError(
            "This installation of petpark carries no model: install the wheel that `make wheel` makes, or name a file, "
            'as in Classifier("models/model.onnx").'
        )
    return path


def carried(name: str) -> Path | None:
    """Return the path of a file that this installation carries: MODEL, INDEX or MANIFEST; None where it does not."""
    path = _HERE / FOLDER / name
    return path if path.is_file() else None
