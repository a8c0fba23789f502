"""`params.yaml` as a whole.

Stages read their own section from the module of that section, so that a new setting of one stage makes no other
stage run again; whoever needs to know all of them reads this.
"""

from pathlib import Path

from pydantic import Field

from petpark.config.evaluate import EvaluateSettings
from petpark.config.ingest import IngestSettings
from petpark.config.package import PackageSettings
from petpark.config.settings import Settings, parse, read_yaml
from petpark.config.split import SplitSettings
from petpark.config.train import TrainSettings
from petpark.config.tune import TuneSettings
from petpark.config.validate import ValidateSettings
from petpark.layout import PARAMS


class Params(Settings):
    """Everything that the pipeline can be told."""

    seed: int = Field(0, ge=0, le=2**32 - 1)
    """Seed of everything drawn at random."""
    ingest: IngestSettings
    split: SplitSettings
    validate_: ValidateSettings = Field(alias="validate")
    train: TrainSettings
    tune: TuneSettings = TuneSettings()
    package: PackageSettings
    evaluate: EvaluateSettings


def load_params(path: Path = PARAMS) -> Params:
    """Read `params.yaml`.

    Raises:
        SettingsError: the file is missing or anything in it is unknown or wrong.
    """
    return parse(Params, read_yaml(path), str(path))
