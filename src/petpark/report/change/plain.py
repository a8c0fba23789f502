"""YAML from a stranger as plain values, and as settings by their full names.

The settings of a change may be those of a later version of the code, so they are not held to today's types.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

from petpark.errors import DataError
from petpark.report.scales import said

Plain = Mapping[str, Any]

_DEEPEST: Final = 20
_MOST: Final = 20_000  # settings


def mapping(content: bytes, where: str) -> Plain:
    """Read a YAML mapping without references, which could make a small file a large one.

    Raises:
        DataError: it is none, or too deep or too long to be settings.
    """
    try:
        text = content.decode()
        _check(text, where)
        value = YAML(typ="safe").load(text)
    except (YAMLError, ValueError, TypeError, OverflowError, RecursionError, AttributeError) as error:
        why = " ".join(str(error).split())[:160]
        raise DataError(f"{where} is not YAML ({type(error).__name__}: {why}): correct it.") from None
    if not isinstance(value, Mapping):
        raise DataError(f"{where} must hold settings by name, and holds {type(value).__name__}.")
    if len(flat(value)) > _MOST:
        raise DataError(f"{where} holds more than {_MOST:,} settings: nobody could review them.")
    return value


def _check(text: str, where: str) -> None:
    """Refuse what takes long to load: 100,000 opening brackets take minutes."""
    depth = 0
    for event in YAML(typ="safe").parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > _DEEPEST:
            raise DataError(f"{where} is nested more than {_DEEPEST} levels deep: it holds no settings.")
        if isinstance(event, AliasEvent):
            raise DataError(f"{where} uses references (`*name`): write out what they stand for.")


def flat(values: Plain) -> dict[str, str]:
    """Each setting by its full name, as it would be written."""
    return dict(_leaves(values, ()))


def _leaves(values: Plain, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = (*above, said(key))
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, name)
        else:
            yield ".".join(name), _written(value)


def _written(value: Any) -> str:
    if isinstance(value, set):
        value = sorted(map(said, value))
    if isinstance(value, list | tuple | dict):
        return json.dumps(value, default=str, ensure_ascii=False, skipkeys=True)
    return said(value)
