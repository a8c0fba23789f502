"""The page: right figures, whole structure, nothing fetched, nothing run, whatever the labels are called."""

import base64
import html
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from petpark.evidence.core import Estimate
from petpark.evidence.evaluation import ClassFigures, Confidence, Evaluation
from petpark.report import words
from petpark.report.page import Case, render
from tests.report import made

ROOT = Path(__file__).parents[2]
VOID = {"meta", "img", "br", "hr", "input", "link"}
SHAPES = {"line", "rect", "circle", "polyline"}
Attributes = dict[str, str]


class Page(HTMLParser):
    """What a browser would see: elements in their order, and the text between them; crossing tags are an error."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Attributes, tuple[str, ...]]] = []
        self.pieces: list[str] = []
        self.texts: list[tuple[tuple[str, ...], str]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has an attribute twice: {names}"
        self.elements.append((tag, {name: value or "" for name, value in attrs}, tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SHAPES, f"<{tag}/> is not closed by this in HTML"
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> crosses {self.open[-3:]}"

    def handle_data(self, data: str) -> None:
        self.pieces.append(data)
        self.texts.append((tuple(self.open), data))

    @property
    def text(self) -> str:
        """All text that is not style, with single spaces."""
        return " ".join(" ".join(data for inside, data in self.texts if "style" not in inside).split())

    def all(self, *tags: str) -> list[Attributes]:
        """The attributes of all elements of these kinds."""
        return [attributes for tag, attributes, _ in self.elements if tag in tags]

    def inside(self, tag: str) -> list[str]:
        """The texts that stand directly in elements of one kind."""
        return [data for inside, data in self.texts if inside[-1:] == (tag,)]


def draw(evaluation: Evaluation, shown: int = 4) -> str:
    return render(evaluation, made.gallery(evaluation, shown))


@pytest.fixture(scope="module")
def three() -> Evaluation:
    return made.evaluation(made.labels(3), photos=500, skill=2.5)


@pytest.fixture(scope="module")
def text(three: Evaluation) -> str:
    return draw(three)


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


@pytest.fixture(scope="module")
def hostile() -> Page:
    return Page(draw(made.evaluation(made.HOSTILE, photos=400)))


# The same bytes, and nothing from outside


def test_the_same_evidence_gives_the_same_bytes(three: Evaluation, text: str) -> None:
    again = Evaluation.parse(three.model_dump_json(by_alias=True), "evaluation.json")
    assert draw(again) == text


def test_the_bytes_do_not_depend_on_the_process() -> None:
    script = (
        "import hashlib; from tests.report import made; from petpark.report.page import render\n"
        "found = made.evaluation(made.labels(4), photos=200)\n"
        "print(hashlib.sha256(render(found, made.gallery(found, 2)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    }
    assert len(digests) == 1


def test_nothing_is_fetched(page: Page, text: str) -> None:
    assert not re.search(r"https?://|//[a-z]", re.sub(r"data:image/\w+;base64,[A-Za-z0-9+/=]+", "", text))
    assert not re.search(r"url\(|@import|@font-face", text)
    for _, attributes, _ in page.elements:
        assert not {"srcset", "action", "formaction", "background", "poster", "data", "ping"} & set(attributes)
        assert attributes.get("src", "data:image/").startswith("data:image/")
        assert attributes.get("href", "#").startswith("#")


def test_nothing_runs(page: Page, hostile: Page) -> None:
    for each in (page, hostile):
        assert not each.all("script", "iframe", "object", "embed", "form", "link", "base", "template")
        assert not [name for _, attributes, _ in each.elements for name in attributes if name.startswith("on")]


def test_the_browser_is_told_to_refuse_everything_else(page: Page) -> None:
    policies = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    assert len(policies) == 1
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    tags = [tag for tag, _, _ in page.elements]
    assert tags.index("style") > [each.get("http-equiv") for each in page.all("meta")].index("Content-Security-Policy")


# Labels are text


def test_labels_cannot_change_the_structure(hostile: Page) -> None:
    renamed = Page(draw(made.evaluation(made.labels(len(made.HOSTILE)), photos=400)))
    assert shape(hostile) == shape(renamed)


def shape(page: Page) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """All elements with where they stand and which attributes they have, without the attributes' values."""
    return [(tag, tuple(attributes), inside) for tag, attributes, inside in page.elements]


