"""A hostile side, as a whole: its report is harmless text, fits, and comes quickly."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from petpark import layout
from petpark.evidence.build import BuildEvidence
from petpark.evidence.run import Run
from petpark.evidence.validation import BatchCount, SideCount
from petpark.report.change import html, limits, links
from petpark.report.change.compose import Report, compose
from petpark.report.change.limits import MARKER
from tests.report import made
from tests.report.change import rendered, sides
from tests.report.change.sides import LOSSES, lay, old, photo
from tests.report.change.test_markdown import NASTY
from tests.report.test_page import Page

NAMES = tuple(dict.fromkeys(NASTY))
LINKS = (links.checked("full report", "https://github.com/o/r/actions/runs/1"),)


def evidence(names: tuple[str, ...], photos: int) -> BuildEvidence:
    """Evidence in which every name that a stranger can give is one of these."""
    evaluation = made.evaluation(names, photos, seed=3)
    parts = tuple(
        each.model_copy(update={"name": name, "value": name})
        for each, name in zip(evaluation.slices, names, strict=False)
    )
    classes = tuple(SideCount(label=name, train=9, validation=1, test=1) for name in names)
    batches = tuple(BatchCount(batch=name, role="train", photos=5, quarantined=1, reasons={name: 1}) for name in names)
    validation = made.validation(names).model_copy(update={"classes": classes, "batches": batches})
    return BuildEvidence(
        evaluation=evaluation.model_copy(update={"slices": parts}), package=made.package(), validation=validation
    )


def told(folder: Path, found: BuildEvidence) -> Report:
    """The report of a change from healthy evidence to this, with its names in settings, policy and corrections too."""
    names = found.evaluation.model.labels
    params = json.dumps({name[:500] or "empty": {name[:500] or "empty": name} for name in names})
    lines = "".join(f"{photo(place)},{json.dumps(name)}\n" for place, name in enumerate(names) if name.isprintable())
    corrections = "id,label\n" + lines.replace('\\"', '""').replace("\\\\", "\\")
    head = sides.head(lay(folder / "head", found, params, params, corrections, LOSSES))
    run = Run(minutes=dict.fromkeys(names, 1.0), runner=names[-1] or "x")
    return compose(sides.base(lay(folder / "base", old(), curves=LOSSES)), head, names[0], run, LINKS)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The report of a side in which every name is nasty."""
    return told(tmp_path_factory.mktemp("nasty"), evidence(NAMES, 2000))


def test_every_name_in_a_report_is_text(report: Report) -> None:
    for limit in (limits.COMMENT, limits.SUMMARY):
        text = limits.fit(report.blocks, limit, LINKS[0])
        found = rendered.page(text.replace(MARKER, ""))
        assert {tag for tag, *_ in found.elements} <= rendered.OURS
        assert {each["href"] for each in found.all("a")} == {LINKS[0].address}
        assert not rendered.automatic(found)
        assert text.count("<!--") == (limit is limits.COMMENT)
        assert "mermaid" not in {line.strip("`") for line in text.splitlines() if line.startswith("``` ")}
        for inside, data in found.texts:
            assert "\u202e" not in data, inside


def test_no_name_gets_into_a_chart(report: Report) -> None:
    text = limits.fit(report.blocks, limits.SUMMARY)
    charts = [part.partition("```")[0] for part in text.split("```mermaid\n")[1:]]
    assert len(charts) == 4
    for chart in charts:
        head, kind, *rows = chart.splitlines()
        assert (head[:8], kind) == ("%%{init:", "xychart-beta")
        assert not [row for row in rows if set(row) - set(' abcdefghijklmnopqrstuvwxyz-0123456789.,[]>"')]


def test_the_page_of_a_hostile_side_is_text_too(report: Report) -> None:
    found = Page(html.render(report))
    assert not {"script", "img", "b0", "iframe", "object"} & {tag for tag, *_ in found.elements}
    assert {each["href"] for each in found.all("a")} == {LINKS[0].address}
    for _, attributes, _ in found.elements:
        assert not [name for name in attributes if name == "src" or name.startswith("on")]


def test_many_labels_with_endless_names_fit_and_come_quickly(tmp_path: Path) -> None:
    short, long = made.labels(60), [f"{place:04} {'|`@x ' * 250}" for place in range(60)]
    text = evidence(short, 800).model_dump_json(by_alias=True)
    for name, other in zip(sorted(short, key=len, reverse=True), long, strict=True):
        text = text.replace(json.dumps(name), json.dumps(other))
    report = told(tmp_path, BuildEvidence.model_validate_json(text))
    begin = time.monotonic()
    comment, summary = (limits.fit(report.blocks, limit, LINKS[0]) for limit in (limits.COMMENT, limits.SUMMARY))
    page = html.render(report)
    assert time.monotonic() - begin < 10
    assert len(comment.encode("utf-16-le")) // 2 <= 65_536
    assert len(summary.encode()) <= 1 << 20
    assert len(page) < 3 << 20
    assert comment.startswith("## ")
    assert comment.endswith(f"{MARKER}\n")


@pytest.mark.parametrize(
    "forged",
    [
        {"photos": 10**9},
        {"confusion": [[450, 0, 0], [0, 0, 0], [0, 0, 0]]},
        {"recall_gap": {"value": 0, "low": 0, "high": 0.001}, "classes": []},
        {"model": {"sha256": "../../x"}},
        {"cost": {"value": -5, "low": -5, "high": -5}},
        {"accuracy": {"value": 1e999, "low": 1, "high": 1}},
    ],
)
def test_forged_evidence_gives_no_report(forged: dict[str, Any], tmp_path: Path) -> None:
    folder = lay(tmp_path, sides.new())
    sides.edited(folder / layout.EVALUATION, forged)
    with pytest.raises(Exception, match=r"reports/evaluation\.json of the head is no") as error:
        sides.head(folder)
    assert type(error.value).__name__ == "DataError"
