"""The rows that race in repositories, at a tiny size: one more batch, files in DVC, nothing to do."""

from pathlib import Path

import pytest

from benchmarks import dvc_files, increment, noop, pictures, repository

pytestmark = pytest.mark.usefixtures("tiny")


def test_one_more_batch_is_timed_after_all_others() -> None:
    found = increment.run()
    assert found.row == "increment"
    assert found.figure > 0
    assert "20 after 2,000" in found.machine


@pytest.mark.parametrize(("all_", "more", "met"), [(100.0, 6.9, True), (100.0, 7.1, False), (10.0, 5.3, False)])
def test_one_more_batch_may_take_two_percent_and_five_seconds(all_: float, more: float, *, met: bool) -> None:
    assert increment.judge([increment.Took(all_, more)], 1000).met is met


def test_an_archive_races_loose_files_through_dvc() -> None:
    found = dvc_files.run()
    assert found.figure > 0
    assert list(found.peers) == ["loose files, packing counted too"]


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a photo and a stage, whose result is committed and in a store of its own."""
    root = repository.empty(tmp_path_factory.mktemp("park") / "origin")
    (root / ".dvc" / "config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = store\n")
    (root / ".gitignore").write_text("/data\n/models\n")
    pictures.pack(root / "data" / "some.tar", pictures.small(2))
    (root / "dvc.yaml").write_text(
        "stages:\n  train:\n    cmd: mkdir -p models && wc -c data/some.tar > models/model.onnx\n"
        "    deps: [data/some.tar]\n    outs: [models/model.onnx]\n"
    )
    for words in (("add", "data"), ("repro",), ("push",)):
        repository.dvc(root, *words)
    repository.commit(root)
    return root


def test_where_nothing_changed_nothing_is_touched(origin: Path, tmp_path: Path) -> None:
    noop.check(origin, tmp_path)
    found = noop.look(origin, tmp_path)
    assert found.touched == []
    assert 0 < found.seconds < 60


def test_a_model_that_is_fetched_is_named(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(noop, "_COMMAND", ("pull", "models/model.onnx"))
    assert noop.look(origin, tmp_path).touched == ["models/model.onnx"]


def test_a_stale_lock_is_refused_before_a_stage_runs(origin: Path, tmp_path: Path) -> None:
    changed = repository.clone(origin, tmp_path / "changed")
    text = (changed / "dvc.yaml").read_text()
    (changed / "dvc.yaml").write_text(text.replace("wc -c", "wc -w"))
    repository.commit(changed)
    with pytest.raises(RuntimeError, match="has to run: train"):
        noop.check(changed, tmp_path)