@pytest.mark.parametrize("label", made.HOSTILE)
def test_labels_are_shown_as_they_are(hostile: Page, label: str) -> None:
    assert hostile.inside("bdi").count(label) >= 4


def test_labels_are_isolated_from_the_direction_of_the_text(hostile: Page) -> None:
    assert "قطة فارسية" in hostile.inside("bdi")
    loose = [data for inside, data in hostile.texts if "\u202e" in data and inside[-1] not in {"bdi", "title"}]
    assert not loose


def test_slices_and_batches_are_text_too(three: Evaluation) -> None:
    evil = "<b onclick=x>&quot;"
    parts = tuple(each.model_copy(update={"name": evil, "value": evil}) for each in three.slices)
    mistakes = tuple(each.model_copy(update={"batch": evil, "id": evil}) for each in three.mistakes)
    model = three.model.model_copy(update={"data": evil, "code": evil, "sha256": evil})
    found = Page(draw(three.model_copy(update={"slices": parts, "mistakes": mistakes, "model": model})))
    assert not [attributes for _, attributes, _ in found.elements if "onclick" in attributes]
    assert found.text.count(evil) > len(parts)


# Every figure


def shares(estimate: Estimate) -> Iterator[str]:
    yield from (f"{end:.1%}" for end in (estimate.value, estimate.low, estimate.high))


def thousandths(estimate: Estimate) -> Iterator[str]:
    yield from (f"{end:.3f}" for end in (estimate.value, estimate.low, estimate.high))


def test_the_main_figures_are_there_with_their_intervals(three: Evaluation, page: Page) -> None:
    for name in ("accuracy", "precision", "recall", "f1", "calibration_error"):
        for figure in shares(getattr(three, name)):
            assert figure in page.text, name
    for name in ("roc_auc", "brier"):
        for figure in thousandths(getattr(three, name)):
            assert figure in page.text, name
    assert f"{three.cost.value:,.1f} {three.cost.low:,.1f} to {three.cost.high:,.1f}" in page.text
    gap = three.recall_gap
    assert f"{gap.value * 100:.1f} points {gap.low * 100:.1f} to {gap.high * 100:.1f} points" in page.text


def test_every_label_is_there_with_all_its_figures(three: Evaluation, text: str) -> None:
    table = section(text, "classes").text
    for each in three.classes:
        row = table[table.index(each.label) :]
        assert words.count(each.photos, "photo") in row
        assert f"predicted {each.predicted} times" in row
        for score in (each.recall, each.precision, each.f1):
            assert f"{score.value:.1%}" in row
            assert f"{score.low:.1%} to {score.high:.1%}" in row
        ratio = each.rate_ratio
        assert words.skew(ratio.value) in row
        assert f"{ratio.low - 1:+.1%} to {ratio.high - 1:+.1%}" in row


def section(text: str, name: str) -> Page:
    """One section of a page."""
    start = text.index(f'<section id="{name}"')
    return Page(text[start : text.index("</section>", start) + len("</section>")])


def test_labels_stand_with_the_weakest_first(three: Evaluation, text: str) -> None:
    order = [label for label in section(text, "classes").inside("bdi") if label in three.model.labels]
    assert order == [each.label for each in sorted(three.classes, key=lambda each: each.recall.value)]


def test_the_confusion_matrix_has_counts_and_shares_of_rows(three: Evaluation, text: str) -> None:
    found = section(text, "confusion")
    assert len(found.all("table")) == 2
    cells = [data for inside, data in found.texts if inside[-2:] == ("td", "b")]
    assert cells == [f"{count:,}" for row in three.confusion for count in row if count]
    assert found.inside("small") == [f"{count / sum(row):.1%}" for row in three.confusion for count in row if count]


def test_the_colour_of_a_cell_is_its_share(three: Evaluation, text: str) -> None:
    cells = [each for each in section(text, "confusion").all("td") if "cell" in each.get("class", "")]
    hits = [each["style"] for each in cells if "hit" in each["class"]]
    assert hits == [f"--share: {row[at] / sum(row):.3f}" for at, row in enumerate(three.confusion)]
    strengths = [float(each["style"].split()[1]) for each in cells]
    assert max(strength for each, strength in zip(cells, strengths, strict=True) if "hit" not in each["class"]) == 1
    assert all(0 < strength <= 1 for strength in strengths)


