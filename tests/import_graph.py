"""Which module imports which, and what follows for the layers and for the dependencies that stages must list."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import grimp
from ruamel.yaml import YAML

ZONES: Final = {"build": "build", "deploy": "deploy", "monitor": "monitor", "cli": "cli", "__main__": "cli"}
RESOURCES: Final = {"petpark.report.page": "src/petpark/report/templates"}
"""Files that a module reads beside its own code."""


def import_graph(package: str = "petpark") -> grimp.ImportGraph:
    """Read who imports whom; imports inside functions count, those for type checkers do not."""
    return grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)


def zone(module: str) -> str:
    """Return the part that a module belongs to: build, deploy, monitor, cli, or else the core."""
    return ZONES.get(module.split(".")[1], "core") if "." in module else "core"


def crossings(graph: grimp.ImportGraph) -> list[str]:
    """Name the imports that must not be: a part knows the core and itself; only the command line knows every part."""
    return [
        f"{importer} imports {imported}"
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
        if zone(imported) not in ("core", zone(importer)) and zone(importer) != "cli"
    ]


def needed(graph: grimp.ImportGraph, stage: str, root: Path, resources: Mapping[str, str] = RESOURCES) -> set[str]:
    """Return the files that a stage must list: its module and all that this imports, however far.

    Left out are the command line, which only calls the stage, and packages, whose `__init__.py` hold no code.
    """
    package = min(graph.modules, key=len)
    start = f"{package}.build.{stage}"
    modules = {start, *graph.find_upstream_modules(start)}
    files = {f"src/{module.replace('.', '/')}.py" for module in modules if zone(module) != "cli"}
    return {file for file in files if (root / file).exists()} | {resources[each] for each in modules & resources.keys()}


def listed(pipeline: Path) -> dict[str, set[str]]:
    """Return the files of the code that each stage of a dvc.yaml lists as dependencies."""
    stages = YAML(typ="safe").load(pipeline)["stages"]
    return {name: set(_code(stage.get("do", stage).get("deps", []))) for name, stage in stages.items()}


def complaints(pipeline: Path, graph: grimp.ImportGraph, resources: Mapping[str, str] = RESOURCES) -> Iterator[str]:
    """Say of each stage that lists a file too many or too few what is right."""
    package = min(graph.modules, key=len)
    for stage, found in listed(pipeline).items():
        if f"{package}.build.{stage}" not in graph.modules:
            yield f"{pipeline.name}: stage '{stage}' has no module {package}.build.{stage}."
            continue
        right = needed(graph, stage, pipeline.parent, resources)
        if found != right:
            yield "\n".join(
                [
                    f"{pipeline.name}: stage '{stage}' lists other code than it imports.",
                    f"Missing: {', '.join(sorted(right - found)) or 'none'}.",
                    f"Too many: {', '.join(sorted(found - right)) or 'none'}. Right is:",
                    *(f"      - {file}" for file in sorted(right)),
                ]
            )


def _code(dependencies: list[str | dict[str, object]]) -> Iterator[str]:
    for each in dependencies:
        path = each if isinstance(each, str) else next(iter(each))
        if path.startswith("src/"):
            yield path
