"""The search space: what may be searched, and with which values."""

from typing import Any

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from petpark.build.tune import space
from petpark.build.tune.space import Space
from petpark.config.train import TrainSettings
from petpark.errors import SettingsError
from tests.build.tune.conftest import TRAIN, tuned


def made(**search: Any) -> Space:
    return space.read(tuned(search), TRAIN)


def complaint(**search: Any) -> str:
    with pytest.raises(SettingsError) as error:
        made(**search)
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("params.yaml: tune.search")
    return str(error.value)


def test_a_list_is_choices_and_a_range_is_as_whole_as_its_setting() -> None:
    found = made(
        freeze=["none", "batchnorm"],
        crop={"low": 0.3, "high": 1},
        batch_size={"low": 8, "high": 64, "log": True},
        weights=[None, "IMAGENET1K_V1"],
    )
    assert found.distributions == {
        "batch_size": IntDistribution(8, 64, log=True),
        "crop": FloatDistribution(0.3, 1.0),
        "freeze": CategoricalDistribution(("none", "batchnorm")),
        "weights": CategoricalDistribution((None, "IMAGENET1K_V1")),
    }


def test_the_order_in_the_file_does_not_matter() -> None:
    assert made(crop=[0.5, 1], ema=[0, 0.9]) == made(ema=[0, 0.9], crop=[0.5, 1])


def test_values_are_read_as_train_reads_them() -> None:
    assert made(label_smoothing=[0, 0.1]).grid == {"label_smoothing": (0.0, 0.1)}


def test_a_grid_takes_points_of_a_range_evenly_or_by_the_logarithm() -> None:
    grid = made(
        crop={"low": 0.25, "high": 1, "points": 4},
        learning_rate={"low": 0.0001, "high": 0.01, "log": True},
        epochs={"low": 2, "high": 4, "points": 9},
    ).grid
    assert grid["crop"] == (0.25, 0.5, 0.75, 1.0)
    assert grid["learning_rate"] == pytest.approx((0.0001, 0.001, 0.01))
    assert grid["epochs"] == (2, 3, 4), "no value comes twice"


def test_the_cells_are_every_combination_once_in_an_order_of_the_seed() -> None:
    found = made(crop=[0.5, 1], ema=[0, 0.5, 0.9], batch_size=[8, 16])
    cells = found.cells(1)
    assert len(cells) == 12
    assert len({tuple(cell.values()) for cell in cells}) == 12
    assert cells == found.cells(1) != found.cells(2)
    assert all(list(cell) == ["batch_size", "crop", "ema"] for cell in cells)


def test_a_grid_that_nobody_can_search_through_is_refused() -> None:
    points = {"low": 0.1, "high": 0.9, "points": 100}
    found = made(crop=points, ema=points, warmup=points)
    with pytest.raises(SettingsError, match=r"a grid of 1,000,000 combinations is never searched through"):
        found.cells(0)


def test_numbers_of_a_range_are_rounded_to_three_digits_and_stay_inside() -> None:
    found = made(learning_rate={"low": 0.0012345, "high": 0.1, "log": True}, crop={"low": 0.3, "high": 0.99951})
    drawn = found.values({"learning_rate": 0.00987654321, "crop": 0.9995})
    assert drawn == {"crop": 0.99951 if drawn["crop"] > 0.9995 else drawn["crop"], "learning_rate": 0.00988}
    assert found.values({"learning_rate": 0.0012345, "crop": 0.31})["learning_rate"] == 0.0012345


def test_whether_settings_lie_in_the_space_is_known() -> None:
    found = made(crop={"low": 0.3, "high": 0.8}, freeze=["none", "backbone"])
    assert found.holds({"crop": 0.8, "freeze": "none"})
    assert not found.holds({"crop": 0.81, "freeze": "none"})
    assert not found.holds({"crop": 0.5, "freeze": "batchnorm"})


def test_an_empty_space_says_what_to_do() -> None:
    assert "is empty: name the settings" in complaint()


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"learning_rat": [0.1, 0.2]}, "`train` has no setting 'learning_rat' (learning_rate?)"),
        ({"zzz": [1]}, "`train` has no setting 'zzz'. docs"),
        ({"crop": [0.5, 1.5]}, "'crop': Input should be less than or equal to 1 (found 1.5)"),
        ({"crop": {"low": 0.0, "high": 1.0}}, "'crop': Input should be greater than 0 (found 0.0)"),
        ({"epochs": [2, 2.5]}, "'epochs': Input should be a valid integer"),
        ({"epochs": {"low": 2, "high": 4.5}}, "'epochs': Input should be a valid integer"),
        ({"freeze": ["none", "all"]}, "'freeze': Input should be 'none', 'batchnorm' or 'backbone'"),
        ({"model": {"low": 1, "high": 2}}, "'model' is no number and takes no range"),
        ({"label_smoothing": [0, 0.0]}, "'label_smoothing' lists a value twice"),
    ],
    ids=str,
)
def test_what_cannot_be_searched_is_one_sentence(search: dict[str, Any], words: str) -> None:
    assert words in complaint(**search)


def test_a_value_that_does_not_go_with_the_other_settings_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be divided among 4 processes"):
        space.read(tuned({"batch_size": [16, 18]}), TrainSettings(processes=4))


def test_every_setting_of_train_can_be_searched_by_a_list_of_its_default() -> None:
    for name, field in TrainSettings.model_fields.items():
        assert made(**{name: [field.default]}).cells(0) == [{name: field.default}]
