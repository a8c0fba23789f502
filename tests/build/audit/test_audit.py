"""The whole audit: what the terminal says, the page, the proposal, and the way into corrections.csv."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from petpark import layout
from petpark.build import corrections
from petpark.build.audit.audit import PAGE, audit
from petpark.build.audit.proposal import PROPOSED
from petpark.cli import main
from petpark.config.ingest import IngestSettings
from petpark.config.train import TrainSettings
from petpark.errors import DataError
from tests.build.audit import planted
from tests.build.audit.planted import identity
from tests.build.lakes import copy
from tests.test_documents import commands, understands

ROOT = Path(__file__).parents[3]
MOVES = {"ash/003.jpg": "beech", "beech/007.jpg": "cedar", "cedar/011.jpg": "ash", "cedar/012.jpg": "beech"}
CUT = planted.photo("beech", 901)[:-400]
BOTH = planted.photo("beech", 900)


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, IngestSettings]:
    """A folder with a lake in which one of everything is planted; to be left as it is."""
    folder = tmp_path_factory.mktemp("audit")
    members = {
        **planted.swapped(planted.clean(), MOVES),
        "ash/empty.jpg": b"",
        "beech/cut.jpg": CUT,
        "ash/both.jpg": BOTH,
        "beech/both.jpg": BOTH,
        "cedar/<b>black.jpg": planted.blank(2),
        "cedar/again.jpg": planted.photo("cedar", 0),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        settings = planted.lake(park=members)
        planted.model()
    return folder, settings


@pytest.fixture
def settings(grown: tuple[Path, IngestSettings], workspace: Path) -> IngestSettings:
    """The lake, in the current folder."""
    copy(grown[0], workspace)
    return grown[1]


class Page(HTMLParser):
    """What of a page matters: places, links, pictures, and whatever would be fetched or run."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.places: list[str] = []
        self.links: list[str] = []
        self.pictures: list[dict[str, str]] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.add(tag)
        self.places += [values["id"]] if "id" in values else []
        self.links += [values["href"]] if "href" in values else []
        self.pictures += [values] if tag == "img" else []

    def handle_data(self, data: str) -> None:
        self.text += data


def page() -> Page:
    return Page(PAGE.read_text())


def test_the_page_shows_every_kind_with_reasons_and_ids(settings: IngestSettings) -> None:
    audit(settings, TrainSettings(), 60)
    shown = page()
    assert {"batches", "suspects", "blank", "conflicts", "doubtful", "quarantine", "proposed"} <= {*shown.places}
    for photo_id in corrections.read(PROPOSED):
        assert shown.text.count(photo_id) >= 2  # on its card and in the list
        assert photo_id[:12] in shown.text
    for words in ("damaged", "empty", "ash / beech", "nearly one colour", "looks like"):
        assert words in shown.text
    assert identity(CUT)[:12] in shown.text


def test_the_page_is_one_file_that_fetches_and_runs_nothing(settings: IngestSettings) -> None:
    audit(settings, TrainSettings(), 60)
    shown = page()
    assert not {"script", "link", "iframe", "object"} & shown.tags
    assert all(each["src"].startswith("data:image/jpeg;base64,") for each in shown.pictures)
    assert all(each["alt"] for each in shown.pictures)
    assert {link.removeprefix("#") for link in shown.links} <= {*shown.places}
    assert len(shown.places) == len({*shown.places})
    text = PAGE.read_text()
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert "<b>black" not in text, "names are escaped"


def test_a_sheet_shows_no_more_photos_than_asked_for(settings: IngestSettings) -> None:
    audit(settings, TrainSettings(), 1)
    few = page()
    assert "And 1 more." in few.text
    audit(settings, TrainSettings(), 0)
    assert page().pictures == []
    audit(settings, TrainSettings(), 60)
    assert len(page().pictures) > len(few.pictures)


