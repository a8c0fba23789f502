"""What all evidence has in common: a frozen schema, a figure with its interval, and reading and writing."""

import json
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from petpark import files
from petpark.errors import DataError


class Fact(BaseModel):
    """A frozen piece of evidence; keys that a later version added are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Estimate(Fact):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


class Evidence(Fact):
    """The root of an evidence file."""

    @classmethod
    def parse(cls, value: object, where: str) -> Self:
        """Turn plain JSON into evidence.

        Raises:
            DataError: another schema, or something missing.
        """
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise DataError(f"{where} is no {cls.__name__.lower()} evidence: '{key}': {first['msg']}.") from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an evidence file.

        Raises:
            DataError: missing, no JSON, or not of this kind.
        """
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"{path} is missing: make it with `make run`.") from None
        except ValueError as error:
            raise DataError(f"{path} is no JSON ({error}): make it again with `make run`.") from None
        return cls.parse(value, str(path))

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        files.write_json(path, self.model_dump(mode="json", by_alias=True))