def test_every_slice_is_there_by_property(three: Evaluation, text: str) -> None:
    found = section(text, "slices")
    assert found.inside("h3") == ["brightness", "shape", "colour", "batch"]
    for each in three.slices:
        row = found.text[found.text.index(each.value) :]
        assert words.count(each.photos, "photo") in row
        for figure in shares(each.accuracy):
            assert figure in row
    assert f"the accuracy on all test photos, {three.accuracy.value:.1%}" in found.text
    assert len(found.all("svg")) == len(three.slices)
    assert sum(each.get("class") == "reference" for each in found.all("line")) == len(three.slices)


def test_a_credibly_weaker_slice_is_marked_in_words(three: Evaluation) -> None:
    value = three.accuracy.value
    weak = Estimate(value=value - 0.1, low=value - 0.15, high=value - 0.05)
    unsure = Estimate(value=value - 0.1, low=value - 0.3, high=value + 0.01)
    first, second = three.slices[:2]
    parts = (first.model_copy(update={"accuracy": weak}), second.model_copy(update={"accuracy": unsure}))
    found = section(draw(three.model_copy(update={"slices": parts})), "slices")
    assert found.text.count("weaker") == 1 + 1  # the sentence above, and the weak one


def test_slices_of_one_property_stand_together(three: Evaluation) -> None:
    first, *others = three.slices
    found = section(draw(three.model_copy(update={"slices": (*others, first)})), "slices")
    assert found.inside("h3").count("brightness") == 1


def test_coverage_and_reliability_are_there_as_numbers(three: Evaluation, text: str) -> None:
    found = section(text, "confidence")
    for each in three.coverage:
        accuracy = f"{each.accuracy:.1%}" if each.share else "none"
        assert f"{each.threshold:.3f} {each.share:.1%} {accuracy}" in found.text
    for bin_ in three.reliability:
        assert f"{bin_.photos} {bin_.confidence:.1%} {bin_.accuracy:.1%}" in found.text
    assert f"{1 - three.sure.share:.1%} and is right on {three.sure.accuracy:.1%} of the rest" in found.text
    curves = [each for each in found.all("polyline") if "points" in each]
    assert len(curves) == 1 + len(three.curves)


def test_the_facts_of_the_model_are_there(three: Evaluation, text: str) -> None:
    model, found = three.model, section(text, "model")
    for fact in (
        model.sha256,
        model.data,
        model.code,
        "1.2 MB (1,234,567 bytes)",
        "64 \u00d7 64",
        "0.8000",
        "3 labels",
    ):
        assert fact in found.text
    assert tuple(found.inside("bdi")) == model.labels
    assert page_title(text) == f"petpark: evaluation of model {model.sha256[:12]}"


def page_title(text: str) -> str:
    return html.unescape(text.split("<title>", 1)[1].split("</title>", 1)[0])


def test_every_mistake_is_listed(three: Evaluation, text: str) -> None:
    found = section(text, "mistakes")
    rows = [f"{each.id} {each.batch} {each.label} {each.predicted} {each.confidence:.1%}" for each in three.mistakes]
    assert rows
    assert all(row in found.text for row in rows)
    assert f"List of all mistakes ({len(rows)})" in found.text


def test_a_very_long_list_of_mistakes_is_cut_and_says_so() -> None:
    poor = made.evaluation(made.labels(3), photos=1200, skill=0.3)
    found = section(draw(poor), "mistakes")
    assert f"List of the first 200 of {len(poor.mistakes)} mistakes" in found.text
    assert sum(each.id in found.text for each in poor.mistakes) == 200
    cut = section(draw(poor.model_copy(update={"mistakes": poor.mistakes[:300]})), "mistakes")
    assert f"List of the first 200 of {len(poor.mistakes)} mistakes" in cut.text


# The first screen


def front(text: str) -> str:
    """The text that comes before the list of sections."""
    return Page("<body>" + text[text.index("<header>") : text.index("<nav")] + "</main></body>").text


