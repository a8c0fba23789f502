"""Edits of YAML: what is meant changes, and no other byte does."""

from difflib import ndiff

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from petpark.build import yamledit

LIST = """# head
stages:
    train:   # the long one
        cmd:  "petpark train"
        deps:
        # photos
        -   lake/a/shard   # the first
        - src/x.py

        # between
        -   'lake/b/shard'
        - {src/y.py: {hash: md5}}
        # the end

    next: [1,   2]
"""
MAP = """ingest:
  batches:   # written by a command
    # from the gate
    fern: {sha256: 'ab',   role: train}   # kept

    moss:
      sha256: "cd"   # by hand
      role: acceptance
    # the last comment

split:
  x: 1
"""
DEPS = ("stages", "train", "deps")
BATCHES = ("ingest", "batches")


def is_lake(path: str) -> bool:
    return path.startswith("lake/")


def changed(before: str, after: str) -> list[str]:
    """The lines that came (+) and went (-)."""
    return [line.rstrip("\n") for line in ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]


def read(text: str) -> object:
    return YAML(typ="safe").load(text)


@pytest.mark.parametrize(
    ("wanted", "lines"),
    [
        (["a", "b"], []),
        (["a", "b", "c"], ["+         -   lake/c/shard"]),
        (["a", "c", "b"], ["+         -   lake/c/shard"]),
        (["c", "a", "b"], ["+         -   lake/c/shard"]),
        (["b"], ["-         -   lake/a/shard   # the first"]),
        (["c", "b"], ["-         -   lake/a/shard   # the first", "+         -   lake/c/shard"]),
        ([], ["-         -   lake/a/shard   # the first", "-         -   'lake/b/shard'"]),
    ],
)
def test_only_the_lines_of_items_that_come_or_go_change(wanted: list[str], lines: list[str]) -> None:
    paths = [f"lake/{name}/shard" for name in wanted]
    after = yamledit.set_items(LIST, DEPS, is_lake, paths)
    assert sorted(changed(LIST, after)) == sorted(lines)
    found = [each for each in read(after)["stages"]["train"]["deps"] if isinstance(each, str) and is_lake(each)]  # type: ignore[index]
    assert found == paths
    assert yamledit.set_items(after, DEPS, is_lake, paths) == after


def test_what_has_no_item_of_ours_gets_them_first() -> None:
    without = yamledit.set_items(LIST, DEPS, is_lake, [])
    after = yamledit.set_items(without, DEPS, is_lake, ["lake/p", "lake/q"])
    assert read(after)["stages"]["train"]["deps"] == ["lake/p", "lake/q", "src/x.py", {"src/y.py": {"hash": "md5"}}]  # type: ignore[index]


def test_a_list_in_brackets_is_written_out_where_it_changes_and_only_there() -> None:
    text = "s:\n  deps: [lake/a, x.py] # why\n  outs: [y]\n"
    assert yamledit.set_items(text, ("s", "deps"), is_lake, ["lake/a"]) == text
    after = yamledit.set_items(text, ("s", "deps"), is_lake, ["lake/a", "lake/b"])
    assert after == "s:\n  deps: # why\n    - lake/a\n    - lake/b\n    - x.py\n  outs: [y]\n"


def test_a_list_can_become_empty_and_fill_again() -> None:
    text = "s:\n  deps: # why\n    - lake/a\n  outs: [y]\n"
    empty = yamledit.set_items(text, ("s", "deps"), is_lake, [])
    assert empty == "s:\n  deps: [] # why\n  outs: [y]\n"
    assert yamledit.set_items(empty, ("s", "deps"), is_lake, ["lake/a"]) == text


names = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(names, names)
def test_from_any_list_to_any_other_nothing_else_moves(first: list[str], second: list[str]) -> None:
    text = LIST
    for wanted in (first, second):
        paths = [f"lake/{name}/shard" for name in wanted]
        text = yamledit.set_items(text, DEPS, is_lake, paths)
        deps = read(text)["stages"]["train"]["deps"]  # type: ignore[index]
        assert sorted(each for each in deps if is_lake(str(each))) == sorted(paths)
    lost = [line for line in LIST.splitlines() if "lake/" not in line and line not in text.splitlines()]
    assert lost == []


def test_a_missing_list_is_named() -> None:
    for keys in (("stages", "train", "outs"), ("stages", "fit", "deps"), ("stages", "train", "cmd"), ("x",)):
        with pytest.raises(KeyError) as error:
            yamledit.set_items(LIST, keys, is_lake, ["lake/a"])
        assert error.value.args == (keys,)


def test_a_new_entry_is_one_line_after_the_last() -> None:
    after = yamledit.put(MAP, BATCHES, "sedge", {"sha256": "'ef'", "role": "train"})
    assert changed(MAP, after) == ["+     sedge: {sha256: 'ef', role: train}"]
    assert list(read(after)["ingest"]["batches"]) == ["fern", "moss", "sedge"]  # type: ignore[index]


