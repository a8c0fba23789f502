"""Settings files: what is wrong with one is said in one sentence that names the file, the key and the remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from petpark import layout
from petpark.config import serve
from petpark.config.params import load_params
from petpark.config.policy import Cost, load_policy
from petpark.config.settings import Settings, load
from petpark.config.split import SplitSettings
from petpark.config.tune import Range
from petpark.errors import SettingsError
from petpark.predictionlog.database import DEFAULT_URL

HASH = "ab" * 32
PARAMS = f"""
seed: 3
ingest:
  short_side: 96
  batches:
    spring: {{sha256: '{HASH}'}}
    park.2: {{sha256: '{HASH}', role: acceptance}}
split: {{test_share: 0.25}}
validate: {{}}
train: {{model: resnet18, learning_rate: 1e-4, mixup: 0}}
package: {{}}
evaluate: {{resamples: 500}}
"""
POLICY = """
cost:
  mistake: 2
  mistakes:
    - {label: ash, predicted: beech, cost: 5}
build:
  max_cost: 30
  champion: {allow_tie: false}
"""

Loader = Callable[[Path], Settings]
FILES: dict[str, tuple[Loader, str]] = {"params.yaml": (load_params, PARAMS), "policy.yaml": (load_policy, POLICY)}
both = pytest.mark.parametrize("name", FILES)


def complaint(name: str, content: str | bytes | None) -> str:
    """What is said of a file with that content (none: no file) in the current folder."""
    path = Path(name)
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(SettingsError) as error:
        FILES[name][0](path)
    sentence = str(error.value)
    assert "\n" not in sentence
    assert sentence.startswith(name)
    assert len(sentence) < 300
    assert error.value.__cause__ is None
    return sentence


def test_params_are_read_into_types(workspace: Path) -> None:
    layout.PARAMS.write_text(PARAMS)
    params = load_params()
    assert (params.seed, params.ingest.short_side, params.split.test_share) == (3, 96, 0.25)
    assert params.split.validation_share == 0.1  # its default
    assert params.train.learning_rate == pytest.approx(1e-4)
    assert params.ingest.names() == ("spring", "park.2")
    assert params.ingest.names("train") == ("spring",)
    assert params.ingest.names("acceptance") == ("park.2",)


def test_policy_is_read_into_types_and_an_empty_one_has_defaults(workspace: Path) -> None:
    layout.POLICY.write_text(POLICY)
    policy = load_policy()
    assert policy.build.max_cost == 30
    assert not policy.build.champion.allow_tie
    assert policy.build.min_accuracy == 0.85
    layout.POLICY.write_text("{}")
    assert load_policy().cost == Cost()


def test_settings_cannot_be_changed(workspace: Path) -> None:
    layout.PARAMS.write_text(PARAMS)
    with pytest.raises(ValueError, match="frozen"):
        load_params().seed = 4  # type: ignore[misc]


def test_the_cost_matrix_prices_listed_mistakes_and_all_others(workspace: Path) -> None:
    layout.POLICY.write_text(POLICY)
    cost = load_policy().cost
    assert cost.matrix(("ash", "beech", "cedar")) == [[0, 5, 2], [2, 0, 2], [2, 2, 0]]
    assert cost.matrix(("beech", "ash")) == [[0, 2], [5, 0]]
    assert cost.matrix(("oak",)) == [[0]]


@both
def test_a_missing_file(workspace: Path, name: str) -> None:
    assert "is missing" in complaint(name, None)


@pytest.mark.parametrize("content", ["a: [1", "a:\tb\n\tc", b"\xff\xfe\x00", b"\x89PNG\r\n\x1a\n", "a: !!set {b}\n c"])
@both
def test_a_file_that_is_no_yaml(workspace: Path, name: str, content: str | bytes) -> None:
    assert "is not YAML" in complaint(name, content)


@pytest.mark.parametrize("content", ["", "- 1\n- 2\n", "just words", "7"])
@both
def test_a_file_that_holds_no_settings(workspace: Path, name: str, content: str) -> None:
    assert "must hold settings by name" in complaint(name, content)


@pytest.mark.parametrize("content", ["[" * 100_000, "{a: " * 100_000])
@both
def test_a_file_that_is_nested_without_end(workspace: Path, name: str, content: str) -> None:
    assert "is nested too deeply to be settings" in complaint(name, content)


def test_a_mistake_with_two_prices_is_refused(workspace: Path) -> None:
    twice = "- {label: ash, predicted: beech, cost: 5}\n    - {label: ash, predicted: beech, cost: 1}"
    sentence = complaint("policy.yaml", POLICY.replace("- {label: ash, predicted: beech, cost: 5}", twice))
    assert "'cost': the mistake 'beech' for 'ash' has more than one price" in sentence


def test_the_other_mistake_of_a_pair_has_a_price_of_its_own(workspace: Path) -> None:
    both_ways = "- {label: ash, predicted: beech, cost: 5}\n    - {label: beech, predicted: ash, cost: 1}"
    layout.POLICY.write_text(POLICY.replace("- {label: ash, predicted: beech, cost: 5}", both_ways))
    assert load_policy().cost.matrix(("ash", "beech")) == [[0.0, 5.0], [1.0, 0.0]]


def test_a_price_for_what_is_no_mistake_is_refused(workspace: Path) -> None:
    sentence = complaint("policy.yaml", POLICY.replace("predicted: beech", "predicted: ash"))
    assert "'cost.mistakes.0': 'ash' for 'ash' is no mistake" in sentence


@both
def test_an_unknown_section(workspace: Path, name: str) -> None:
    assert "unknown key 'serve'" in complaint(name, f"{FILES[name][1]}\nserve: {{}}\n")


@both
def test_a_key_that_comes_twice(workspace: Path, name: str) -> None:
    assert "duplicate key" in complaint(name, f"{FILES[name][1]}{FILES[name][1]}")


@both
def test_a_document_that_would_run_code(workspace: Path, name: str) -> None:
    assert "could not determine a constructor" in complaint(name, "a: !!python/object/apply:os.getcwd []")


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("params.yaml", "short_side: 96", "short_sied: 96", "unknown key 'ingest.short_sied'"),
        ("params.yaml", "split:", "splits:", "unknown key 'splits'"),
        ("params.yaml", "role:", "roll:", "unknown key 'ingest.batches.park.2.roll'"),
        ("params.yaml", "short_side: 96", "quality: 85", "'ingest.short_side' is missing"),
        ("params.yaml", "package: {}", "", "'package' is missing"),
        ("params.yaml", "short_side: 96", "short_side: '96'", "'ingest.short_side': Input should be a valid integer"),
        ("params.yaml", "seed: 3", "seed: yes", "'seed': Input should be a valid integer"),
        ("params.yaml", "seed: 3", "seed: 4294967296", "'seed': Input should be less than or equal to 4294967295"),
        ("params.yaml", "seed: 3", "seed: -1", "'seed': Input should be greater than or equal to 0 (found -1)"),
        ("params.yaml", "test_share: 0.25", "test_share: 1.5", "'split.test_share': Input should be less than 1"),
        ("params.yaml", "test_share: 0.25", "test_share: .nan", "'split.test_share': Input should be"),
        ("params.yaml", "acceptance", "production", "'train' or 'acceptance' (found 'production')"),
        ("params.yaml", HASH, HASH[1:], "'ingest.batches.spring.sha256'"),
        ("params.yaml", "spring", "../spring", "'ingest.batches.../spring.[key]'"),
        ("params.yaml", "validate: {}", "validate: 7", "'validate': Input should be a valid dictionary"),
        ("policy.yaml", "max_cost", "max_costs", "unknown key 'build.max_costs'"),
        (
            "policy.yaml",
            "allow_tie: false",
            "allow_tie: 0",
            "'build.champion.allow_tie': Input should be a valid boolean",
        ),
        ("policy.yaml", "max_cost: 30", "max_cost: thirty", "'build.max_cost': Input should be a valid number"),
        (
            "policy.yaml",
            "max_cost: 30",
            "min_accuracy: 85",
            "'build.min_accuracy': Input should be less than or equal to 1",
        ),
        ("policy.yaml", "cost: 5", "cost: -5", "'cost.mistakes.0.cost': Input should be greater than or equal to 0"),
        ("policy.yaml", ", cost: 5", "", "'cost.mistakes.0.cost' is missing"),
        ("policy.yaml", "cost: 5", "cost: .inf", "'cost.mistakes.0.cost'"),
        ("policy.yaml", "cost: 5", "cost: 1.0e+308", "less than or equal to 1000000000"),
        ("policy.yaml", "max_cost: 30", "max_cost: .inf", "'build.max_cost': Input should be a finite number"),
        ("policy.yaml", "max_cost: 30", "max_class_ratio: .inf", "'build.max_class_ratio'"),
        ("policy.yaml", "max_cost: 30", "max_rate_ratio: .inf", "'build.max_rate_ratio'"),
        (
            "params.yaml",
            "learning_rate: 1e-4",
            "learning_rate: .inf",
            "'train.learning_rate': Input should be a finite",
        ),
    ],
)
def test_a_wrong_setting_is_named(workspace: Path, name: str, old: str, new: str, says: str) -> None:
    text = FILES[name][1]
    assert old in text
    sentence = complaint(name, text.replace(old, new, 1))
    assert says in sentence
    assert "docs/parameters.md" in sentence


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("splits: {}", "section 'split' is missing"),
        ("split: {shares: 1}", "split: unknown key 'shares'"),
        ("split: 7", "split: '': Input should be a valid dictionary"),
    ],
)
def test_one_section_alone_is_checked_as_strictly(workspace: Path, content: str, says: str) -> None:
    layout.PARAMS.write_text(content)
    with pytest.raises(SettingsError) as error:
        load(layout.PARAMS, "split", SplitSettings)
    assert says in str(error.value)


def test_one_section_is_read_whatever_else_the_file_holds(workspace: Path) -> None:
    layout.PARAMS.write_text("split: {test_share: 0.3}\ntrain: {of: thought}\n")
    assert load(layout.PARAMS, "split", SplitSettings).test_share == 0.3


def test_a_huge_wrong_value_does_not_flood_the_sentence(workspace: Path) -> None:
    values: Any = "x" * 10_000
    assert len(complaint("params.yaml", PARAMS.replace("seed: 3", f"seed: {values}"))) < 300


def test_a_search_space_is_lists_and_ranges_and_need_not_be_there(workspace: Path) -> None:
    layout.PARAMS.write_text(PARAMS)
    assert load_params().tune.search == {}
    space = "{learning_rate: {low: 1e-4, high: 0.01, log: true}, freeze: [none, batchnorm], weights: [null, a]}"
    layout.PARAMS.write_text(f"{PARAMS}tune: {{search: {space}}}\n")
    assert load_params().tune.search == {
        "learning_rate": Range(low=1e-4, high=0.01, log=True, points=3),
        "freeze": ("none", "batchnorm"),
        "weights": (None, "a"),
    }


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ("{crop: []}", "'tune.search.crop.list': Tuple should have at least 1 item"),
        ("{crop: 0.5}", "'tune.search.crop.list': Input should be a valid tuple (found 0.5)"),
        ("{crop: {low: 0.5}}", "'tune.search.crop.range.high' is missing"),
        ("{crop: {low: 0.5, high: 1, step: 2}}", "unknown key 'tune.search.crop.range.step'"),
        ("{crop: {low: 1, high: 0.5}}", "low (1) must lie under high (0.5)"),
        ("{crop: {low: 0, high: 1, log: true}}", "there is no logarithm of 0: set log to false, or low above 0"),
        ("{crop: {low: 0.5, high: 1, points: 1}}", "'tune.search.crop.range.points': Input should be greater than"),
    ],
)
def test_a_search_space_that_makes_no_sense_is_one_sentence(space: str, words: str, workspace: Path) -> None:
    assert words in complaint("params.yaml", f"{PARAMS}tune: {{search: {space}}}\n")


def test_the_service_reads_its_settings_from_variables() -> None:
    found = serve.read({"PETPARK_WORKERS": "3", "PETPARK_TOKEN": "t", "HOME": "/", "PETPARK_TEST_DATA": "x"})
    assert (found.workers, found.token, found.max_bytes) == (3, "t", 10 << 20)
    assert "'t'" not in repr(found)
    assert serve.read({}).log == DEFAULT_URL


@pytest.mark.parametrize(
    ("name", "value"),
    [("WORKERS", "many"), ("PHOTO_SHARE", "1.5"), ("TRUSTED_PROXIES", "10.0.0.0/8, proxy"), ("QUEUE", "-1")],
)
def test_a_variable_that_cannot_be_is_one_sentence(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name.lower()) as caught:
        serve.read({f"PETPARK_{name}": value})
    assert "docs/parameters.md" in str(caught.value)
