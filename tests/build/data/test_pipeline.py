"""params.yaml, dvc.yaml and dvc.lock follow the batches, line by line."""

from difflib import ndiff
from pathlib import Path

import pytest

from petpark import layout
from petpark.build.data import pipeline
from petpark.config.ingest import Batch, IngestSettings
from petpark.config.params import load_params
from petpark.errors import SettingsError
from tests.build.data.repository import DVC_YAML, PARAMS_YAML

ROOT = Path(__file__).parents[3]
LOCK = """schema: '2.0'
stages:
  ingest@fern:
    cmd: petpark ingest fern
    outs:
    - path: lake/fern/manifest.parquet
      md5: aa
  ingest@ferns:
    cmd: petpark ingest ferns
  train:
    cmd: petpark train
"""


def batch(digit: str = "1", role: str = "train") -> Batch:
    return Batch.model_validate({"sha256": digit * 64, "role": role})


def batches(**roles: str) -> IngestSettings:
    return IngestSettings(short_side=64, batches={name: batch(role=role) for name, role in roles.items()})


@pytest.fixture
def settings(workspace: Path) -> Path:
    """A folder with params.yaml and dvc.yaml, without batches."""
    (workspace / "params.yaml").write_text(PARAMS_YAML)
    (workspace / "dvc.yaml").write_text(DVC_YAML)
    return workspace


def write(texts: dict[Path, str]) -> None:
    for path, text in texts.items():
        path.write_text(text)


def changes(path: str, before: str) -> tuple[list[str], list[str]]:
    """The lines that came to a file, and those that went."""
    lines = list(ndiff(before.splitlines(), Path(path).read_text().splitlines()))
    return [line[2:] for line in lines if line[0] == "+"], [line[2:] for line in lines if line[0] == "-"]


def test_the_repository_itself_lists_what_follows_from_its_batches() -> None:
    text = (ROOT / "dvc.yaml").read_text()
    assert pipeline.agree(text, load_params(ROOT / "params.yaml").ingest) == text


def test_what_each_stage_reads_follows_from_the_roles() -> None:
    assert pipeline.inputs(batches(fern="train", oak="acceptance", moss="train")) == {
        "split": ["lake/fern/manifest.parquet", "lake/oak/manifest.parquet", "lake/moss/manifest.parquet"],
        "validate": [
            "lake/fern/manifest.parquet",
            "lake/oak/manifest.parquet",
            "lake/moss/manifest.parquet",
            "lake/fern/shard",
            "lake/moss/shard",
        ],
        "train": ["lake/fern/shard", "lake/moss/shard"],
        "package": [
            "lake/fern/shard",
            "lake/moss/shard",
            "lake/fern/originals.parquet",
            "lake/moss/originals.parquet",
        ],
        "evaluate": ["lake/fern/shard", "lake/moss/shard"],
    }
    assert set(map(tuple, pipeline.inputs(batches()).values())) == {()}


def test_a_new_batch_adds_lines_and_touches_no_other(settings: Path) -> None:
    write(pipeline.edited({"fern": batch()}))
    before = Path("dvc.yaml").read_text(), Path("params.yaml").read_text()
    write(pipeline.edited({"moss": batch("2")}))
    came, went = changes("dvc.yaml", before[0])
    assert went == []
    assert sorted(came) == sorted(
        [
            "      - lake/moss/manifest.parquet",
            "    - lake/moss/manifest.parquet",
            *["    - lake/moss/shard"] * 4,
            "    - lake/moss/originals.parquet",
        ]
    )
    assert changes("params.yaml", before[1]) == ([f"    moss: {{sha256: '{'2' * 64}', role: train}}"], [])


def test_an_acceptance_batch_is_read_by_split_and_validate_alone(settings: Path) -> None:
    before = Path("dvc.yaml").read_text()
    write(pipeline.edited({"oak": batch(role="acceptance")}))
    came, went = changes("dvc.yaml", before)
    assert [line.strip() for line in came] == ["- lake/oak/manifest.parquet"] * 2
    assert went == []


def test_a_role_moves_a_batch_in_and_out_and_back_to_the_same_text(settings: Path) -> None:
    write(pipeline.edited({"fern": batch(), "moss": batch("2"), "oak": batch("3")}))
    before = {name: Path(name).read_text() for name in ("dvc.yaml", "params.yaml")}
    write(pipeline.edited({"moss": batch("2", "acceptance")}))
    came, went = changes("dvc.yaml", before["dvc.yaml"])
    assert came == []
    assert [line.strip() for line in went] == [
        *["- lake/moss/shard"] * 3,
        "- lake/moss/originals.parquet",
        "- lake/moss/shard",
    ]
    write(pipeline.edited({"moss": batch("2")}))
    assert {name: Path(name).read_text() for name in before} == before


