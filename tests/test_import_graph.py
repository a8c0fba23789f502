"""Layers hold, and every stage lists exactly the code that it imports."""

import ast
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import grimp
import pytest

from tests.import_graph import RESOURCES, complaints, crossings, import_graph, listed, needed, zone

ROOT = Path(__file__).parents[1]
Plant = Callable[[Mapping[str, str]], grimp.ImportGraph]


@pytest.mark.tree
def test_no_module_reaches_into_another_part() -> None:
    assert crossings(import_graph()) == []


@pytest.mark.tree
def test_every_stage_lists_exactly_the_code_that_it_imports() -> None:
    found = list(complaints(ROOT / "dvc.yaml", import_graph()))
    assert not found, "\n\n".join(["", *found])


@pytest.mark.tree
def test_files_read_beside_the_code_are_there_and_so_is_their_reader() -> None:
    for module, path in RESOURCES.items():
        assert module in import_graph().modules
        assert (ROOT / path).exists()


@pytest.mark.tree
def test_packages_hold_no_code() -> None:
    package = ROOT / "src" / "petpark"
    for path in sorted(package.rglob("__init__.py")):
        if path.parent == package or path.parent.name == "cli":
            continue  # the next test looks at the first; no stage lists the command line
        body = ast.parse(path.read_text()).body
        assert [type(each) for each in body] == [ast.Expr], f"{path}: more than a docstring, and no stage lists it"


@pytest.mark.tree
def test_packages_import_nothing_when_they_are_imported() -> None:
    folders = [path.parent for path in (ROOT / "src").rglob("__init__.py") if path.parent.name != "cli"]
    names = sorted(".".join(folder.relative_to(ROOT / "src").parts) for folder in folders)
    code = f"import sys, {', '.join(names)}; print(*sorted(m for m in sys.modules if m.startswith('petpark')))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == names


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Plant:
    """Make a small package under src/ of the temporary folder, named as the test is, and read its imports."""
    name = request.node.name.partition("[")[0]
    monkeypatch.syspath_prepend(str(tmp_path / "src"))

    def grow(modules: Mapping[str, str]) -> grimp.ImportGraph:
        for module, code in {"__init__": "", "build/__init__": "", **modules}.items():
            path = tmp_path / "src" / name / f"{module}.py"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(code.replace("PKG", name))
        return import_graph(name)

    return grow


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("core", "build.train"),
        ("core", "cli"),
        ("config.params", "monitor.drift"),
        ("build.train", "deploy.release"),
        ("build.train", "monitor.drift"),
        ("build.train", "cli"),
        ("deploy.release", "build.train"),
        ("monitor.drift", "deploy.release"),
    ],
)
def test_an_import_across_parts_is_named(plant: Plant, importer: str, imported: str) -> None:
    packages = {f"{part}/__init__": "" for part in ("config", "deploy", "monitor")}
    blank = dict.fromkeys(("core", "cli", "config/params", "build/train", "deploy/release", "monitor/drift"), "")
    name = importer.replace(".", "/")
    graph = plant({**packages, **blank, name: f"def late():\n    from PKG.{imported} import thing\n"})
    package = min(graph.modules, key=len)
    assert crossings(graph) == [f"{package}.{importer} imports {package}.{imported}"]


def test_the_command_line_may_import_every_part_and_every_part_the_core(plant: Plant) -> None:
    graph = plant(
        {
            "cli": "from PKG.build import train\nimport PKG.core",
            "build/train": "import PKG.core\nimport PKG.build.recipe",
            "build/recipe": "",
            "core": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import PKG.build.train",
        }
    )
    assert crossings(graph) == []


@pytest.mark.parametrize(
    ("module", "part"),
    [
        ("petpark", "core"),
        ("petpark.images", "core"),
        ("petpark.report.page", "core"),
        ("petpark.build", "build"),
        ("petpark.build.train", "build"),
        ("petpark.cli.data", "cli"),
        ("petpark.__main__", "cli"),
    ],
)
def test_a_module_belongs_to_the_part_that_its_path_names(module: str, part: str) -> None:
    assert zone(module) == part


