"""The build manifest: what a build consists of, and which version it bears."""

import json
from pathlib import Path

import pytest

from petpark import embedded, files, layout
from petpark.classifier import Classifier
from petpark.deploy.bundle import manifest, source
from petpark.errors import DataError, ModelError, SetupError
from tests import models
from tests.deploy.checkouts import git

COMMIT = "0123456789abcdef" * 2 + "01234567"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.save(tmp_path / "a model.onnx", metadata=models.card(threshold=0.625, architecture="oak"))


def test_a_manifest_says_what_the_model_says_of_itself_and_what_was_built(model: Path) -> None:
    found = manifest.of(model, "1.2.0", COMMIT)
    assert found.model_dump(mode="json", by_alias=True) == {
        "schema": "build/1",
        "version": "1.2.0",
        "commit": COMMIT,
        "data": "data",
        "model": files.sha256(model),
        "labels": ["ash", "beech", "cedar"],
        "image_size": 16,
        "architecture": "oak",
        "variant": "fp32",
        "threshold": 0.625,
    }


def test_a_manifest_survives_its_file_and_is_the_same_each_time(model: Path, tmp_path: Path) -> None:
    found = manifest.of(model, "1.2.0", COMMIT)
    found.write(tmp_path / "one.json")
    manifest.of(model, "1.2.0", COMMIT).write(tmp_path / "two.json")
    assert manifest.BuildManifest.read(tmp_path / "one.json") == found
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


@pytest.mark.parametrize("version", ["1", "1.2.0", "1.2.0rc1", "0.1.0.dev0+g1a2b3c4d5.dirty", "2.0.post1"])
def test_a_version_is_one_that_python_packages_may_have(model: Path, version: str) -> None:
    assert manifest.of(model, version, COMMIT).version == version


@pytest.mark.parametrize(
    "version", ["", "v1.2.0", "1.2.0-rc1", "latest", "1.2.0+", "1.2.0 ", "1.2.0\n", "1.2.0+G", "\u0661.2"]
)
def test_what_is_no_version_is_refused(model: Path, version: str) -> None:
    with pytest.raises(SetupError, match=r"is no version: write it like 1\.2\.0"):
        manifest.of(model, version, COMMIT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("commit", "main"),
        ("model", "0"),
        ("schema", "build/9"),
        ("version", "one"),
        ("threshold", 2),
        ("labels", "ash"),
    ],
)
def test_a_manifest_with_an_impossible_value_is_not_read(model: Path, tmp_path: Path, key: str, value: object) -> None:
    path = tmp_path / "build.json"
    values = manifest.of(model, "1.2.0", COMMIT).model_dump(mode="json", by_alias=True)
    path.write_text(json.dumps({**values, key: value}))
    with pytest.raises(DataError, match=key):
        manifest.BuildManifest.read(path)


def test_a_later_version_may_add_to_a_manifest(model: Path, tmp_path: Path) -> None:
    path = tmp_path / "build.json"
    found = manifest.of(model, "1.2.0", COMMIT)
    path.write_text(json.dumps({**found.model_dump(mode="json", by_alias=True), "colour": "green"}))
    assert manifest.BuildManifest.read(path) == found


def test_without_a_model_there_is_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.onnx is missing"):
        manifest.of(tmp_path / "model.onnx", "1.2.0", COMMIT)


def test_a_checkout_carries_nothing_and_says_what_to_do() -> None:
    assert manifest.carried() is None
    assert embedded.carried(embedded.INDEX) is None
    with pytest.raises(ModelError, match=r"carries no model: install the wheel that `make wheel` makes"):
        Classifier.embedded()


@pytest.fixture
def checkout(workspace: Path) -> Path:
    """A repository with one commit that is the current folder."""
    source.PROJECT.write_text('[project]\nname = "x"\nversion = "3.1.4"\n[tool]\nother = 1\n')
    git(workspace, "init", "--quiet")
    git(workspace, "add", "--all")
    git(workspace, "commit", "--quiet", "--message", "first", committer="2026-01-02T03:04:05Z")
    return workspace


def test_a_build_of_development_is_named_by_its_commit(checkout: Path) -> None:
    here = source.checked_out()
    assert here == source.Source(git(checkout, "rev-parse", "HEAD"), 1767323045, changed=False)
    assert here.version() == f"3.1.4.dev0+g{here.commit[:9]}"
    assert here.version("1.2.0") == "1.2.0"


@pytest.mark.parametrize("name", [str(source.PROJECT), "new.txt"])
def test_files_that_are_not_in_the_commit_show_in_the_version(checkout: Path, name: str) -> None:
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    here = source.checked_out()
    assert here.version() == f"3.1.4.dev0+g{here.commit[:9]}.dirty"
    with pytest.raises(SetupError, match=r"version 1\.2\.0 must be what is in it: commit them first"):
        here.version("1.2.0")


def test_another_version_changes_that_line_of_the_project_alone(checkout: Path) -> None:
    assert source.with_version("9.8") == source.PROJECT.read_text().replace("3.1.4", "9.8")


def test_a_folder_that_git_does_not_know_is_told(workspace: Path) -> None:
    with pytest.raises(SetupError, match=r"`git show` failed: .*not a git repository"):
        source.checked_out()


def test_a_project_without_a_version_is_told(checkout: Path) -> None:
    source.PROJECT.write_text("[project]\n")
    with pytest.raises(SetupError, match="has no line `version"):
        source.declared()
    source.PROJECT.unlink()
    with pytest.raises(SetupError, match=r"pyproject\.toml is missing: run this from the repository's root"):
        source.declared()


def test_without_git_there_is_no_build(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetupError, match="`git` is missing"):
        source.checked_out()


def test_ignored_and_removed_files_are_no_source(checkout: Path) -> None:
    for name in ("kept.txt", "gone.txt"):
        (checkout / name).write_text(name)
    git(checkout, "add", "--all")
    (checkout / "gone.txt").unlink()
    (checkout / ".gitignore").write_text("secret.txt\n")
    (checkout / "secret.txt").write_text("secret")
    assert [str(path) for path in source.tracked()] == [".gitignore", "kept.txt", "pyproject.toml"]
    assert layout.MODEL not in source.tracked()
