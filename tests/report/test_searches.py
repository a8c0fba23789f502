"""The page of a search: whole, self-contained, with a mark for every trial, whatever settings are called."""

import re
from typing import Any

import pytest

from petpark.report import plots, searches
from petpark.report.trials import Search, Trial
from tests.report.test_page import Page

LISTED = {"model": ("small", "<b>resnet & co</b>", None), "mixup": (0.0, 0.2)}


def trial(number: int, loss: float, *, stopped: str = "", epochs: int = 3, **values: Any) -> Trial:
    losses = tuple(loss * (epochs - epoch) for epoch in range(epochs))
    given = {"learning_rate": 0.001 * (number + 1), **{name: each[number % len(each)] for name, each in LISTED.items()}}
    return Trial(number, given | values, losses, tuple(1 - each / 10 for each in losses), stopped)


def found(*trials: Trial, **changes: Any) -> Search:
    given: dict[str, Any] = {
        "trials": trials,
        "logarithmic": frozenset({"learning_rate"}),
        "listed": LISTED,
        "now": trials[0].values,
        "photos": 40,
        "importances": {},
    }
    return Search(**(given | changes))


MANY = found(
    trial(0, 0.5),
    trial(1, 0.4, stopped="worse than half of the others after 2 epochs", epochs=2),
    trial(2, 0.1),
    trial(4, 0.3),
    trial(5, 0.1),
    trial(7, 0.2, stopped="training failed in epoch 1", epochs=0),
    importances={"learning_rate": 0.75, "model": 0.25, "mixup": 0.0},
)


def text(search: Search) -> str:
    return " ".join(" ".join(Page(searches.render(search)).pieces).split())


def test_the_page_is_whole_and_loads_and_runs_nothing() -> None:
    markup = searches.render(MANY)
    page = Page(markup)
    assert markup == searches.render(MANY)
    assert not {"script", "link", "iframe", "img"} & {tag for tag, *_ in page.elements}
    assert "http" not in re.sub(r"<meta http-equiv[^>]*>", "", markup)
    for _, attributes, _ in page.elements:
        assert not {"src", "onclick", "onload"} & attributes.keys()
    assert len(markup) < 60_000, "plotly's script alone takes seventy times as much"


def test_the_best_trial_stands_first_beside_what_is_set_now() -> None:
    words = text(MANY)
    assert "The best: trial 2 0.1000 loss, and 99.0% accuracy" in words
    assert "params.yaml as it is: loss 0.5000, accuracy 95.0% (trial 0)" in words
    assert "learning_rate 0.001 0.003" in words
    assert "One photo is 2.5 points of accuracy" in words


def test_settings_that_cannot_be_beaten_are_praised() -> None:
    assert "nothing that was tried is better" in text(found(trial(0, 0.1), trial(1, 0.4)))
    now = {"learning_rate": 9.0, "mixup": 0.0, "model": None}
    assert "were not among the trials" in text(found(trial(0, 0.1), now=now))


def test_of_equals_the_earlier_is_the_best() -> None:
    assert MANY.best.number == 2
    assert [each.number for each in MANY.ended] == [2, 5, 4, 0]


def test_every_trial_has_a_row_and_what_was_stopped_comes_last() -> None:
    rows = re.findall(r"<tr[^>]*><td>(\d+)</td>", searches.render(MANY))
    assert rows == ["2", "5", "4", "0", "1", "7"]
    assert "7 failed" in text(MANY)


def test_names_and_values_are_shown_and_never_read_as_markup() -> None:
    markup = searches.render(MANY)
    assert "<b>resnet" not in markup
    assert "&lt;b&gt;resnet &amp; co&lt;/b&gt;" in markup
    assert "null" in text(MANY)


def test_what_mattered_is_a_bar_each_or_a_sentence() -> None:
    assert "learning_rate 75.0% 75% " in text(MANY)
    assert "Too few trials came to their end" in text(found(trial(0, 0.1)))


@pytest.mark.parametrize("chart", ["history", "learning", *MANY.best.values])
def test_every_chart_has_a_mark_for_every_trial_that_has_figures(chart: str) -> None:
    drawing = {"history": plots.history, "learning": plots.learning}.get(chart)
    markup = str(drawing(MANY) if drawing else plots.against(MANY, chart))
    hints = re.findall(r"<circle[^>]*><title>trial (\d+): loss", markup)
    assert sorted(hints) == ["0", "1", "2", "4", "5"]
    assert hints[-1] == "2", "the best on top"
    places = [float(place) for place in re.findall(r' c[xy]="([-\d.]+)"', markup)]
    assert all(0 <= place <= 400 for place in places)


def test_the_line_is_the_lowest_loss_so_far_of_trials_that_ended() -> None:
    points = re.findall(r'<polyline class="curve c1" points="([^"]*)"', str(plots.history(MANY)))[0].split()
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights), "downwards on the page"
    assert len(set(heights)) == 2


def test_a_search_of_one_trial_of_one_epoch_is_drawn() -> None:
    Page(searches.render(found(trial(0, 0.3, epochs=1))))


def test_a_loss_of_zero_is_drawn_at_the_end_of_the_scale() -> None:
    markup = str(plots.history(found(trial(0, 0.0), trial(1, 0.5))))
    assert "nan" not in markup
    assert "inf" not in markup
