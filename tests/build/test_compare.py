"""Champion against challenger, in real Git repositories with real DVC outputs, and a real ONNX model as champion."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pytest
from dvc.repo import Repo
from onnx import TensorProto, helper

from petpark import images, lake, layout, predictions, shards
from petpark.build import compare as module
from petpark.build.compare import NoChampionError, compare
from petpark.card import ModelCard
from petpark.config.policy import Cost, Mistake
from petpark.errors import DataError, SetupError
from petpark.evidence.build import Comparison
from tests.conftest import draw, jpeg

# pygtrie, under DVC, warns of itself when DVC looks for an output
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

LABELS = ("ash", "beech", "cedar")
TINTS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
COST = Cost(mistakes=(Mistake(label="ash", predicted="beech", cost=5.0),))
PIPELINE = """stages:
  make:
    cmd: "true"
    outs: [{outs}]
"""
OUTS = ["lake/split.parquet", "lake/one/shard", "models/model.onnx", "reports/predictions.parquet"]


def photo_id(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def label(number: int) -> str:
    return LABELS[number % 3]


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def dvc(command: str, **options: bool) -> None:
    with Repo() as repo:
        getattr(repo, command)(**options)


def lay_shard(batch: str, numbers: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Store photos whose colour is that of their label, but for photo 20, which looks like an ash."""
    writer = shards.ShardWriter(layout.shard(batch))
    tints = {number: TINTS[0 if number == 20 else number % 3] for number in numbers}
    places = {number: writer.add(photo_id(number), jpeg(draw(number, tint=tint))) for number, tint in tints.items()}
    writer.close()
    return places


def lay_split(
    sides: dict[int, lake.Side], groups: dict[int, int], places: dict[int, tuple[str, tuple[int, int]]]
) -> None:
    rows = [
        {
            "id": photo_id(number),
            "label": label(number),
            "batch": places[number][0],
            "side": side,
            "corrected": False,
            "group": groups.get(number, number),
            "part": places[number][1][0],
            "row": places[number][1][1],
        }
        for number, side in sides.items()
    ]
    layout.SPLIT.parent.mkdir(exist_ok=True)
    shards.write_table(pa.Table.from_pylist(rows, schema=lake.SPLIT), layout.SPLIT)


def lay_predictions(answers: dict[int, str], labels: Sequence[str] = LABELS) -> None:
    """Write what a model said: the label of each photo, with a confidence of 0.8."""
    index = {name: place for place, name in enumerate(labels)}
    probabilities = np.full((len(answers), len(labels)), 0.2 / (len(labels) - 1), np.float32)
    probabilities[np.arange(len(answers)), [index[answer] for answer in answers.values()]] = 0.8
    truth = np.array([index.get(label(number), -1) for number in answers], np.int64)
    ids = tuple(photo_id(number) for number in answers)
    predictions.write(predictions.Predictions(ids, tuple(labels), truth, probabilities), layout.PREDICTIONS)


