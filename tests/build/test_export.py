"""Export: a file that fulfils the contract, says what torch says, and tells nothing of the machine that made it."""

import contextlib
import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray

from petpark import Classifier, images, lake, layout
from petpark.build import export, networks, package, pixels
from petpark.card import METADATA, ModelCard
from petpark.config.package import PackageSettings
from petpark.errors import ModelError
from tests.build import lakes
from tests.build.conftest import SEED

CARD = ModelCard(lakes.LABELS, 32, 0.25, "small", "fp32", "d" * 64, "c" * 64)


class Forms(NamedTuple):
    """The trained model, exported in both forms."""

    model: export.Exported
    photos: images.Pixels
    truth: NDArray[np.int64]
    fp32: Path
    int8: Path

    def path(self, form: str) -> Path:
        return {"fp32": self.fp32, "int8": self.int8}[form]


@pytest.fixture(scope="session")
def forms(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Forms:
    """Both forms of the trained model, made as the stage makes them, and the validation side."""
    folder, settings = tmp_path_factory.mktemp("forms"), PackageSettings()
    with contextlib.chdir(trained):
        _, network = package._trained(layout.WEIGHTS)
        photos = lake.read_split()
        sample = package._sample(lake.side(photos, "train"), package._FEATURES, 32, SEED)
        validation = lake.side(photos, "validation")
        seen = pixels.load(validation, 32, "validation")
    model = export.wrap(network, sample)
    export.to_onnx(model, 32, folder / "fp32.onnx")
    export.to_int8(folder / "fp32.onnx", sample[: settings.calibration_photos], folder / "int8.onnx")
    for form in ("fp32", "int8"):
        export.stamp(folder / f"{form}.onnx", CARD)
    return Forms(model, seen, validation.targets(lakes.LABELS), folder / "fp32.onnx", folder / "int8.onnx")


both = pytest.mark.parametrize("form", ["fp32", "int8"])


@both
def test_the_file_fulfils_the_contract(forms: Forms, form: str) -> None:
    session = ort.InferenceSession(forms.path(form))
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape[1:]) == ("image", "tensor(uint8)", [32, 32, 3])
    probabilities, embedding = session.get_outputs()
    assert (probabilities.name, probabilities.type, probabilities.shape[1]) == ("probabilities", "tensor(float)", 3)
    assert (embedding.name, embedding.type) == ("embedding", "tensor(float)")
    assert 1 <= embedding.shape[1] <= export.EMBEDDING
    assert all(isinstance(value.shape[0], str) for value in (image, probabilities, embedding))


@both
@pytest.mark.parametrize("count", [1, 2, 7, 30])
def test_any_number_of_photos_is_answered_with_probabilities(forms: Forms, form: str, count: int) -> None:
    session = ort.InferenceSession(forms.path(form))
    probabilities, embedding = session.run(None, {"image": forms.photos[:count]})
    assert probabilities.shape == (count, 3)
    assert len(embedding) == count
    assert probabilities.dtype == embedding.dtype == np.float32
    assert probabilities.sum(1) == pytest.approx(np.ones(count), abs=1e-5)
    assert probabilities.min() >= 0


@both
def test_a_photo_is_answered_alike_whatever_lies_beside_it(forms: Forms, form: str) -> None:
    classifier = Classifier(forms.path(form))
    together, _ = classifier.run(forms.photos)
    alone = np.concatenate([classifier.run(forms.photos[i : i + 1])[0] for i in range(len(forms.photos))])
    assert np.abs(together - alone).max() < 1e-5


def test_torch_and_fp32_agree(forms: Forms) -> None:
    answers, embedding = Classifier(forms.fp32).run(forms.photos)
    expected = forms.model.run(forms.photos)
    assert expected.max() > 0.9
    assert np.abs(answers - expected).max() < 1e-4
    with torch.inference_mode():
        _, embedded = forms.model(torch.from_numpy(forms.photos))
    assert np.abs(embedding - embedded.numpy()).max() < 1e-3 * np.abs(embedding).max()