def test_the_first_screen_answers_the_four_questions(three: Evaluation, text: str) -> None:
    shown = front(text)
    assert f"{three.accuracy.value:.1%} of the photos get the right label" in shown
    assert f"95% interval: {three.accuracy.low:.1%} to {three.accuracy.high:.1%}" in shown
    wrong = len(three.mistakes)
    assert f"{500 - wrong} right, {wrong} wrong of 500 test photos" in shown
    for each in three.classes:
        skew = words.skew(each.rate_ratio.value)
        assert f"{each.label} {each.recall.value:.1%} {each.precision.value:.1%} {skew}" in shown
    assert words.points(three.recall_gap.value) in shown
    assert f"{three.cost.value:.1f} for every 1,000 photos" in shown
    assert f"{three.sure.accuracy:.1%} right where it is sure, which is on {three.sure.share:.1%}" in shown
    assert "under 80.0%" in shown


def test_the_most_frequent_mistake_is_named(three: Evaluation) -> None:
    counted = three.model_copy(update={"confusion": ((90, 3, 0), (7, 40, 3), (0, 0, 0))})
    assert "Most frequent mistake: bat taken for ant , 7 times (14.0% of that label)" in front(draw(counted))


def skewed(evaluation: Evaluation, ratio: Estimate) -> str:
    """The first screen of a model with one skewed label."""
    fair = Estimate(value=1, low=0.98, high=1.02)
    classes = tuple(each.model_copy(update={"rate_ratio": fair}) for each in evaluation.classes)
    classes = (classes[0].model_copy(update={"rate_ratio": ratio}), *classes[1:])
    return front(draw(evaluation.model_copy(update={"classes": classes})))


def test_a_bias_beyond_chance_is_named(three: Evaluation) -> None:
    shown = skewed(three, Estimate(value=1.3, low=1.21, high=1.4))
    assert "Most biased: ant is predicted 30.0% too often (+21.0% to +40.0%)" in shown
    assert "ant is predicted 30.0% too rarely" in skewed(three, Estimate(value=0.7, low=0.6, high=0.8))


def test_a_bias_within_chance_is_called_so(three: Evaluation) -> None:
    shown = skewed(three, Estimate(value=1.03, low=0.97, high=1.09))
    assert "The largest bias, ant 3.0% too often, is within chance" in shown
    assert "Every label is predicted as often as it occurs" in skewed(three, Estimate(value=1, low=0.9, high=1.1))


def test_of_many_labels_the_first_screen_shows_the_weakest() -> None:
    found = made.evaluation(made.labels(12), photos=600)
    shown = front(draw(found))
    named = [each.label for each in found.classes if f"{each.label} {each.recall.value:.1%}" in shown]
    assert sorted(named) == sorted(each.label for each in words.worst_first(found)[:3])


# Any number of labels, and the edges


@pytest.mark.parametrize("count", [2, 3, 12, 13, 50, 101])
def test_pages_are_whole_for_any_number_of_labels(count: int) -> None:
    found = made.evaluation(made.labels(60)[:count] if count <= 60 else tuple(f"no {k}" for k in range(count)), 900)
    text = draw(found, shown=2)
    whole(Page(text))
    cells = [each for each in section(text, "confusion").all("td") if "cell" in each.get("class", "")]
    assert bool(cells) == (count <= 100)
    assert ("<summary>The whole matrix" in text) == (12 < count <= 100)
    curves = [each["class"] for each in section(text, "confidence").all("polyline")]
    assert len(curves) == 1 + len(found.curves)
    assert curves.count("curve faint") == (count - 6 if count > 6 else 0)


def whole(page: Page) -> None:
    """Check what every page must have."""
    ids = [attributes["id"] for _, attributes, _ in page.elements if "id" in attributes]
    assert Counter(ids).most_common(1)[0][1] == 1
    assert {each["href"][1:] for each in page.all("a")} <= set(ids)
    labels = [attributes["aria-labelledby"] for _, attributes, _ in page.elements if "aria-labelledby" in attributes]
    assert set(labels) <= set(ids)
    assert [tag for tag, _, _ in page.elements].count("h1") == 1
    assert {"header", "main", "nav", "footer"} <= {tag for tag, _, _ in page.elements}
    for element, attributes, inside in page.elements:
        if element in {"tr", "td", "th", "caption", "thead", "tbody"}:
            assert "table" in inside
        if element == "li":
            assert inside[-1] == "ul"
        if element == "img":
            assert attributes["alt"].strip()


def test_headings_skip_no_level(page: Page) -> None:
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_the_page_is_a_document_in_english(text: str, page: Page) -> None:
    assert text.lstrip().startswith("<!doctype html>")
    assert page.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.all("meta")
    whole(page)