def test_the_terminal_sums_it_up(settings: IngestSettings) -> None:
    lines = audit(settings, TrainSettings(), 60).splitlines()
    assert lines[0] == "park (train): 126 photos: 2 in quarantine, 1 duplicate, 2 conflict"
    assert lines[1] == "  quarantine: damaged 1, empty 1"
    assert "122 labels examined, by the features of models/model.onnx, which was trained on these labels:" in lines
    assert any(re.fullmatch(r"  \d probably wrong, \d+ doubtful", line) for line in lines)
    assert "1 photo of nearly one colour" in lines
    assert "1 photo under several labels, 0 groups of look-alikes with several labels" in lines
    proposed = len(corrections.read(PROPOSED))
    assert f"{PAGE} shows them; {PROPOSED} proposes {proposed} lines." in lines
    assert len(lines) <= 12


def test_the_same_lake_gives_the_same_bytes_whether_features_are_kept_or_not(settings: IngestSettings) -> None:
    said, written = set(), set()
    for kept in (True, True, False):
        if not kept:
            shutil.rmtree(layout.SCRATCH / "features")
        said.add(audit(settings, TrainSettings(), 60))
        written.add((PAGE.read_bytes(), PROPOSED.read_bytes()))
    assert len(said) == len(written) == 1


def test_an_audit_changes_no_correction(settings: IngestSettings) -> None:
    audit(settings, TrainSettings(), 60)
    assert not layout.CORRECTIONS.exists()


def test_without_the_archive_the_rest_is_shown_and_it_is_said_what_to_fetch(settings: IngestSettings) -> None:
    audit(settings, TrainSettings(), 60)
    with_archive = page()
    layout.archive("park").unlink()
    audit(settings, TrainSettings(), 60)
    without = page()
    assert "fetch it with `dvc pull data/park.tar`" in without.text
    assert len(without.pictures) == len(with_archive.pictures) - 1
    assert "damaged" in without.text


def test_without_a_model_it_is_said_that_labels_were_not_examined(settings: IngestSettings) -> None:
    layout.MODEL.unlink()
    assert "Labels were not examined: train.weights is null" in audit(settings, TrainSettings(), 60)
    assert "Labels were not examined" in page().text
    assert identity(planted.blank(2)) in corrections.read(PROPOSED)


def test_a_clean_lake_with_nothing_in_quarantine_gives_an_empty_proposal(workspace: Path) -> None:
    planted.model()
    said = audit(planted.lake(park=planted.clean(20)), TrainSettings(), 60)
    assert "park (train): 60 photos" in said.splitlines()
    assert PROPOSED.read_text() == "id,label\n"
    assert "There is none." in page().text
    assert "proposed" not in page().places


def test_a_review_that_has_begun_is_not_written_over(settings: IngestSettings) -> None:
    audit(settings, TrainSettings(), 60)
    before = PAGE.read_bytes()
    PROPOSED.write_text("".join(PROPOSED.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(DataError, match="was edited"):
        audit(settings, TrainSettings(), 5)
    assert PAGE.read_bytes() == before


def test_the_command_line_goes_all_the_way_to_a_better_split(
    settings: IngestSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "audit"]) == 0
    assert str(PAGE) in capsys.readouterr().out
    *lines, last = PROPOSED.read_text().splitlines(keepends=True)
    PROPOSED.write_text("".join(lines))  # a review takes one out
    assert main(["data", "audit"]) == 2
    assert "was edited" in capsys.readouterr().err
    assert main(["data", "audit", "--apply"]) == 0
    assert f"{len(lines) - 1} lines added" in capsys.readouterr().out
    settled = corrections.read()
    assert last.partition(",")[0] not in settled
    planted.resplit(settings)
    assert main(["data", "audit", "--shown", "3"]) == 0
    assert not settled.keys() & corrections.read(PROPOSED).keys()
    assert last.partition(",")[0] in corrections.read(PROPOSED)


def test_apply_without_a_proposal_is_one_sentence(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "audit", "--apply"]) == 2
    assert capsys.readouterr().err.startswith("petpark: reports/corrections.proposed.csv is missing")


@pytest.mark.tree
def test_every_command_in_the_document_is_understood() -> None:
    shown = [words for words in commands(ROOT / "docs" / "audit.md") if words[0] == "petpark"]
    assert ["petpark", "data", "audit"] in shown
    assert ["petpark", "data", "audit", "--apply"] in shown
    for words in shown:
        understands(tuple(words[1:]))
