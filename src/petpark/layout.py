"""Where everything lies, from the root of the repository."""

from pathlib import Path

PARAMS = Path("params.yaml")
POLICY = Path("policy.yaml")
CORRECTIONS = Path("corrections.csv")

DATA = Path("data")
LAKE = Path("lake")
MODELS = Path("models")
REPORTS = Path("reports")

SPLIT = LAKE / "split.parquet"
WEIGHTS = MODELS / "model.pt"
MODEL = MODELS / "model.onnx"
GOLDEN = MODELS / "golden.parquet"
TRAINING = REPORTS / "training"
VALIDATION = REPORTS / "validation.json"
PACKAGE = REPORTS / "package.json"
EVALUATION = REPORTS / "evaluation.json"
COMPARISON = REPORTS / "comparison.json"
PREDICTIONS = REPORTS / "predictions.parquet"

SCRATCH = Path(".petpark")  # checkpoints and caches: ours to lose, never an output of a stage


def archive(batch: str) -> Path:
    """The batch as it arrived: a tar of `label/name.jpg`."""
    return DATA / f"{batch}.tar"


def manifest(batch: str) -> Path:
    """One row a photo of the batch."""
    return LAKE / batch / "manifest.parquet"


def shard(batch: str) -> Path:
    """The batch's photos at the stored size, a folder of Parquet parts."""
    return LAKE / batch / "shard"


def originals(batch: str) -> Path:
    """A few of the batch's photos as they arrived: the material of golden rows."""
    return LAKE / batch / "originals.parquet"