def test_many_labels_put_the_most_confused_pairs_first() -> None:
    found = made.evaluation(made.labels(20), photos=900, skill=2)
    table = section(draw(found), "confusion")
    pairs = words.confused(found)
    assert len(pairs) > 12
    assert f"The first 12 of {len(pairs)} kinds of mistakes" in table.text
    shown = table.inside("bdi")[:24]
    assert list(zip(shown[::2], shown[1::2], strict=True)) == [(was, said) for was, said, _, _ in pairs[:12]]


def test_a_model_without_mistakes() -> None:
    found = made.evaluation(made.labels(3), photos=200, skill=1e9)
    text = draw(found)
    whole(Page(text))
    assert not found.mistakes
    assert "There was none: all 200 test photos got the right label." in section(text, "mistakes").text
    assert "There was no mistake among the test photos." in front(text)
    assert not Page(text).all("img")


def test_mistakes_without_a_gallery(three: Evaluation) -> None:
    found = section(render(three, ()), "mistakes")
    assert "No mistakes were chosen to be shown." in found.text
    assert three.mistakes[0].id in found.text


def test_a_label_without_test_photos(three: Evaluation) -> None:
    empty = Estimate(value=0, low=0, high=0)
    figures: dict[str, Any] = dict.fromkeys(("precision", "recall", "f1", "rate_ratio"), empty)
    absent = ClassFigures(label="yak", photos=0, predicted=0, **figures)
    model = three.model.model_copy(update={"labels": (*three.model.labels, "yak")})
    confusion = (*((*row, 0) for row in three.confusion), (0, 0, 0, 0))
    found = three.model_copy(update={"classes": (*three.classes, absent), "model": model, "confusion": confusion})
    text = draw(found)
    whole(Page(text))
    assert "yak no test photos" in front(text)
    assert "yak 0 photos, predicted 0 times no test photos" in section(text, "classes").text
    assert section(text, "classes").inside("bdi")[-1] == "yak"


def test_a_model_that_is_never_sure(three: Evaluation) -> None:
    never = three.model_copy(update={"sure": three.sure.model_copy(update={"share": 0.0, "accuracy": 0.0})})
    text = draw(never)
    whole(Page(text))
    assert "it is never sure" in front(text)
    assert "at its own threshold it leaves all of them" in section(text, "confidence").text


def test_empty_lists_leave_a_whole_page(three: Evaluation) -> None:
    bare: dict[str, Any] = {"coverage": (), "reliability": (), "curves": {}, "slices": (), "mistakes": ()}
    text = render(three.model_copy(update=bare), ())
    whole(Page(text))
    assert "No slices were measured." in text


def test_empty_bins_are_left_out(three: Evaluation) -> None:
    empty = Confidence(photos=0, confidence=0, accuracy=0)
    assert draw(three.model_copy(update={"reliability": (empty, *three.reliability)})) == draw(three)


# Pictures


def test_the_gallery_shows_every_case_with_its_pictures(three: Evaluation) -> None:
    cases = made.gallery(three, 4)
    found = section(render(three, cases), "mistakes")
    assert len(cases) == 4
    pictures = [each["src"] for each in found.all("img")]
    assert pictures == [uri for case in cases for uri in uris(case)]
    for case in cases:
        said, was, sure = case.mistake.predicted, case.mistake.label, case.mistake.confidence
        assert f"Said {said} , was {was} {sure:.1%} sure" in found.text
        assert f"Photo {case.mistake.id[:12]} of batch {case.mistake.batch}" in found.text
        for near in case.neighbours:
            assert f"{near.label} {near.similarity:.1%}" in found.text


def uris(case: Case) -> Iterator[str]:
    yield "data:image/jpeg;base64," + base64.b64encode(case.photo).decode()
    yield "data:image/png;base64," + base64.b64encode(case.heat).decode()
    for near in case.neighbours:
        yield "data:image/jpeg;base64," + base64.b64encode(near.photo).decode()


def test_pictures_say_in_words_what_they_show(three: Evaluation) -> None:
    (case,) = made.gallery(three, 1)
    alts = [each["alt"] for each in section(render(three, [case]), "mistakes").all("img")]
    mistake = case.mistake
    assert alts[0] == f"Test photo {mistake.id[:12]}: it shows {mistake.label} and was taken for {mistake.predicted}"
    assert f"orange speaks for {mistake.predicted}" in alts[1]
    assert alts[2:] == [f"Training photo {near.id[:12]}, labelled {near.label}" for near in case.neighbours]


