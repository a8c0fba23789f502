"""The command line: exit status, one sentence for what a person can mend, and no traceback."""

import argparse
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from petpark import cli, files, lake, layout
from petpark.cli import main
from petpark.evidence.build import BuildEvidence
from petpark.evidence.evaluation import Evaluation
from petpark.evidence.validation import Validation
from tests import models
from tests.build import checkouts, lakes
from tests.conftest import draw, jpeg
from tests.test_gate import HEALTHY, changed

# pygtrie, under DVC, warns of itself when DVC looks for an output
pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep.value will soon raise:DeprecationWarning")

STAGES = ("ingest", "split", "validate", "train", "package", "evaluate")
RED, GREEN = (230, 40, 40), (40, 230, 40)
Answer = tuple[int, str, str]


@pytest.fixture
def settled(workspace: Path) -> Path:
    """A folder with settings and nothing else, as the current one."""
    layout.PARAMS.write_text(checkouts.PARAMS)
    layout.POLICY.write_text("{}\n")
    return workspace


@pytest.fixture
def classified(workspace: Path) -> Path:
    """A folder with a model that answers by colours, and photos, as the current one."""
    models.save(layout.MODEL, metadata=models.card(threshold=0.8))
    for name, tint in (("red", RED), ("green", GREEN), ("grey", (120, 120, 120))):
        Path(f"{name}.jpg").write_bytes(jpeg(draw(1, tint=tint)))
    return workspace


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with settings, two batches and the lake that is made of them; to be left as it is."""
    folder = tmp_path_factory.mktemp("grown")
    settings = lakes.grow(folder, 90)
    batches = {name: {"sha256": batch.sha256} for name, batch in settings.batches.items()}
    (folder / layout.PARAMS).write_text(checkouts.PARAMS.replace("batches: {}", f"batches: {json.dumps(batches)}"))
    (folder / layout.POLICY).write_text("{}\n")
    models.save(folder / layout.MODEL, metadata=models.card())
    return folder


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> Answer:
    """Run a command here; return its status and what it wrote."""
    status = main(arguments)
    said = capsys.readouterr()
    return status, said.out, said.err


def sentence(answer: Answer) -> str:
    """What a command said that could not be carried out."""
    status, out, err = answer
    assert (status, out) == (2, "")
    assert err.startswith("petpark: ")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own, after some code."""
    start = f"import sys\n{code}\nfrom petpark.cli import main\nsys.exit(main(sys.argv[1:]))"
    return subprocess.run([sys.executable, "-c", start, *arguments], check=False, capture_output=True, text=True)


