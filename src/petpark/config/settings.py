"""How settings files are read: strictly, and with one clear sentence when they are wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from petpark.errors import SettingsError

S = TypeVar("S", bound="Settings")


class Settings(BaseModel):
    """Frozen, strict, and closed to unknown keys."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML mapping.

    Raises:
        SettingsError: the file is missing, no YAML, or no mapping.
    """
    try:
        value = YAML(typ="safe").load(path)
    except FileNotFoundError:
        raise SettingsError(f"{path} is missing: run this from the repository's root, or restore the file.") from None
    except YAMLError as error:
        words = " ".join(str(error).split()).partition(" To suppress this check")[0]
        raise SettingsError(f"{path} is not YAML: {words}") from None
    except RecursionError:
        raise SettingsError(f"{path} is nested too deeply to be settings: restore the file.") from None
    if not isinstance(value, Mapping):
        raise SettingsError(f"{path} must hold settings by name, and holds {type(value).__name__}.")
    return dict(value)


def parse(kind: type[S], value: Any, where: str) -> S:
    """Turn plain values into typed settings.

    Raises:
        SettingsError: names the first wrong key and what was expected.
    """
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        errors = sorted(error.errors(), key=lambda each: each["type"] != "extra_forbidden")  # a typo explains the rest
        first, key = errors[0], ".".join(str(part) for part in errors[0]["loc"])
        if first["type"] == "extra_forbidden":
            raise SettingsError(
                f"{where}: unknown key '{key}'. Remove it, or correct its name (docs/parameters.md lists all)."
            ) from None
        if first["type"] == "missing":
            raise SettingsError(f"{where}: '{key}' is missing. docs/parameters.md says what it may be.") from None
        raise SettingsError(
            f"{where}: '{key}': {first['msg'].removeprefix('Value error, ')} (found {repr(first['input'])[:80]}). "
            "docs/parameters.md says what is possible."
        ) from None


def load(path: Path, section: str, kind: type[S]) -> S:
    """Read one section of a settings file.

    Raises:
        SettingsError: the file or the section is missing or wrong.
    """
    values = read_yaml(path)
    if section not in values:
        raise SettingsError(f"{path}: section '{section}' is missing. docs/parameters.md lists what belongs in it.")
    return parse(kind, values[section], f"{path}: {section}")
