"""The winner's way into `params.yaml`: the searched settings of `train`, and no other byte."""

import difflib
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from petpark import files
from petpark.build import yamledit
from petpark.config.settings import read_yaml
from petpark.errors import SettingsError
from petpark.layout import PARAMS


def write(values: Mapping[str, Any]) -> str:
    """Write values into the section `train` of `params.yaml`.

    Returns:
        what changed, as a diff; nothing where the file says so already.

    Raises:
        SettingsError: the file is missing, or written in a way that cannot be edited.
    """
    meant = read_yaml(PARAMS)
    text = PARAMS.read_text(encoding="utf-8")
    train = meant.get("train")
    changes = {name: value for name, value in values.items() if not isinstance(train, dict) or train.get(name) != value}
    try:
        new = yamledit.set_values(text, ("train",), {name: _written(value) for name, value in changes.items()})
        _check(YAML(typ="safe").load(new), {**meant, "train": {**meant["train"], **changes}})
    except (KeyError, TypeError, ValueError, YAMLError):
        listed = ", ".join(f"{name}: {_written(value)}" for name, value in values.items())
        raise SettingsError(
            f"{PARAMS}: section 'train' is written in a way that petpark cannot edit; write it yourself: {listed}."
        ) from None
    if not changes:
        return ""
    files.write_text(PARAMS, new)
    lines = difflib.unified_diff(text.splitlines(), new.splitlines(), str(PARAMS), str(PARAMS), n=0, lineterm="")
    return "\n".join(lines)


def _check(found: object, meant: object) -> None:
    """No edit is believed: what the new text says must be what was meant."""
    if found != meant:
        raise ValueError


def _written(value: Any) -> str:
    """A value as YAML that every reader takes for the same."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return yamledit.plain(value)
    mantissa, exponent, power = repr(value).partition("e")
    return f"{mantissa}{'' if '.' in mantissa else '.0'}{exponent}{power}" if exponent else mantissa
