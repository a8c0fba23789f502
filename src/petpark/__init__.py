"""petpark: a repository that is the whole MLOps system for image classification."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from petpark.classifier import Classifier, Prediction

__all__ = ["Classifier", "Prediction"]


def __getattr__(name: str) -> object:
    """Import the classifier on first use: `petpark --help` needs no onnxruntime."""
    if name in __all__:
        from petpark import classifier

        return getattr(classifier, name)
    raise AttributeError(f"module 'petpark' has no attribute {name!r}")