def test_int8_is_close_to_fp32_on_a_trained_model_and_much_smaller(forms: Forms) -> None:
    fp32, int8 = Classifier(forms.fp32).run(forms.photos)[0], Classifier(forms.int8).run(forms.photos)[0]
    assert (fp32.argmax(1) == forms.truth).mean() > 0.9
    assert (fp32.argmax(1) == int8.argmax(1)).mean() > 0.9
    assert 0 < np.abs(fp32 - int8).mean() < 0.05
    assert forms.int8.stat().st_size < 0.4 * forms.fp32.stat().st_size


def test_int8_quantises_every_convolution_and_keeps_the_head(forms: Forms) -> None:
    graph = onnx.load(forms.int8).graph
    made_by = {output: node.op_type for node in graph.node for output in node.output}
    inputs = {kind: [node.input for node in graph.node if node.op_type == kind] for kind in ("Conv", "Gemm", "MatMul")}
    assert len(inputs["Conv"]) == 12
    assert all(made_by[name] == "DequantizeLinear" for each in inputs["Conv"] for name in each[:2])
    heads = [name for kind in ("Gemm", "MatMul") for each in inputs[kind] for name in each]
    assert len(heads) == 5
    assert "DequantizeLinear" not in {made_by.get(name) for name in heads}


@both
def test_nothing_of_the_machine_is_in_the_file(forms: Forms, form: str) -> None:
    data = forms.path(form).read_bytes()
    package_folder, home = Path(torch.__file__).parents[1], Path.home()
    for trace in (str(package_folder), str(Path(__file__).parents[2]), str(forms.fp32.parent), "site-packages"):
        assert trace.encode() not in data
    assert not (len(str(home)) > 2 and str(home).encode() in data)
    assert not re.search(rb"stack_trace|pkg\.torch|Traceback|line \d+|[a-z_]{4}\.py", data)
    model = onnx.load(forms.path(form))
    assert (model.producer_name, model.producer_version, model.doc_string) == ("", "", "")
    assert [each.key for each in model.metadata_props] == [METADATA]
    assert len(model.functions) == 0


@both
def test_the_file_is_valid_onnx_that_older_runtimes_read(forms: Forms, form: str) -> None:
    model = onnx.load(forms.path(form))
    onnx.checker.check_model(model, full_check=True)
    assert model.ir_version <= 10
    assert {entry.domain: entry.version for entry in model.opset_import}[""] <= 21


def test_the_same_weights_give_the_same_bytes(forms: Forms, packaged_here: Path) -> None:
    """The stage and this module's fixture export the same weights, each in folders of its own."""
    card = Classifier(layout.MODEL).card
    mine = Path(str(forms.path(card.variant)) + ".stamped")
    mine.write_bytes(forms.path(card.variant).read_bytes())
    export.stamp(mine, card)
    assert mine.read_bytes() == layout.MODEL.read_bytes()


def test_the_card_comes_back_as_it_was_written(forms: Forms, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(forms.fp32.read_bytes())
    card = replace(CARD, labels=("naïve", "日本", 'a "b"'), threshold=0.123456789, variant="int8")
    export.stamp(path, card)
    assert Classifier(path).card == card
    export.stamp(path, CARD)
    assert Classifier(path).card == CARD
    assert path.read_bytes() == forms.fp32.read_bytes()


# The embedding


def network(features: int) -> networks.Network:
    """A network whose features are the first pixels' channels: known numbers."""
    body = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 16 * 16, features))
    torch.manual_seed(2)
    torch.nn.init.normal_(body[1].weight, std=0.01)  # type: ignore[arg-type]
    return networks.Network(body, features, 3)


def noise(count: int) -> images.Pixels:
    return np.random.default_rng(5).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)


def embed(model: export.Exported, photos: images.Pixels) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.asarray(model(torch.from_numpy(photos))[1].numpy())


