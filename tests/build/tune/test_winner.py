"""The winner's way into params.yaml: its settings, and no other byte."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

from petpark.build.tune import winner
from petpark.errors import SettingsError
from petpark.layout import PARAMS

pytestmark = pytest.mark.usefixtures("workspace")
TEXT = """# what the pipeline does
seed: 0

train:
  model: small # or another one
  # found by hand
  learning_rate:   0.002
  crop: 0.6    # of the area
  weights: null

package: {}
"""


def written(values: dict[str, Any], text: str = TEXT) -> tuple[str, str]:
    """Write values; returns the new text and the diff."""
    PARAMS.write_text(text)
    diff = winner.write(values)
    return PARAMS.read_text(), diff


def test_searched_settings_change_and_every_other_byte_stays() -> None:
    new, diff = written({"crop": 0.45, "learning_rate": 0.0031})
    assert new == TEXT.replace("0.6 ", "0.45 ").replace("   0.002", "   0.0031")
    assert diff.splitlines()[3:] == [
        "-  learning_rate:   0.002",
        "-  crop: 0.6    # of the area",
        "+  learning_rate:   0.0031",
        "+  crop: 0.45    # of the area",
    ]


def test_a_setting_that_stood_at_its_default_comes_at_the_end_of_the_section() -> None:
    new, _ = written({"mixup": 0.2, "freeze": "batchnorm"})
    assert new == TEXT.replace("  weights: null\n", "  weights: null\n  mixup: 0.2\n  freeze: batchnorm\n")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00001, "1.0e-05"),
        (2.5e-7, "2.5e-07"),
        (1e30, "1.0e+30"),
        (64, "64"),
        (None, "null"),
        (True, "true"),
        ("no", "'no'"),
        ("resnet18", "resnet18"),
        ("1.5", "'1.5'"),
    ],
)
def test_every_reader_of_yaml_reads_the_value_that_was_tried(value: Any, text: str) -> None:
    new, _ = written({"crop": value})
    assert f"  crop: {text}    # of the area" in new
    assert YAML(typ="safe").load(new)["train"]["crop"] == yaml.safe_load(new)["train"]["crop"] == value


def test_what_stands_there_already_is_not_written() -> None:
    before = TEXT.replace("0.002", "2.0e-3")
    assert written({"learning_rate": 0.002, "crop": 0.6}, before) == (before, "")


@pytest.mark.parametrize(
    "text",
    [
        "train: {model: small, crop: 0.6} # all in one\n",
        "train:\n  crop:\n",
        "train:\n  crop: # of what?\n  ema: 0\n",
        "train: {}\n",
        "train: {crop: }\n",
    ],
)
def test_however_the_section_is_written(text: str) -> None:
    new, _ = written({"crop": 0.3, "ema": 0.9}, text)
    assert YAML(typ="safe").load(new)["train"] == {
        **(YAML(typ="safe").load(text)["train"] or {}),
        "crop": 0.3,
        "ema": 0.9,
    }


@pytest.mark.parametrize(
    "text",
    [
        "seed: 1\n",
        "train: [1, 2]\n",
        "train:\n",
        "base: &base\n  crop: 0.6\n  ema: 0.5\ntrain: *base\n",
    ],
)
def test_a_section_that_cannot_be_edited_is_one_sentence_with_what_to_write(text: str) -> None:
    PARAMS.write_text(text)
    with pytest.raises(SettingsError, match=r"section 'train' .* write it yourself: crop: 0\.3\.$"):
        winner.write({"crop": 0.3})
    assert PARAMS.read_text() == text


def test_without_the_file_it_is_missed() -> None:
    with pytest.raises(SettingsError, match=r"^params\.yaml is missing"):
        winner.write({"crop": 0.3})
    assert list(Path().iterdir()) == []