def test_an_entry_changes_in_its_place_whatever_its_form() -> None:
    after = yamledit.put(MAP, BATCHES, "fern", {"sha256": "'12'", "role": "acceptance"})
    assert changed(MAP, after) == [
        "-     fern: {sha256: 'ab',   role: train}   # kept",
        "+     fern: {sha256: '12',   role: acceptance}   # kept",
    ]
    after = yamledit.put(MAP, BATCHES, "moss", {"sha256": "'34'", "role": "acceptance"})
    assert changed(MAP, after) == ['-       sha256: "cd"   # by hand', "+       sha256: '34'   # by hand"]


def test_an_entry_that_lacks_a_field_is_written_anew() -> None:
    text = "b:\n  fern: {sha256: 'ab'} # kept\n"
    after = yamledit.put(text, ("b",), "fern", {"sha256": "'12'", "role": "train"})
    assert after == "b:\n  fern: {sha256: '12', role: train} # kept\n"


def test_an_entry_that_is_too_long_for_a_line_takes_several() -> None:
    name = "n" * 60
    after = yamledit.put(MAP, BATCHES, name, {"sha256": f"'{'a' * 64}'", "role": "train"})
    assert max(map(len, after.splitlines())) <= 120
    assert read(after)["ingest"]["batches"][name] == {"sha256": "a" * 64, "role": "train"}  # type: ignore[index]
    assert yamledit.drop(after, BATCHES, name) == MAP


def test_an_entry_goes_with_its_own_lines_alone() -> None:
    assert changed(MAP, yamledit.drop(MAP, BATCHES, "fern")) == ["-     fern: {sha256: 'ab',   role: train}   # kept"]
    assert changed(MAP, yamledit.drop(MAP, BATCHES, "moss")) == [
        "-     moss:",
        '-       sha256: "cd"   # by hand',
        "-       role: acceptance",
    ]


def test_the_last_entry_leaves_an_empty_mapping_that_takes_a_new_one() -> None:
    empty = yamledit.drop(yamledit.drop(MAP, BATCHES, "fern"), BATCHES, "moss")
    assert "  batches: {}   # written by a command\n" in empty
    assert read(empty)["ingest"]["batches"] == {}  # type: ignore[index]
    after = yamledit.put(empty, BATCHES, "sedge", {"role": "train"})
    assert read(after)["ingest"]["batches"] == {"sedge": {"role": "train"}}  # type: ignore[index]
    assert "  batches:   # written by a command\n    sedge: {role: train}\n" in after


def test_a_mapping_in_brackets_is_written_out_where_it_changes() -> None:
    text = "i:\n  b: {x: {r: 1}, y: {r: 2}} # c"
    assert yamledit.put(text, ("i", "b"), "z", {"r": "3"}) == (
        "i:\n  b: # c\n    x: {r: 1}\n    y: {r: 2}\n    z: {r: 3}"
    )
    assert yamledit.drop(text, ("i", "b"), "x") == "i:\n  b: # c\n    y: {r: 2}"


def test_an_entry_of_no_mapping_is_refused() -> None:
    with pytest.raises(KeyError):
        yamledit.put(MAP, ("ingest", "none"), "a", {})
    with pytest.raises(KeyError):
        yamledit.put(MAP, ("split", "x"), "a", {})
    with pytest.raises(KeyError):
        yamledit.drop(MAP, BATCHES, "sedge")


@pytest.mark.parametrize("name", ["2026", "2026-11-25", "1e3", "null", "true", "No", "on", "0x1f", "1.0", "1_000"])
def test_a_name_that_looks_like_something_else_is_quoted(name: str) -> None:
    after = yamledit.put("b: {}\n", ("b",), name, {"r": "1"})
    assert after == f"b:\n  '{name}': {{r: 1}}\n"
    assert read(after) == {"b": {name: {"r": 1}}}
    assert yamledit.drop(after, ("b",), name) == "b: {}\n"


def test_an_ordinary_name_is_not_quoted() -> None:
    assert yamledit.plain("park-2026.a_1") == "park-2026.a_1"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a: # c\n  x:   1 # one\n\n  y: 2\nb: 1\n", "a: # c\n  x:   7 # one\n\n  y: 2\n  new: no.1\nb: 1\n"),
        ("a: {x: 1, y: 2} # c\n", "a: # c\n  x: 7\n  y: 2\n  new: no.1\n"),
        ("a:\n  x:\n  y: 2", "a:\n  x: 7\n  y: 2\n  new: no.1"),
        ("a:\n  x: # nothing yet\n", "a:\n  x: 7 # nothing yet\n  new: no.1\n"),
        ("a: {}\nb: 1\n", "a:\n  x: 7\n  new: no.1\nb: 1\n"),
        ("a:\n  x: [1,\n    2] # two lines\n", "a:\n  x: 7 # two lines\n  new: no.1\n"),
    ],
)
def test_values_are_set_where_they_stand_and_new_ones_come_at_the_end(before: str, after: str) -> None:
    assert yamledit.set_values(before, ("a",), {"x": "7", "new": "no.1"}) == after


@pytest.mark.parametrize("text", ["b: 1\n", "a: [1]\n", "a: 1\n", ""])
def test_values_need_a_mapping(text: str) -> None:
    with pytest.raises(KeyError):
        yamledit.set_values(text, ("a",), {"x": "7"})
