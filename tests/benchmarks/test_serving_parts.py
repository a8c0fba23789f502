"""What the serving rows are made of: the photo, the model, servers that run and end, the limit, containers."""

import json
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import simplejpeg
from benchmarks.serving import containers, inside, load, material, servers

from benchmarks import harness, memory
from petpark.classifier import Classifier
from tests.benchmarks.conftest import LABELS

pytestmark = pytest.mark.usefixtures("small")
CORES = sorted(os.sched_getaffinity(0))


@pytest.fixture
def server(tmp_path: Path, served: material.Material) -> Iterator[servers.Server]:
    with servers.petpark(tmp_path, served.model, CORES) as running:
        yield running


def statuses(server: servers.Server, request: str, count: int = 4) -> set[int]:
    answers = harness.apart(load.closed, CORES, server.port, request, 2, count)["answers"]
    return {status for _, _, status, _ in answers}


def test_the_photo_has_its_size_and_as_many_bytes_as_a_camera_gives(served: material.Material) -> None:
    data = Path(served.photo).read_bytes()
    assert simplejpeg.decode_jpeg(data).shape == (480, 640, 3)
    assert abs(len(data) - material.BYTES) < 2_500
    assert material.photo() == data
    assert "drawn" in material.describe(served)


def test_the_photo_is_made_of_real_ones_where_they_are(test_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = material.photo()
    monkeypatch.setenv("PETPARK_TEST_DATA", str(test_data))
    real = material.photo()
    assert real != drawn
    assert abs(len(real) - material.BYTES) < 2_500


def test_the_model_is_packaged_as_the_stage_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With our small network: the one that is measured takes long to export."""
    monkeypatch.setattr(material, "ARCHITECTURE", "small")
    monkeypatch.setattr(material, "SIZE", 16)
    material.model(str(tmp_path / "model.onnx"))
    classifier = Classifier(tmp_path / "model.onnx", threads=1)
    assert (classifier.size, classifier.labels, classifier.card.architecture) == (16, LABELS, "small")


def test_petpark_answers_and_its_time_and_memory_are_seen(server: servers.Server, served: material.Material) -> None:
    before = server.cpu(), server.own_cpu()
    assert statuses(server, served.raw, 40) == {200}
    whole, own = server.cpu() - before[0], server.own_cpu() - before[1]
    assert 0 < own < whole + 0.02
    assert server.resident() > 50_000_000
    with pytest.raises(ConnectionError, match="404"):
        server.text("/nowhere")


def test_a_server_runs_on_its_cores_and_ends_with_all_its_processes(tmp_path: Path, served: material.Material) -> None:
    with servers.petpark(tmp_path, served.model, CORES[:1]) as running:
        family = list(memory.family(running.pid))
        assert len(family) == 2
        assert all(os.sched_getaffinity(pid) == {CORES[0]} for pid in family)
    assert not any(Path(f"/proc/{pid}").exists() for pid in family)
    assert os.sched_getaffinity(0) == {*CORES}


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match=r"missing\.onnx is missing"),
        servers.petpark(tmp_path, str(tmp_path / "missing.onnx"), CORES),
    ):
        pytest.fail("it started")


@pytest.mark.parametrize("threads", [0, 1])
def test_the_tutorials_service_answers(tmp_path: Path, served: material.Material, threads: int) -> None:
    with servers.bento(tmp_path, served.model, CORES, threads) as running:
        assert statuses(running, served.form) == {200}
    text = (tmp_path / f"bento-{threads}" / "service.py").read_text()
    assert ("intra_op_num_threads" in text) is bool(threads)


def test_a_service_by_hand_answers_on_its_loop_and_in_a_thread(tmp_path: Path, served: material.Material) -> None:
    if not find_spec("fastapi"):
        pytest.skip("needs fastapi, of the group `bench`")
    with servers.by_hand(tmp_path, served.model, CORES, workers=2) as running:
        assert statuses(running, served.raw) == statuses(running, served.thread) == {200}
        answers = harness.apart(load.closed, CORES, running.port, served.raw, 4, 8)["answers"]
        workers = {int(worker) for _, _, _, worker in answers}
        assert workers <= {*memory.family(running.pid)}


@pytest.mark.parametrize(("there", "words"), [(1, "share 1 core"), (2, "server on 1 core, client on another")])
def test_client_and_server_share_cores_only_where_they_must(
    there: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {*range(there)})
    assert words in str(servers.cores())
    assert "share" in str(servers.cores(2))


def test_the_limit_and_the_extras_take_their_time(served: material.Material) -> None:
    limit = harness.apart(inside.milliseconds, CORES, served.model, served.photo, 10)
    extras = harness.apart(inside.extras, CORES, served.model, served.photo, 10)
    assert 0.1 < limit < 50
    assert list(extras) == ["looks", "metrics"]
    assert all(0.001 < each < 5 for each in extras.values())


def test_what_runs_in_a_container_is_measured_by_docker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ones take minutes to build: here a stand-in of Docker says what it was asked."""
    asked = []

    def run(command: Sequence[str], *_: object) -> str:
        asked.append(command[1])
        said = {"run": "pulled\nc0ffee\n", "port": "127.0.0.1:8123\n", "exec": "1000\n2000\n"}
        return said.get(command[1], json.dumps([{"State": {"Pid": 1}}]))

    monkeypatch.setattr(harness, "run", run)
    monkeypatch.setattr(containers, "_ready", lambda server: server.port == 8123)
    with containers.running("some") as (name, port, seconds):
        assert (name, port) == ("c0ffee", 8123)
        assert seconds < 5
        assert containers.proportional(name) == [1_024_000, 2_048_000]
    assert asked[-1] == "rm"