def commands(parser: argparse.ArgumentParser, *path: str) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every command with its parser, groups of commands too."""
    yield path, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield from commands(inner, *path, name)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.parametrize("path", [path for path, _ in commands(cli.parser())], ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*path, "--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: {' '.join(['petpark', *path])}")
    parser = dict(commands(cli.parser()))[path]
    assert parser.description
    assert parser.description[0].isupper()
    assert parser.description.endswith(".")


def test_every_command_stands_in_the_list_of_its_group_with_a_line() -> None:
    for path, parser in commands(cli.parser()):
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                lines = {choice.dest: choice.help for choice in action._choices_actions}
                assert lines.keys() == action.choices.keys(), path
                assert all(lines.values()), path


@pytest.mark.parametrize(
    "arguments", [[], ["brew"], ["gate"], ["gate", "brew"], ["data"], ["predict"], ["ingest", "a"], ["split", "a"]]
)
def test_a_command_that_does_not_exist_or_is_incomplete_is_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("usage: petpark")


def test_settings_that_are_missing_are_missed_in_one_sentence(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "params.yaml is missing: run this from the repository's root" in sentence(ask(capsys, "split"))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("seed: 3", "sead: 3", "sead"),
        ("resamples: 100", "resamples: many", "evaluate.resamples"),
        ("short_side: 40", "shortside: 40", "ingest.shortside"),
        ("split: {validation_share: 0.25}", "split: {test_share: 2.0}", "split.test_share"),
    ],
)
def test_every_stage_refuses_settings_that_are_wrong_anywhere(
    settled: Path, stage: str, old: str, new: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    layout.PARAMS.write_text(checkouts.PARAMS.replace(old, new))
    more = ("one", "--sha256", "0" * 64) if stage == "ingest" else ()
    assert f"'{key}'" in sentence(ask(capsys, stage, *more))
    assert sorted(path.name for path in settled.iterdir()) == ["params.yaml", "policy.yaml"]


@pytest.mark.parametrize("command", [["package"], ["evaluate"], ["gate", "build"]])
def test_a_policy_that_is_wrong_is_refused(
    settled: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    layout.POLICY.write_text("build: {min_acuracy: 0.9}\n")
    assert "policy.yaml: unknown key 'build.min_acuracy'" in sentence(ask(capsys, *command))


@pytest.mark.parametrize("stage", ["train", "validate"])
def test_a_typo_is_found_before_anything_heavy_is_imported(settled: Path, stage: str) -> None:
    layout.PARAMS.write_text(checkouts.PARAMS.replace("seed: 3", "sead: 3"))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import atexit; atexit.register(lambda: print(*sys.modules))"
    done = run(stage, code=code)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert not {"torch", "torchvision", "deepchecks", "dvc", "numpy", "pyarrow"} & set(done.stdout.split())
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.5


@pytest.mark.parametrize(("command", "package"), [("predict", "onnxruntime"), ("split", "ruamel"), ("train", "torch")])
def test_a_missing_package_is_one_sentence_with_the_remedy(settled: Path, command: str, package: str) -> None:
    done = run(command, *(["a.jpg"] if command == "predict" else []), code=f"sys.modules[{package!r}] = None")
    text = sentence((done.returncode, done.stdout, done.stderr))
    assert f"`petpark {command}` needs the package '{package}" in text
    assert "make setup" in text


def test_a_missing_module_of_ours_is_a_bug_and_shows_as_one(settled: Path) -> None:
    done = run("split", code="sys.modules['petpark.build.split'] = None")
    assert done.returncode == 70
    assert "Traceback" in done.stderr


def test_a_full_device_is_recognised_whoever_writes_to_it(
    grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(grown)
    link = tmp_path / "full"  # a link, because pyarrow removes what it could not finish

    @contextmanager
    def full(_: Path) -> Iterator[Path]:
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/full")
        yield link

    monkeypatch.setattr(files, "whole", full)
    for stage in ("split", "validate", "evaluate"):
        assert "no space is left on the device" in sentence(ask(capsys, stage))
    assert Path("/dev/full").is_char_device()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["split", "validate", "evaluate", "ingest"])
def test_on_a_full_disk_nothing_half_written_stays_and_nothing_is_lost(grown: Path, tmp_path: Path, stage: str) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("needs root: a small disk is mounted, and filled")
    try:
        shutil.copytree(grown, disk, dirs_exist_ok=True)
        (disk / "reports").mkdir()
        fill(disk / "filler")
        before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
        params = (disk / layout.PARAMS).read_text()
        sha256 = params.partition('"sha256": "')[2][:64]
        more = ["first", "--sha256", sha256] if stage == "ingest" else []
        done = subprocess.run(["petpark", stage, *more], cwd=disk, check=False, capture_output=True, text=True)
        assert "no space is left on the device" in sentence((done.returncode, done.stdout, done.stderr))
        assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_stages_run_with_the_settings_of_params_yaml(
    grown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(lakes.copy(grown, tmp_path / "here"))
    before = layout.SPLIT.read_bytes()
    shutil.rmtree(layout.LAKE)
    for batch in lakes.BATCHES:
        sha256 = files.sha256(layout.archive(batch))
        assert ask(capsys, "ingest", batch, "--sha256", sha256)[0] == 0
    for stage in ("split", "validate", "evaluate"):
        status, out, _ = ask(capsys, stage)
        assert status == 0
        assert out.count("\n") == 1
    assert layout.SPLIT.read_bytes() == before
    found = Evaluation.read(layout.EVALUATION)
    assert found.photos == len(lake.side(lake.read_split(), "test"))
    assert found.mistakes == ()
    assert layout.PREDICTIONS.exists()
    assert Validation.read(layout.VALIDATION).batches[0].batch == "first"


def test_a_batch_that_is_not_here_is_missed(settled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = sentence(ask(capsys, "ingest", "november", "--sha256", "0" * 64))
    assert "data/november.tar is missing" in text


@pytest.fixture
def judged(workspace: Path) -> Path:
    """A checkout with evidence that no rule objects to."""
    checkouts.make(HEALTHY)
    return workspace


def test_the_gate_says_yes_with_status_0(judged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout.COMPARISON.write_text("of another day")
    status, out, err = ask(capsys, "gate", "build")
    assert (status, err) == (0, "")
    assert out.startswith("Verdict: yes, the model may be merged.\n")
    assert "accuracy" in out
    assert not layout.COMPARISON.exists(), "no champion, no comparison"


def test_the_gate_says_no_with_reasons_and_status_1(judged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkouts.reproduced(changed(BuildEvidence, HEALTHY, {"validation.leaked": 2, "evaluation.accuracy.low": 0.6}))
    status, out, err = ask(capsys, "gate", "build")
    assert (status, err) == (1, "")
    assert out.startswith("Verdict: no, for 2 reasons.\n")
    assert "2 photos to learn from look like photos to judge on" in out
    assert "floor of 85.0%" in out


def test_the_gate_judges_by_the_policy_at_hand(judged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layout.POLICY.write_text("build: {min_accuracy: 0.99}\n")
    assert ask(capsys, "gate", "build")[0] == 1


@pytest.mark.parametrize("path", [layout.VALIDATION, layout.PACKAGE, layout.EVALUATION])
def test_without_evidence_the_gate_says_neither_yes_nor_no(
    judged: Path, path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("{")
    assert f"{path} is no JSON" in sentence(ask(capsys, "gate", "build"))
    path.unlink()
    assert f"{path} is missing: make it with `make run`" in sentence(ask(capsys, "gate", "build"))


def test_a_champion_that_does_not_exist_is_one_sentence(judged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no Git revision 'nobody'" in sentence(ask(capsys, "gate", "build", "--champion", "nobody"))


def test_predict_says_label_confidence_and_file_in_order(classified: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ask(capsys, "predict", "green.jpg", "red.jpg", "grey.jpg")
    assert (status, err) == (0, "")
    lines = [line.split() for line in out.splitlines()]
    assert [(line[0], line[-1]) for line in lines[:2]] == [("beech", "green.jpg"), ("ash", "red.jpg")]
    assert lines[2][-1] == "grey.jpg"
    assert [line[1].endswith("%?") for line in lines] == [False, False, True]
    assert float(lines[0][1].rstrip("%")) > 80


def test_predict_goes_on_after_a_photo_that_cannot_be_used(
    classified: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("notes.jpg").write_text("no photo")
    Path("folder.jpg").mkdir()
    Path("cut.jpg").write_bytes(Path("red.jpg").read_bytes()[:-300])
    status, out, err = ask(capsys, "predict", "notes.jpg", "cut.jpg", "folder.jpg", "nowhere.jpg", "red.jpg")
    assert (status, err) == (2, "")
    lines = out.splitlines()
    assert len(lines) == 5
    assert lines[0].endswith("notes.jpg: not a photo in a format that petpark reads (JPEG, PNG, WebP, GIF, BMP, TIFF)")
    assert "cut.jpg: the image data is cut short or broken" in lines[1]
    assert lines[2].endswith("folder.jpg: Is a directory")
    assert lines[3].endswith("nowhere.jpg: No such file or directory")
    assert lines[4].split()[0] == "ash"
    columns = {line.index(name) for line, name in zip(lines, ("notes", "cut", "folder", "nowhere", "red"), strict=True)}
    assert len(columns) == 1, "names stand under each other"


def test_predict_without_a_model_says_how_to_get_one(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "models/model.onnx is missing" in sentence(ask(capsys, "predict", "red.jpg"))


def test_predict_takes_another_model(classified: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = ("rot", "grün", "blau")
    models.save(Path("other.onnx"), models.colours(labels), models.card(labels))
    assert "grün" in ask(capsys, "predict", "--model", "other.onnx", "green.jpg")[1]


def test_a_file_whose_name_is_no_text_is_classified(classified: Path) -> None:
    name = os.fsdecode(b"caf\xe9.jpg")
    shutil.copy("red.jpg", name)
    done = subprocess.run(["petpark", "predict", name], check=False, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split()[0] == b"ash"


def test_ctrl_c_ends_quietly_with_status_130(classified: Path) -> None:
    # Who starts the tests may ignore the signal, and a child would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-u", "-m", "petpark", "predict", *["red.jpg"] * 20_000]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert b"ash" in child.stdout.readline()  # it is at work now
        child.send_signal(signal.SIGINT)
        _, err = child.communicate(timeout=60)
    signal.signal(signal.SIGINT, before)
    assert (child.returncode, err) == (130, b"")


def test_a_defect_comes_with_a_traceback_and_a_status_that_is_no_verdict(
    classified: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("petpark.classifier.Classifier", None)
    status, out, err = ask(capsys, "predict", "red.jpg")
    assert (status, out) == (70, "")
    assert "TypeError: 'NoneType' object is not callable" in err


def test_predict_reads_nothing_that_is_too_large_or_never_ends(
    classified: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Path("huge.jpg").open("wb") as file:
        file.truncate(30 << 30)
    os.mkfifo("pipe.jpg")
    status, out, err = ask(capsys, "predict", "huge.jpg", "pipe.jpg", "/dev/zero", "red.jpg")
    assert (status, err) == (2, "")
    huge, pipe, device, red = out.splitlines()
    assert huge.endswith("huge.jpg: the file is larger than 64 MiB; not decoded (30720 MiB)")
    assert pipe.endswith("(no ordinary file)")
    assert device.endswith("(no ordinary file)")
    assert red.split()[0] == "ash"


def test_names_that_would_steer_the_terminal_are_shown_as_escapes(
    classified: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy("red.jpg", "\x1b[31mred\n.jpg")
    _, out, _ = ask(capsys, "predict", "\x1b[31mred\n.jpg", "\x1bnowhere")
    assert out.splitlines()[0].endswith(r" \x1b[31mred\n.jpg")
    assert out.splitlines()[1].endswith(r" \x1bnowhere: No such file or directory")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_went_away_is_no_traceback(
    classified: Path, unbuffered: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    read, write = os.pipe()
    os.close(read)
    child = subprocess.Popen(["petpark", "predict", "red.jpg"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (2, b"")


def test_batches_are_listed_even_where_there_is_no_dvc(
    grown: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(grown)
    status, out, err = ask(capsys, "data", "list")
    assert (status, err) == (0, "")
    assert [batch for batch in lakes.BATCHES if batch in out] == list(lakes.BATCHES)


@pytest.mark.parametrize("command", [["drop", "nobody"], ["role", "nobody", "train"]])
def test_a_batch_that_does_not_exist_is_one_sentence(
    settled: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command[1] in sentence(ask(capsys, "data", *command))


def test_pages_cannot_be_made_again_outside_a_dvc_repository(settled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "`dvc pull` failed" in sentence(ask(capsys, "report"))
