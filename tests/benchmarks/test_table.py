"""Results and the table that comes from them; the README's is as results.json gives it."""

import json
from pathlib import Path

import pytest
from benchmarks.harness import Spread

from benchmarks import __main__ as command
from benchmarks import harness, result, table

KEYS = ["row", "figure", "unit", "goal", "met", "limit", "peers", "spread", "date", "machine"]


def made(row: str = "ingest", figure: float = 0.85, *, met: bool = True) -> result.Result:
    return result.made(
        row,
        Spread(figure, 0.8, 0.91234567),
        "of the limit",
        goal="at least 0.8",
        met=met,
        limit="2,440 photos/s",
        pictures="9 drawn pictures",
        peers={"a script": Spread(2.1, 1.9, 2.3456789)},
    )


@pytest.mark.tree
def test_the_table_of_the_readme_is_what_results_json_gives() -> None:
    found = table.current(table.README.read_text())
    assert found == table.table(result.read()), "the README's table is old: run `make bench`"


@pytest.mark.tree
def test_committed_results_have_the_schema() -> None:
    for value in json.loads(result.RESULTS.read_text()):
        assert list(value) == KEYS
        assert value["row"] in table.TITLES
        low, high = value["spread"]
        assert low <= value["figure"] <= high
        assert isinstance(value["met"], bool)


@pytest.mark.tree
def test_every_row_has_a_module_and_a_section() -> None:
    sections = (harness.ROOT / "docs" / "benchmarks.md").read_text()
    for name in table.TITLES:
        assert (harness.ROOT / "benchmarks" / f"{name}.py").is_file()
        assert f"\n### {name}\n" in sections


def test_results_come_back_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    result.write([made(), made("noop")], path)
    assert result.read(path) == {"ingest": made(), "noop": made("noop")}
    assert list(json.loads(path.read_text())[0]) == KEYS


def test_there_are_no_results_before_the_first() -> None:
    assert result.read(Path("nowhere.json")) == {}


def test_digits_that_no_clock_can_give_are_left_out() -> None:
    assert made().spread == (0.8, 0.9123)
    assert made().peers == {"a script": (2.1, 1.9, 2.346)}


def test_a_result_says_where_and_with_which_pictures() -> None:
    assert made().machine.startswith(f"{harness.cores()} cores of ")
    assert made().machine.endswith("; 9 drawn pictures")


def test_a_row_shows_figure_goal_limit_and_peers_with_their_spread() -> None:
    text = table.table({"ingest": made()})
    assert (
        "| ingest of 500 x 375 photos | **0.85** of the limit (0.8 to 0.912) | at least 0.8: met | 2,440 photos/s "
        "| a script 2.1 (1.9 to 2.35) |"
    ) in text
    assert f"- `ingest`: {made().date}, {made().machine}." in text


def test_a_goal_that_is_missed_is_said() -> None:
    text = table.table({"ingest": made(met=False)})
    assert "| 0.85 of the limit" in text
    assert "at least 0.8: **not met** |" in text


def test_rows_stand_in_one_order_whatever_was_measured_last() -> None:
    text = table.table({"scale": made("scale"), "ingest": made()})
    assert text.index(table.TITLES["ingest"]) < text.index(table.TITLES["scale"])


def test_without_results_the_table_says_how_to_get_them() -> None:
    assert "make bench" in table.table({})


def test_a_table_goes_between_its_markers_and_changes_nothing_else() -> None:
    text = f"# a\n{table.BEGIN}\nold\nrows\n{table.END}\nb {table.END}\n"
    new = table.insert(text, "| \\1 new |\n")
    assert new == f"# a\n{table.BEGIN}\n| \\1 new |\n{table.END}\nb {table.END}\n"
    assert table.current(new) == "| \\1 new |\n"


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no line <!-- benchmarks -->"):
        table.insert("# a\n", "new\n")
    assert table.current("# a\n") == ""


@pytest.fixture
def readme(tmp_path: Path) -> Path:
    path = tmp_path / "README.md"
    path.write_text(f"{table.BEGIN}\n{table.END}\n")
    return path


def test_one_row_is_measured_and_the_others_are_kept(tmp_path: Path, readme: Path) -> None:
    results = tmp_path / "results.json"
    command.main([], results, readme, made)
    first = result.read(results)
    command.main(["noop"], results, readme, lambda row: made(row, 0.9))
    second = result.read(results)
    assert list(first) == list(second) == list(table.TITLES)
    assert [name for name in first if first[name] != second[name]] == ["noop"]
    assert table.current(readme.read_text()) == table.table(second)


def test_rows_that_were_measured_stay_though_a_later_one_fails(tmp_path: Path, readme: Path) -> None:
    def how(row: str) -> result.Result:
        if row == "noop":
            raise RuntimeError("the lock is stale")
        return made(row)

    with pytest.raises(RuntimeError, match="stale"):
        command.main(["ingest", "noop"], tmp_path / "results.json", readme, how)
    assert list(result.read(tmp_path / "results.json")) == ["ingest"]
    assert "ingest of" in readme.read_text()


def test_an_unknown_row_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        command.main(["speed"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "no row speed" in said
    assert all(name in said for name in table.TITLES)
