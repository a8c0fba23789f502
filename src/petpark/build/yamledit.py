"""Edits of YAML texts that leave every other byte alone: comments, order, quotes, spaces.

ruamel.yaml tells where each value stands, and the text around it is not written anew. Only a list or mapping in
brackets becomes one of a line an item where it changes.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, SequenceNode

Keys = tuple[str, ...]
_WIDTH: Final = 120
_OLD_TRUTH: Final = re.compile(
    r"(y|yes|n|no|on|off)$", re.IGNORECASE
)  # what readers of YAML 1.1 take for true or false


class _Place(NamedTuple):
    key: Node
    value: Node

    @property
    def indent(self) -> str:
        """Where the items of this key begin."""
        return " " * (int(self.key.start_mark.column) + 2)


def has(text: str, keys: Keys) -> bool:
    """Whether a text holds something under these keys."""
    return _find(text, keys) is not None


def set_items(text: str, keys: Keys, ours: Callable[[str], bool], wanted: Sequence[str]) -> str:
    """Make a list hold the wanted items, and no other of ours; whatever stays keeps its place.

    A new item comes after its forerunner among the wanted ones, or before the first of ours.

    Raises:
        KeyError: there is no such list.
    """
    place = _found(text, keys)
    if not isinstance(place.value, SequenceNode):
        raise KeyError(keys)
    if {node.value for node in place.value.value if _is_ours(node, ours)} == set(wanted):
        return text
    text = _on_lines(text, place)
    place = _found(text, keys)
    nodes, key_line = _children(place.value), _line(text, place.key.end_mark.index)
    lines = text.split("\n")
    line_of = {node.value: _line(text, node.start_mark.index) for node in nodes if _is_ours(node, ours)}
    first = _line(text, nodes[0].start_mark.index) if nodes else key_line + 1
    dash = lines[first][: nodes[0].start_mark.column] if nodes else f"{place.indent}- "
    gone = {line for value, line in line_of.items() if value not in wanted}
    new, above = defaultdict(list), min(line_of.values(), default=first) - 1
    for value in wanted:
        above = line_of.get(value, above)
        if value not in line_of:
            new[above].append(f"{dash}{value}")
    if len(gone) == len(nodes) and not new:
        lines[key_line] = _with_value(lines[key_line], place, "[]")
    return "\n".join(_merged(lines, gone, new))


def put(text: str, keys: Keys, key: str, fields: Mapping[str, str]) -> str:
    """Give the mapping under `keys` an entry, or change the one that it has; `fields` are YAML as it will stand there.

    Raises:
        KeyError: there is no such mapping.
    """
    old = _find(text, (*keys, key))
    if old is None:
        return _insert(text, keys, partial(_entry, key, fields))
    inner = {each.value: value for each, value in old.value.value} if isinstance(old.value, MappingNode) else {}
    if inner.keys() >= fields.keys():
        changes = [(inner[name].start_mark.index, inner[name].end_mark.index, value) for name, value in fields.items()]
    else:
        indent = " " * old.key.start_mark.column
        changes = [(old.key.start_mark.index, _end(old.value), _entry(key, fields, indent).lstrip())]
    for start, end, value in sorted(changes, reverse=True):
        text = text[:start] + value + text[end:]
    return text


def set_values(text: str, keys: Keys, values: Mapping[str, str]) -> str:
    """Give the mapping under `keys` these values, YAML as it will stand there; what it lacks comes at its end.

    Raises:
        KeyError: there is no such mapping.
    """
    for name, value in values.items():
        old = _find(text, (*keys, name))
        if old is None:
            text = _insert(text, keys, partial(_pair, name, value))
        elif old.value.start_mark.index == _end(old.value):  # nothing stands there, which means null
            after = text.index(":", old.key.end_mark.index) + 1
            text = f"{text[:after]} {value}{text[after:]}"
        else:
            text = f"{text[: old.value.start_mark.index]}{value}{text[_end(old.value) :]}"
    return text


def drop(text: str, keys: Keys, key: str) -> str:
    """Take an entry out of the mapping under `keys`; its own comments go with it, those above it stay.

    Raises:
        KeyError: there is no such entry.
    """
    _found(text, (*keys, key))
    text = _on_lines(text, _found(text, keys))
    place, old = _found(text, keys), _found(text, (*keys, key))
    lines = text.split("\n")
    gone = range(_line(text, old.key.start_mark.index), _line(text, _end(old.value)) + 1)
    if len(place.value.value) == 1:
        here = _line(text, place.key.end_mark.index)
        lines[here] = _with_value(lines[here], place, "{}")
    return "\n".join(_merged(lines, set(gone), {}))


def plain(value: str) -> str:
    """Write a text as a YAML value: in quotes only where it would be read as something else."""
    return value if YAML(typ="safe").load(value) == value and not _OLD_TRUTH.match(value) else f"'{value}'"


def _insert(text: str, keys: Keys, entry: Callable[[str], str]) -> str:
    """Put an entry, written for its indent, at the end of a mapping."""
    if not isinstance(_found(text, keys).value, MappingNode):
        raise KeyError(keys)
    text = _on_lines(text, _found(text, keys))
    place = _found(text, keys)
    entries = _children(place.value)
    indent = " " * entries[0][0].start_mark.column if entries else place.indent
    after = _line(text, _end(entries[-1][1]) if entries else place.key.end_mark.index)
    return "\n".join(_merged(text.split("\n"), set(), {after: [entry(indent)]}))


def _pair(name: str, value: str, indent: str) -> str:
    return f"{indent}{plain(name)}: {value}"


def _entry(key: str, fields: Mapping[str, str], indent: str) -> str:
    pairs = [f"{name}: {value}" for name, value in fields.items()]
    line = f"{indent}{plain(key)}: {{{', '.join(pairs)}}}"
    return (
        line if len(line) <= _WIDTH else "\n".join([f"{indent}{plain(key)}:", *(f"{indent}  {pair}" for pair in pairs)])
    )


def _on_lines(text: str, place: _Place) -> str:
    """Turn a list or mapping in brackets into one of a line an item; one of none leaves its key alone."""
    node = place.value
    if not isinstance(node, CollectionNode) or not node.flow_style:
        return text
    dash = "- " if isinstance(node, SequenceNode) else ""
    ends = [(each[0], each[-1]) if isinstance(each, tuple) else (each, each) for each in node.value]
    items = [text[first.start_mark.index : _end(last)] for first, last in ends]
    head, rest = text[: node.start_mark.index].rstrip(" "), text[node.end_mark.index :]
    comment, newline, tail = rest.partition("\n")
    return head + comment.rstrip() + "".join(f"\n{place.indent}{dash}{item}" for item in items) + newline + tail


def _with_value(line: str, place: _Place, value: str) -> str:
    colon = line.index(":", place.key.end_mark.column) + 1
    return f"{line[:colon]} {value}{line[colon:]}"


def _merged(lines: list[str], gone: set[int], new: Mapping[int, list[str]]) -> list[str]:
    merged: list[str] = []
    for number, line in enumerate(lines):
        merged += [] if number in gone else [line]
        merged += new.get(number, [])
    return merged


def _found(text: str, keys: Keys) -> _Place:
    place = _find(text, keys)
    if place is None:
        raise KeyError(keys)
    return place


def _find(text: str, keys: Keys) -> _Place | None:
    node: Any = YAML(pure=True).compose(text)
    place = None
    for key in keys:
        entries = node.value if isinstance(node, MappingNode) else ()
        place = next((_Place(*entry) for entry in entries if entry[0].value == key), None)
        if place is None:
            return None
        node = place.value
    return place


def _children(node: Node) -> list[Any]:
    return list(node.value) if isinstance(node, CollectionNode) else []


def _is_ours(node: Node, ours: Callable[[str], bool]) -> bool:
    return isinstance(node.value, str) and ours(node.value)


def _end(node: Node) -> int:
    """Where a value ends; ruamel.yaml takes the blank lines and comments after it along."""
    if isinstance(node, CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[-1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _line(text: str, index: int) -> int:
    return text.count("\n", 0, index)
