"""The documents that are made from the code: `python -m petpark.config.document FOLDER` writes them there."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from petpark import files, layout
from petpark.config.params import Params
from petpark.config.policy import Policy
from petpark.config.serve import PREFIX, ServeSettings
from petpark.config.settings import Settings
from petpark.images import REASONS

_ROOTS: dict[Path, type[Settings]] = {layout.PARAMS: Params, layout.POLICY: Policy}
_PLAIN = {bool: "`true` or `false`", int: "whole number", float: "number", str: "text"}
_NOTE = "<!-- Made by `make docs` from the code; change that, not this. -->\n"


def documents() -> dict[str, str]:
    """Return the text of each document by its file name."""
    return {"parameters.md": parameters(), "quarantine.md": quarantine()}


def parameters() -> str:
    """Every setting of `params.yaml` and `policy.yaml`: what it may be, its default, and what it means."""
    parts = [
        _NOTE,
        "# Settings\n",
        "A key that is not listed here is an error, and so is a value of another type. In `params.yaml` each section",
        "belongs to the stage of its name, and `tune` to none: a changed setting makes that stage run again, and what",
        "depends on it.\n",
    ]
    for path, kind in _ROOTS.items():
        parts += [f"## `{path}`\n", *_section(kind, "")]
    parts += ["## Environment of the service\n", *_variables(ServeSettings)]
    return "\n".join(parts).rstrip() + "\n"


def quarantine() -> str:
    """Why a photo may be left out."""
    return "\n".join(
        [
            _NOTE,
            "# Quarantine\n",
            "A photo that cannot be used stops nothing: `ingest` leaves it out and writes the reason into the batch's",
            "manifest. `policy.yaml: build.max_quarantined` says what share of a batch may end here.\n",
            "| reason | what was found |",
            "|---|---|",
            *(f"| `{reason}` | {_cell(text)} |" for reason, text in REASONS.items()),
            "",
        ]
    )


def settings(kind: type[Settings], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Yield every setting of a section that is no section itself, by its full name."""
    for name, field in _named(kind, prefix):
        if not _is_settings(field.annotation):
            yield name, field
        if inner := _inner(field.annotation):
            yield from settings(inner, _inner_prefix(name, field.annotation))


def values(annotation: Any, constraints: list[Any]) -> str:
    """Say in words what a setting may be."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        own = [each.metadata if isinstance(each, FieldInfo) else [each] for each in arguments[1:]]
        return values(arguments[0], sum(own, constraints))
    if origin in (Union, UnionType):
        known = [values(each, constraints) for each in arguments if each is not NoneType]
        return ", or ".join([*known, "`null`"] if NoneType in arguments else known)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin is dict:
        return "settings by name"
    if origin is tuple:
        return "list"
    return ", ".join([_PLAIN[annotation], *_limits(constraints)])


def _section(kind: type[Settings], prefix: str) -> Iterator[str]:
    """Yield a section's sentence, the table of its settings, and the sections in it."""
    yield f"{_first_line(kind)}\n"
    fields = list(_named(kind, prefix))
    rows = [_row(name, field) for name, field in fields if not _is_settings(field.annotation)]
    if rows:
        yield from ("| setting | values | default | meaning |", "|---|---|---|---|", *rows, "")
    for name, field in fields:
        if inner := _inner(field.annotation):
            below = _inner_prefix(name, field.annotation)
            yield f"#{'#' * (2 + name.count('.'))} `{below}`\n"
            yield from _section(inner, below)


def _variables(kind: type[Settings]) -> Iterator[str]:
    yield f"{_first_line(kind)}\n"
    yield from ("| variable | values | default | meaning |", "|---|---|---|---|")
    for name, field in kind.model_fields.items():
        yield _row(f"{PREFIX}{name.upper()}", field)


def _named(kind: type[Settings], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for attribute, field in kind.model_fields.items():
        name = field.alias or attribute
        yield (f"{prefix}.{name}" if prefix else name), field


def _row(name: str, field: FieldInfo) -> str:
    words = values(field.annotation, field.metadata)
    return f"| `{name}` | {_cell(words)} | {_default(field)} | {_cell(field.description or '')} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "none: must be given"
    return f"`{json.dumps(field.get_default(call_default_factory=True, validated_data={}))}`"


def _limits(constraints: list[Any]) -> Iterator[str]:
    found = {
        name: getattr(each, name)
        for each in constraints
        for name in ("ge", "gt", "le", "lt", "pattern")
        if getattr(each, name, None) is not None
    }
    if found.keys() >= {"ge", "le"}:
        yield f"{found.pop('ge')} to {found.pop('le')}"
    words = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}", "pattern": "matching `{}`"}
    yield from (words[name].format(value) for name, value in found.items())


def _is_settings(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Settings)


def _inner(annotation: Any) -> type[Settings] | None:
    """Return the section that a setting holds: itself, or what it lists."""
    if _is_settings(annotation):
        return annotation  # type: ignore[no-any-return] # as just asked
    return next((inner for each in get_args(annotation) if (inner := _inner(each))), None)


def _inner_prefix(name: str, annotation: Any) -> str:
    return name + {dict: ".<name>", tuple: "[]"}.get(get_origin(annotation) or annotation, "")


def _first_line(kind: type[Settings]) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def main(folder: Path) -> None:
    """Write every document into a folder."""
    for name, text in documents().items():
        files.write_text(folder / name, text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