def test_few_features_are_the_embedding_but_for_their_mean() -> None:
    net, photos = network(40), noise(50)
    embedded = embed(export.wrap(net, photos), photos)
    with torch.inference_mode():
        features = net.features(torch.from_numpy(photos).permute(0, 3, 1, 2).float()).numpy()
    assert embedded == pytest.approx(features - features.mean(0), abs=1e-5)


def test_many_features_are_projected_to_what_tells_photos_apart_best() -> None:
    net, photos = network(160), noise(200)
    embedded = embed(export.wrap(net, photos), photos)
    with torch.inference_mode():
        features = net.features(torch.from_numpy(photos).permute(0, 3, 1, 2).float()).double().numpy()
    spread = np.sort(np.linalg.eigvalsh(np.cov(features.T)))[::-1][: export.EMBEDDING]
    assert embedded.shape == (200, export.EMBEDDING)
    assert np.abs(embedded.mean(0)).max() < 1e-3
    assert embedded.var(0, ddof=1) == pytest.approx(spread, rel=1e-3)


def test_the_embedding_has_fixed_signs() -> None:
    net, photos = network(200), noise(150)
    basis = export.wrap(net, photos).get_buffer("basis")
    assert (basis.gather(0, basis.abs().argmax(0, keepdim=True)) > 0).all()


def test_fewer_photos_than_columns_are_a_smaller_embedding() -> None:
    model = export.wrap(network(200), noise(20))
    assert embed(model, noise(3)).shape == (3, 20)


# What cannot be done


def test_what_cannot_be_quantised_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"no onnx at all")
    with pytest.raises(ModelError, match=r"^no int8 form can be made of this architecture \(.+\)$"):
        export.to_int8(tmp_path / "broken.onnx", noise(2), tmp_path / "int8.onnx")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("resnet18", 64),
        ("mobilenet_v2", 64),
        ("mobilenet_v3_small", 64),
        ("efficientnet_b0", 64),
        ("shufflenet_v2_x0_5", 64),
        ("densenet121", 64),
        ("regnet_y_400mf", 64),
        ("googlenet", 64),
        ("convnext_tiny", 64),
        ("swin_t", 64),
        ("vit_b_16", 224),
    ],
)
def test_models_of_torchvision_become_files_that_run(tmp_path: Path, model: str, size: int) -> None:
    torch.manual_seed(0)
    blocks = np.random.default_rng(0).integers(0, 256, (24, size // 16, size // 16, 3), dtype=np.uint8)
    photos = np.ascontiguousarray(blocks.repeat(16, 1).repeat(16, 2))
    net = _settled(networks.build(model, 3), photos)
    exported = export.wrap(net, photos)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export.to_onnx(exported, size, tmp_path / "fp32.onnx")
        export.to_int8(tmp_path / "fp32.onnx", photos[:16], tmp_path / "int8.onnx")
    answers = {}
    for form in ("fp32", "int8"):
        export.stamp(tmp_path / f"{form}.onnx", replace(CARD, image_size=size, architecture=model))
        answers[form], embedding = Classifier(tmp_path / f"{form}.onnx").run(photos[:7])
        assert answers[form].shape == (7, 3)
        assert embedding.shape[1] <= export.EMBEDDING
    assert np.abs(answers["fp32"] - exported.run(photos[:7])).max() < 1e-4
    assert np.abs(answers["fp32"] - answers["int8"]).max() < 0.2
    assert (tmp_path / "int8.onnx").stat().st_size < 0.5 * (tmp_path / "fp32.onnx").stat().st_size


def _settled(net: networks.Network, photos: images.Pixels) -> networks.Network:
    """Let the batch norms see some photos: without, an untrained network answers each photo alike."""
    norms = [module for module in net.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    for module in norms:
        module.momentum = None  # the mean of all that was seen
    with torch.inference_mode():
        net.train()(torch.from_numpy(photos).permute(0, 3, 1, 2).float())
    return net.eval()