def lay_model(labels: Sequence[str] = LABELS, code: str = "first", preprocessing: str = images.PREPROCESSING) -> None:
    """Write a model that tells photos apart by their main colour: red is the first label, blue the last one."""
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float"], ["colour"], axes=[1, 2], keepdims=0),
        helper.make_node("Identity", ["colour"], ["embedding"]),
        helper.make_node("Softmax", ["colour"], ["probabilities"], axis=1),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", 16, 16, 3])
    outputs = [
        helper.make_tensor_value_info(each, TensorProto.FLOAT, ["n", 3]) for each in ("probabilities", "embedding")
    ]
    graph = helper.make_graph(nodes, "colours", [image], outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    card = ModelCard(tuple(labels), 16, 0.5, "colours", "fp32", "data", code, preprocessing)
    helper.set_model_props(model, {"petpark": card.dump()})
    layout.MODEL.parent.mkdir(exist_ok=True)
    onnx.save(model, layout.MODEL)


def record(message: str, outs: Sequence[str] = OUTS) -> None:
    """Let DVC take the outputs into its cache and its remote, and commit everything."""
    Path("dvc.yaml").write_text(PIPELINE.format(outs=", ".join(outs)))
    dvc("commit", force=True)
    dvc("push")
    git("add", "--all")
    git("commit", "--quiet", "--message", message)


def lay_champion() -> None:
    """Photos 0 to 17: twelve to learn from, six to judge on, of which the champion gets number 12 wrong."""
    places = {number: ("one", place) for number, place in lay_shard("one", range(18)).items()}
    sides: dict[int, lake.Side] = {
        number: "train" if number < 9 else "validation" if number < 12 else "test" for number in range(18)
    }
    lay_split(sides, {}, places)
    lay_predictions({number: label(number) for number in range(12, 18)} | {12: "beech"})
    lay_model()


def lay_challenger() -> None:
    """Six more photos: 19 to 21 are new in test; 22 looks like 3 and 23 like 4, which came to test with it.

    The challenger gets number 13 wrong.
    """
    places = {number: ("one", place) for number, place in lay_shard("again", range(18)).items()}
    shutil.rmtree(layout.shard("again").parent)
    places |= {number: ("two", place) for number, place in lay_shard("two", range(18, 24)).items()}
    test = [*range(12, 18), *range(19, 24), 4]
    sides: dict[int, lake.Side] = {number: "test" if number in test else "train" for number in range(24)}
    lay_split(sides, {22: 3, 23: 4}, places)
    lay_predictions({number: label(number) for number in test} | {13: "cedar"})
    lay_model(code="second")


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with two models, champion (tag `champion`) and challenger, and the data of both in `.dvc/store`."""
    root = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        git("init", "--quiet")
        Path(".dvc").mkdir()
        Path(".dvc/config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = store\n")
        Path(".dvc/.gitignore").write_text("/tmp\n/cache\n")
        Path(".gitignore").write_text("/lake/\n/models/\n/reports/\n")
        git("add", "--all")
        git("commit", "--quiet", "--message", "nothing yet")
        git("tag", "nothing")
        lay_champion()
        record("champion")
        git("tag", "champion")
        lay_challenger()
        record("challenger", [*OUTS, "lake/two/shard"])
    return root


@pytest.fixture
def repository(history: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that repository, as the current folder."""
    root = tmp_path / "repository"
    shutil.copytree(history, root)
    monkeypatch.chdir(root)
    return root


def compared(revision: str = "champion", cost: Cost = COST) -> Comparison:
    found = compare(revision, cost, seed=0, resamples=200)
    assert found is not None
    return found


def test_both_are_judged_on_the_photos_that_neither_learned_from(repository: Path) -> None:
    found = compared()
    assert (found.photos, found.seen) == (9, 3)  # seen: 4 itself, and 22 and 23 by what they look like
    assert found.champion_accuracy == pytest.approx(7 / 9, abs=1e-6)  # 12 by its predictions, 20 by its model
    assert found.challenger_accuracy == pytest.approx(8 / 9, abs=1e-6)
    assert found.accuracy_gain.value == pytest.approx(1 / 9, abs=1e-6)
    assert found.accuracy_gain.low < 0 < found.accuracy_gain.high
    assert found.cost_gain.value == pytest.approx(1000 * (5 + 1 - 1) / 9, abs=1e-3)
    assert git("rev-parse", "champion^{commit}").startswith(found.champion)
    git("checkout", "--quiet", "champion")
    dvc("checkout")
    assert hashlib.sha256(layout.MODEL.read_bytes()).hexdigest() == found.champion_model


def test_comparing_leaves_nothing_behind_and_says_the_same_again(
    repository: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path for path in repository.rglob("*") if ".dvc/tmp" not in str(path) and ".git/" not in str(path))
    assert compared() == compared()
    after = sorted(path for path in repository.rglob("*") if ".dvc/tmp" not in str(path) and ".git/" not in str(path))
    assert before == after
    assert capfd.readouterr() == ("", "")


def test_a_clone_that_has_no_data_fetches_what_it_needs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = compared()
    git("clone", "--quiet", str(repository), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    assert not layout.LAKE.exists()
    assert compared() == expected
    assert layout.shard("two").exists()
    assert not layout.shard("one").exists()  # the champion has answered those photos already


@pytest.mark.parametrize("revision", ["HEAD", "main"])
def test_the_same_model_gives_nothing_to_compare(repository: Path, revision: str) -> None:
    assert compare(revision, COST, seed=0) is None


def test_a_revision_without_a_lock_gives_nothing_to_compare(repository: Path) -> None:
    with pytest.raises(NoChampionError, match=r"^dvc\.lock of nothing names no models/model\.onnx$"):
        compare("nothing", COST, seed=0)


def test_a_revision_whose_lock_names_no_predictions_gives_nothing_to_compare(repository: Path) -> None:
    git("checkout", "--quiet", "champion")
    lock = Path("dvc.lock").read_text().replace("reports/predictions.parquet", "reports/other.parquet")
    Path("dvc.lock").write_text(lock)
    git("commit", "--quiet", "--all", "--message", "no predictions")
    git("tag", "odd")
    git("checkout", "--quiet", "main")
    with pytest.raises(NoChampionError, match=r"^dvc\.lock of odd names no reports/predictions\.parquet$"):
        compare("odd", COST, seed=0)


def test_a_lock_that_git_cannot_show_is_no_missing_lock(repository: Path) -> None:
    blob = git("rev-parse", "champion:dvc.lock").strip()
    lost = repository / ".git/objects" / blob[:2] / blob[2:]
    lost.unlink()
    with pytest.raises(DataError, match=r"`git show \w+:\./dvc\.lock` failed \("):
        compare("champion", COST, seed=0)


def test_a_repository_without_commits_has_no_champion(workspace: Path) -> None:
    git("init", "--quiet")
    with pytest.raises(NoChampionError, match="this repository has no commit yet"):
        compare("HEAD", COST, seed=0)
    with pytest.raises(DataError, match="no Git revision 'nonsense'"):
        compare("nonsense", COST, seed=0)


def test_outside_git_it_says_so(workspace: Path) -> None:
    with pytest.raises(SetupError, match="This is no Git repository"):
        compare("HEAD", COST, seed=0)


@pytest.mark.parametrize("revision", ["never-was", "--help", "HEAD:dvc.lock"])
def test_an_unknown_revision_is_one_sentence(repository: Path, revision: str) -> None:
    with pytest.raises(DataError, match=r"no Git revision '.*' to compare with: `git log`"):
        compare(revision, COST, seed=0)


def test_a_shallow_clone_is_told_how_to_get_deeper(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = git("rev-parse", "champion").strip()
    git("clone", "--quiet", "--depth", "1", repository.as_uri(), str(tmp_path / "clone"))
    monkeypatch.chdir(tmp_path / "clone")
    with pytest.raises(DataError, match="git fetch --unshallow"):
        compare(champion, COST, seed=0)


def objects(repository: Path, path: str) -> list[Path]:
    """Where the object of an output of the champion lies, in cache and remote."""
    lock = module._outputs(git("show", "champion:dvc.lock"))
    md5 = lock[Path(path)]
    return [repository / ".dvc" / place / "files/md5" / md5[:2] / md5[2:] for place in ("cache", "store")]


def test_predictions_that_are_nowhere_are_one_sentence(repository: Path) -> None:
    for path in objects(repository, "reports/predictions.parquet"):
        path.unlink()
    with pytest.raises(DataError, match=r"reports/predictions.parquet of revision \w{12} is in neither .* `dvc push`"):
        compare("champion", COST, seed=0)


def test_a_damaged_object_of_the_remote_is_noticed(repository: Path) -> None:
    cached, stored = objects(repository, "models/model.onnx")
    cached.unlink()
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes()[:-9])
    with pytest.raises(DataError, match="came damaged"):
        compare("champion", COST, seed=0)


def test_data_that_cannot_be_fetched_is_one_sentence(repository: Path) -> None:
    layout.PREDICTIONS.unlink()
    for place in ("cache", "store"):
        shutil.rmtree(repository / ".dvc" / place)
    with pytest.raises(DataError, match=r"reports/predictions\.parquet cannot be fetched: .*`dvc repro`"):
        compare("champion", COST, seed=0)


@pytest.mark.parametrize("content", ["stages: [unfinished\n", "[" * 100_000])
def test_a_broken_lock_is_one_sentence(repository: Path, content: str) -> None:
    Path("dvc.lock").write_text(content)
    with pytest.raises(DataError, match=r"dvc\.lock cannot be read"):
        compare("champion", COST, seed=0)


def test_nothing_is_compared_where_the_champion_learned_from_all(repository: Path) -> None:
    lay_predictions({4: "beech", 22: "beech"})
    with pytest.raises(NoChampionError, match="the champion of champion learned from every photo of the test side"):
        compare("champion", COST, seed=0)


def test_labels_are_matched_by_name_not_by_place(repository: Path) -> None:
    """The champion knows `dogwood` and no `ash`, in another order: what it calls dogwood is wrong."""
    git("checkout", "--quiet", "-b", "other", "champion")
    dvc("checkout", force=True)
    other = ("cedar", "dogwood", "beech")
    lay_predictions({12: "dogwood", 13: "beech", 14: "cedar", 15: "dogwood", 16: "beech", 17: "dogwood"}, other)
    lay_model(("dogwood", "beech", "cedar"))
    record("other labels")
    git("checkout", "--quiet", "main")
    dvc("checkout", force=True)
    found = compared("other", Cost(mistakes=(Mistake(label="ash", predicted="dogwood", cost=3.0),)))
    # right: 13, 14, 16 by its predictions, 19 (beech) by its model; 20 and 21 look like `dogwood`, its first colour
    assert found.champion_accuracy == pytest.approx(4 / 9, abs=1e-6)
    wrong = 3 + 3 + 1 + 1 + 3  # 12, 15 and 21 are ashes called dogwood; 17 and 20 are cedars
    assert found.cost_gain.value == pytest.approx(1000 * (wrong - 1) / 9, abs=1e-3)


def test_new_photos_are_left_out_where_the_champion_cannot_be_asked(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git("checkout", "--quiet", "-b", "old", "champion")
    dvc("checkout", force=True)
    lay_model(preprocessing="squint/0")
    record("a champion of another time")
    git("checkout", "--quiet", "main")
    dvc("checkout", force=True)
    found = compared("old")
    assert (found.photos, found.seen) == (6, 3)
    assert found.champion_accuracy == pytest.approx(5 / 6, abs=1e-6)
    assert "3 photos that are new to the champion are left out" in capsys.readouterr().out