def test_what_came_goes_without_a_trace(settings: Path) -> None:
    write(pipeline.edited({"fern": batch()}))
    before = {name: Path(name).read_text() for name in ("dvc.yaml", "params.yaml")}
    write(pipeline.edited({"moss": batch("2"), "oak": batch("3", "acceptance")}))
    write(pipeline.edited(drop=["moss", "oak"]))
    assert {name: Path(name).read_text() for name in before} == before


def test_all_batches_can_go_and_others_come(settings: Path) -> None:
    write(pipeline.edited({"fern": batch()}))
    write(pipeline.edited(drop=["fern"]))
    assert load_params().ingest.batches == {}
    assert Path("dvc.yaml").read_text() == DVC_YAML
    write(pipeline.edited({"moss": batch()}))
    assert list(load_params().ingest.batches) == ["moss"]


def test_nothing_is_said_to_change_where_nothing_does(settings: Path) -> None:
    write(pipeline.edited({"fern": batch()}))
    assert pipeline.edited() == {}
    assert pipeline.edited({"fern": batch()}) == {}


def test_a_new_hash_changes_one_line_and_no_stage(settings: Path) -> None:
    write(pipeline.edited({"fern": batch()}))
    assert list(pipeline.edited({"fern": batch("2")})) == [layout.PARAMS]


def test_results_of_a_dropped_batch_leave_the_lock(settings: Path) -> None:
    Path("dvc.lock").write_text(LOCK)
    write(pipeline.edited({"fern": batch(), "ferns": batch("2")}))
    assert Path("dvc.lock").read_text() == LOCK
    write(pipeline.edited(drop=["fern"]))
    came, went = changes("dvc.lock", LOCK)
    assert came == []
    assert went == LOCK.splitlines()[2:7]


def test_names_that_look_like_numbers_stay_names(settings: Path) -> None:
    write(pipeline.edited({"2026": batch(), "1e3": batch("2")}))
    assert list(load_params().ingest.batches) == ["2026", "1e3"]
    assert "    - lake/2026/shard\n" in Path("dvc.yaml").read_text()


def test_params_without_a_list_of_batches_get_one(settings: Path) -> None:
    text = PARAMS_YAML.replace("  batches: {} # written by `petpark data add`\n", "")
    assert text != PARAMS_YAML
    Path("params.yaml").write_text(text)
    write(pipeline.edited({"fern": batch()}))
    assert list(load_params().ingest.batches) == ["fern"]
    assert [line for line in text.splitlines() if line not in Path("params.yaml").read_text().splitlines()] == []


@pytest.mark.parametrize(
    ("path", "old", "new", "sentence"),
    [
        ("dvc.yaml", "  evaluate:", "  judge:", "('stages.evaluate.deps' is missing, or no list)"),
        ("dvc.yaml", "    deps: # training photos\n    - src/train.py\n", "    deps: lake\n", "'stages.train.deps'"),
        ("dvc.yaml", "stages:", "stages: [", "dvc.yaml is not YAML"),
        ("params.yaml", "batches: {}", "batches: []", "params.yaml is written in a way that petpark cannot edit"),
        ("params.yaml", "  short_side: 64\n", "", "'short_side'"),
        ("params.yaml", "ingest:\n", "x:\n", "params.yaml is written in a way that petpark cannot edit"),
    ],
)
def test_a_file_that_cannot_be_edited_is_named(settings: Path, path: str, old: str, new: str, sentence: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))
    with pytest.raises(SettingsError) as error:
        pipeline.edited({"fern": batch()})
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.__cause__ is None


def test_batches_that_are_brackets_in_brackets_are_not_guessed_at(settings: Path) -> None:
    text = PARAMS_YAML.replace("ingest:\n  short_side: 64\n  batches: {} #", "ingest: {short_side: 64, batches: {}} #")
    assert text != PARAMS_YAML
    Path("params.yaml").write_text(text)
    with pytest.raises(SettingsError, match="cannot edit"):
        pipeline.edited({"fern": batch()})


def test_a_list_that_two_stages_share_is_not_guessed_at(settings: Path) -> None:
    text = DVC_YAML.replace("deps: # training photos\n    - src/train.py", "deps: &shared\n    - src/train.py")
    before, _, _ = text.partition("    - models/model.onnx")
    assert before != text != DVC_YAML
    Path("dvc.yaml").write_text(before.rstrip().removesuffix("deps:") + "deps: *shared\n")
    with pytest.raises(SettingsError, match=r"dvc\.yaml is written in a way"):
        pipeline.edited({"fern": batch()})


def test_missing_files_are_named(workspace: Path) -> None:
    with pytest.raises(SettingsError, match=r"params\.yaml is missing"):
        pipeline.edited({"fern": batch()})
    Path("params.yaml").write_text(PARAMS_YAML)
    with pytest.raises(SettingsError, match=r"dvc\.yaml is missing"):
        pipeline.edited({"fern": batch()})