def test_similar_photos_are_framed_by_what_their_label_says(three: Evaluation) -> None:
    (case,) = made.gallery(three, 1)
    frames = [each.get("class", "") for each in section(render(three, [case]), "mistakes").all("li")][1:]
    assert frames == [
        "said" if near.label == case.mistake.predicted else "same" if near.label == case.mistake.label else ""
        for near in case.neighbours
    ]


def test_every_chart_has_a_title(text: str) -> None:
    charts = re.findall(r"<svg\b[^>]*>(?:<title>([^<]*)</title>)?", text)
    hidden = len(re.findall(r'<svg\b[^>]*aria-hidden="true"', text))
    assert sum(bool(title) for title in charts) == len(charts) - hidden
    assert len(charts) - hidden > 20


def test_what_scrolls_can_be_reached_by_keyboard(page: Page) -> None:
    boxes = [each for each in page.all("div") if "scroll" in each.get("class", "").split()]
    assert len(boxes) > 5
    assert all(each["tabindex"] == "0" and each["role"] == "region" and each["aria-label"] for each in boxes)
    assert len(page.all("details")) == len(page.all("summary"))


# Sections that are asked for


def test_data_and_package_are_shown_only_if_given(three: Evaluation, text: str) -> None:
    assert 'id="data"' not in text
    full = render(three, (), made.package(), made.validation(three.model.labels))
    whole(Page(full))
    data, model = section(full, "data").text, section(full, "model").text
    for said in ("dropped: 31", "dropped: 13", "hand: 19", "labels: 17", ": 23", "1,711 187 423", "damaged 4"):
        assert said in data
    for said in ("brightness 0.037, contrast 0.052", "park acceptance 240 0", "Label Drift PASS score 0.012"):
        assert said in data
    for said in ("small, 291,234 parameters", "int8: faster", "345.7 kB, 1.0 ms a photo, 93.0%", "96.9% of 32 photos"):
        assert said in model


# Colours


def tokens(text: str) -> tuple[dict[str, str], dict[str, str]]:
    """The colours of the light and of the dark page."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): ([^;]+);", block)) for block in re.findall(r":root \{([^}]*)\}", text)[:2]
    )
    return light, {**light, **dark}


def colour(value: str) -> tuple[float, ...]:
    if value.startswith("#"):
        return tuple(int(value[place : place + 2], 16) for place in (1, 3, 5))
    return tuple(float(part) for part in value.split())


def contrast(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """The contrast of two colours by WCAG 2.2, 1 to 21."""

    def luminance(rgb: tuple[float, ...]) -> float:
        linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in rgb]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_what_is_behind_them(text: str, scheme: int) -> None:
    found = tokens(text)[scheme]
    for words_, behind in [(a, b) for a in ("text", "muted", "right", "wrong") for b in ("bg", "surface")]:
        assert contrast(colour(found[words_]), colour(found[behind])) >= 4.5, (words_, behind)
    assert contrast(colour(found["text"]), colour(found["sunken"])) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("kind", ["right", "wrong"])
def test_numbers_in_the_matrix_stand_out_from_the_strongest_colour(text: str, scheme: int, kind: str) -> None:
    found = tokens(text)[scheme]
    heat, surface = colour(found[f"{kind}-rgb"]), colour(found["surface"])
    strength = float(found["heat"])
    mixed = tuple(strength * a + (1 - strength) * b for a, b in zip(heat, surface, strict=True))
    assert contrast(colour(found["text"]), mixed) >= 4.5


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_lines_and_bars_stand_out_from_the_page(text: str, scheme: int) -> None:
    found = tokens(text)[scheme]
    for name in ("right", "wrong", "unsure", "focus", *(f"c{k}" for k in range(1, 7))):
        assert contrast(colour(found[name]), colour(found["surface"])) >= 3, name


def test_there_is_a_light_a_dark_and_a_printed_page(text: str) -> None:
    assert "@media screen and (prefers-color-scheme: dark)" in text
    assert "@media print" in text
    assert "@media (max-width: 32rem)" in text
