"""`policy.yaml`: what the gates demand. Changing it trains nothing."""

from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from petpark.config.settings import Settings, parse, read_yaml
from petpark.layout import POLICY

_DEAREST: Final = 1e9  # beyond it a sum of costs over many photos would lose its digits


class Mistake(Settings):
    """What one kind of mistake costs."""

    label: str
    """What the photo shows."""
    predicted: str
    """What the model said."""
    cost: float = Field(ge=0, le=_DEAREST)
    """Cost of one such photo."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.label == self.predicted:
            raise ValueError(f"'{self.label}' for '{self.label}' is no mistake, and so has no price: remove it")
        return self


class Cost(Settings):
    """The cost matrix: turns mistakes into expected cost per 1,000 photos."""

    mistake: float = Field(1.0, ge=0, le=_DEAREST)
    """Cost of a mistake that is not listed below."""
    mistakes: Annotated[tuple[Mistake, ...], Field(strict=False)] = ()
    """Mistakes that cost more or less than the others."""

    @model_validator(mode="after")
    def _one_price_each(self) -> Self:
        pairs = [(each.label, each.predicted) for each in self.mistakes]
        for label, predicted in pairs:
            if pairs.count((label, predicted)) > 1:
                raise ValueError(f"the mistake '{predicted}' for '{label}' has more than one price: keep one of them")
        return self

    def matrix(self, labels: tuple[str, ...]) -> list[list[float]]:
        """Return the cost of each (label, predicted) pair, [K, K], zero on the diagonal."""
        special = {(each.label, each.predicted): each.cost for each in self.mistakes}
        return [
            [0.0 if true == guess else special.get((true, guess), self.mistake) for guess in labels] for true in labels
        ]


class PackagePolicy(Settings):
    """What the file that ships may lose on the way."""

    max_int8_loss: float = Field(0.005, ge=0, le=1)
    """Accuracy on the validation side that int8 may lose against fp32."""
    min_int8_agreement: float = Field(0.95, ge=0, le=1)
    """Share of golden rows to which int8 must give the label that fp32 gives."""
    max_parity_error: float = Field(0.001, ge=0, le=1)
    """Largest difference of a probability between torch and the fp32 file on the golden rows."""
    max_ingest_shift: float = Field(0.25, ge=0, le=1)
    """Largest mean difference of the probabilities between an original photo and its stored form."""


class ChampionPolicy(Settings):
    """When a new model may take the champion's place."""

    max_drop: float = Field(0.01, ge=0, le=1)
    """Accuracy that may be lost against the champion, even where the interval of the difference covers zero."""
    allow_tie: bool = True
    """Whether a model without a credible gain may be merged."""


class BuildPolicy(Settings):
    """What a model and its data must show before they may be merged."""

    min_photos_per_class: int = Field(50, ge=1)
    """Photos of each label in the training side."""
    max_class_ratio: float = Field(4.0, ge=1)
    """Most frequent label against the rarest, in the training side."""
    max_conflicting: float = Field(0.01, ge=0, le=1)
    """Share of photos that came under two labels."""
    max_quarantined: float = Field(0.05, ge=0, le=1)
    """Share of photos of one batch that could not be used."""
    max_drift: float = Field(0.2, ge=0, le=1)
    """Largest drift score between the training and the test side (deepchecks: 0 is none, 1 is apart)."""
    min_test_photos: int = Field(200, ge=1)
    """Photos on which a model must have been judged."""
    min_accuracy: float = Field(0.85, ge=0, le=1)
    """Lower end of the accuracy's interval."""
    min_recall: float = Field(0.75, ge=0, le=1)
    """Recall of the worst label."""
    max_recall_gap: float = Field(0.08, ge=0, le=1)
    """Difference between the best and the worst label's recall, where chance does not explain it."""
    max_rate_ratio: float = Field(1.15, ge=1)
    """How much more or less often than in truth a label may be predicted, where it is credible."""
    max_calibration_error: float = Field(0.15, ge=0, le=1)
    """Expected calibration error."""
    max_slice_drop: float = Field(0.15, ge=0, le=1)
    """How far the accuracy in a slice may credibly lie under the overall accuracy."""
    max_cost: float | None = Field(None, ge=0)
    """Expected cost per 1,000 photos; null asks for nothing."""
    champion: ChampionPolicy = ChampionPolicy()


class Policy(Settings):
    """Everything that the gates demand."""

    cost: Cost = Cost()
    package: PackagePolicy = PackagePolicy()
    build: BuildPolicy = BuildPolicy()


def load_policy(path: Path = POLICY) -> Policy:
    """Read `policy.yaml`.

    Raises:
        SettingsError: the file is missing or anything in it is unknown or wrong.
    """
    return parse(Policy, read_yaml(path), str(path))
