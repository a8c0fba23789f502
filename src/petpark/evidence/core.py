"""What all evidence has in common: a frozen schema, figures within their bounds, and reading and writing."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from petpark import files
from petpark.errors import DataError

NOISE: Final = 1e-6  # float32 probabilities exceed 1 by less, and figures are rounded to as much

Count = Annotated[int, Field(ge=0, le=2**53)]
Fraction = Annotated[float, Field(ge=0, le=1 + NOISE)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Fact(BaseModel):
    """A frozen piece of evidence, taken literally; keys that a later version added are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)


class Estimate(Fact):
    """A figure with its 95 % interval, which holds it."""

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _inside(self) -> Self:
        if not self.low - NOISE <= self.value <= self.high + NOISE:
            raise ValueError(f"{self.value:g} lies outside its own interval, {self.low:g} to {self.high:g}")
        return self

    def __str__(self) -> str:
        return f"{self.value:.1%} ({self.low:.1%} to {self.high:.1%})"


def _from_0_to_1(found: Estimate) -> Estimate:
    return _bounded(found, 0, 1)


def _from_0_to_2(found: Estimate) -> Estimate:
    return _bounded(found, 0, 2)


def _from_0(found: Estimate) -> Estimate:
    return _bounded(found, 0, float("inf"))


def _between_shares(found: Estimate) -> Estimate:
    return _bounded(found, -1, 1)


def _bounded(found: Estimate, least: float, most: float) -> Estimate:
    if found.low < least - NOISE or found.high > most + NOISE:
        raise ValueError(f"{found.low:g} to {found.high:g} is not within {least:g} to {most:g}")
    return found


Share = Annotated[Estimate, AfterValidator(_from_0_to_1)]
Brier = Annotated[Estimate, AfterValidator(_from_0_to_2)]
Amount = Annotated[Estimate, AfterValidator(_from_0)]
Difference = Annotated[Estimate, AfterValidator(_between_shares)]


def unlike(names: Iterable[str]) -> None:
    """Refuse names of which two are the same (ValueError)."""
    seen = list(names)
    if twice := sorted({name for name in seen if seen.count(name) > 1}):
        raise ValueError(f"'{twice[0]}' comes twice")


class Evidence(Fact):
    """The root of an evidence file."""

    @classmethod
    def parse(cls, content: str | bytes, where: str) -> Self:
        """Turn JSON into evidence.

        Raises:
            DataError: no JSON, another schema or none, something missing, or figures that contradict each other.
        """
        kind = f"{where} is no {cls.__name__.lower()} evidence"
        try:
            found = cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            if first["type"] == "json_invalid":
                raise DataError(f"{where} is no JSON ({first['msg']}): make it again with `make run`.") from None
            key = ".".join(str(part) for part in first["loc"])
            message = (f"'{key}': " if key else "") + first["msg"].removeprefix("Value error, ")
            raise DataError(f"{kind}: {message}. Make it again with `make run`.") from None
        if "schema_" not in found.model_fields_set:
            raise DataError(f"{kind}: 'schema': Field required. Make it again with `make run`.")
        return found

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read an evidence file.

        Raises:
            DataError: missing, no JSON, or not of this kind.
        """
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise DataError(f"{path} is missing: make it with `make run`.") from None
        return cls.parse(content, str(path))

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        files.write_json(path, self.model_dump(mode="json", by_alias=True))
