"""The build manifest: which version of what a wheel or a container holds, and the answer of `GET /version`."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from petpark import embedded, files
from petpark.errors import SetupError
from petpark.evidence.core import Count, Evidence, Fraction, Sha256

VERSION: Final = r"^[0-9]+(\.[0-9]+)*((a|b|rc)[0-9]+)?(\.post[0-9]+)?(\.dev[0-9]+)?(\+[a-z0-9]+(\.[a-z0-9]+)*)?$"
"""The normal form of PEP 440; no epoch, which nobody uses."""

Commit = Annotated[str, Field(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})$")]


class BuildManifest(Evidence):
    """What a build consists of. It holds no time: the same commit and model give the same bytes."""

    schema_: Literal["build/1"] = Field("build/1", alias="schema")
    version: str = Field(pattern=VERSION)
    commit: Commit
    data: str
    """Fingerprint of the split that the model was trained on."""
    model: Sha256
    """SHA-256 of the model file."""
    labels: tuple[str, ...]
    image_size: Count
    architecture: str
    variant: str
    threshold: Fraction


def of(model: Path, version: str, commit: str) -> BuildManifest:
    """Describe a build.

    Args:
        model: the packaged file that goes in.
        version: of the build, in the normal form of PEP 440.
        commit: full hash of the commit that it is built from.

    Raises:
        ModelError: the model is missing, or no file that petpark packaged.
        SetupError: the version is none.
    """
    if not re.fullmatch(VERSION, version):
        raise SetupError(f"'{version}' is no version: write it like 1.2.0 or 1.2.0rc1.")
    from petpark.classifier import Classifier  # here: who only reads a manifest needs no onnxruntime

    card = Classifier(model, threads=1).card
    return BuildManifest(
        schema="build/1",
        version=version,
        commit=commit,
        data=card.data,
        model=files.sha256(model),
        labels=card.labels,
        image_size=card.image_size,
        architecture=card.architecture,
        variant=card.variant,
        threshold=card.threshold,
    )


def carried() -> BuildManifest | None:
    """Read the manifest that this installation carries; None where it is a checkout.

    Raises:
        DataError: the manifest is damaged.
    """
    path = embedded.carried(embedded.MANIFEST)
    return BuildManifest.read(path) if path else None