MODULES = {
    "__init__": "def __getattr__(name):\n    from PKG import lazy\n    return lazy",
    "build/train": "from PKG import core\nfrom PKG.build.recipe import steps\n",
    "build/recipe": "def steps():\n    import PKG.deep\n",
    "core": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import PKG.typing_only\n",
    "deep": "import json\n",
    "lazy": "",
    "typing_only": "",
    "unrelated": "import PKG.build.train",
}


def right(graph: grimp.ImportGraph, *names: str) -> set[str]:
    return {f"src/{min(graph.modules, key=len)}/{name}.py" for name in names}


def test_a_stage_needs_what_it_imports_however_far(plant: Plant, tmp_path: Path) -> None:
    graph = plant(MODULES)
    assert needed(graph, "train", tmp_path) == right(graph, "build/train", "build/recipe", "core", "deep")


def test_what_a_package_imports_late_counts_where_the_package_itself_is_imported(plant: Plant, tmp_path: Path) -> None:
    graph = plant({**MODULES, "deep": "from PKG import Lazy"})
    assert right(graph, "lazy") < needed(graph, "train", tmp_path)
    assert not right(graph, "__init__") & needed(graph, "train", tmp_path)


def test_files_beside_the_code_count(plant: Plant, tmp_path: Path) -> None:
    graph = plant(MODULES)
    package = min(graph.modules, key=len)
    resources = {f"{package}.deep": "src/templates", f"{package}.unrelated": "src/other"}
    assert needed(graph, "train", tmp_path, resources) - needed(graph, "train", tmp_path) == {"src/templates"}


def pipeline(folder: Path, files: set[str], *, each: bool = False) -> Path:
    """Write a dvc.yaml with the stage `train`."""
    deps = "".join(f"\n        - {file}" for file in sorted(files))
    body = f"cmd: petpark train\n      deps:\n        - lake/split.parquet{deps}\n"
    stage = f"train:\n    foreach: [a, b]\n    do:\n      {body}" if each else f"train:\n      {body}"
    path = folder / "dvc.yaml"
    path.write_text(f"stages:\n  {stage}")
    return path


@pytest.mark.parametrize("each", [False, True])
def test_a_stage_that_lists_what_it_imports_is_right(plant: Plant, tmp_path: Path, each: bool) -> None:
    graph = plant(MODULES)
    assert list(complaints(pipeline(tmp_path, needed(graph, "train", tmp_path), each=each), graph)) == []


@pytest.mark.parametrize("each", [False, True])
def test_one_file_too_few_is_named_and_the_right_list_is_given(plant: Plant, tmp_path: Path, each: bool) -> None:
    graph = plant(MODULES)
    whole, (lost,) = needed(graph, "train", tmp_path), right(graph, "deep")
    (text,) = complaints(pipeline(tmp_path, whole - {lost}, each=each), graph)
    assert f"Missing: {lost}." in text
    assert "Too many: none." in text
    assert [line.removeprefix("      - ") for line in text.splitlines()[3:]] == sorted(whole)


def test_one_file_too_many_is_named(plant: Plant, tmp_path: Path) -> None:
    graph = plant(MODULES)
    (extra,) = right(graph, "unrelated")
    (text,) = complaints(pipeline(tmp_path, {*needed(graph, "train", tmp_path), extra}), graph)
    assert f"Missing: none.\nToo many: {extra}." in text


def test_only_code_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "dvc.yaml"
    path.write_text("stages:\n  a: {cmd: x, deps: [data/a.tar, {src/p/b.py: {hash: md5}}]}\n  c: {cmd: y}\n")
    assert listed(path) == {"a": {"src/p/b.py"}, "c": set()}


def test_a_stage_without_a_module_of_its_name_is_named(plant: Plant, tmp_path: Path) -> None:
    graph = plant({"core": ""})
    package = min(graph.modules, key=len)
    assert list(complaints(pipeline(tmp_path, set()), graph)) == [
        f"dvc.yaml: stage 'train' has no module {package}.build.train."
    ]
