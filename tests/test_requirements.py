"""The lock: it names no index, meets what is asked for, and is what is installed."""

import itertools
import re
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
GPU = re.compile(r"nvidia-|cuda-|triton")


def lock() -> list[Requirement]:
    """Return the pins of requirements.lock."""
    return [Requirement(line) for line in (ROOT / "requirements.lock").read_text().splitlines()]


def asked() -> list[Requirement]:
    """Return what pyproject.toml asks for, in every group."""
    groups = itertools.chain.from_iterable(PROJECT["dependency-groups"].values())
    return [Requirement(each) for each in (*PROJECT["project"]["dependencies"], *groups)]


def installed(wanted: list[Requirement]) -> dict[NormalizedName, Version]:
    """Return the versions of what is installed of these requirements, and of theirs, however far; no GPU wheels."""
    found: dict[NormalizedName, Version] = {}
    seen: set[str] = set()
    queue = [*wanted]
    while queue:
        requirement = queue.pop()
        if str(requirement) in seen or GPU.match(requirement.name):
            continue
        seen.add(str(requirement))
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            continue
        found[canonicalize_name(requirement.name)] = Version(distribution.version)
        extras = requirement.extras or {""}
        below = [Requirement(text) for text in distribution.requires or ()]
        queue += [
            each
            for each in below
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return found


@pytest.mark.tree
def test_the_lock_names_no_index_and_no_gpu_wheel() -> None:
    text = (ROOT / "requirements.lock").read_text()
    assert "//" not in text
    assert "--" not in text
    assert [pin.name for pin in lock() if GPU.match(pin.name)] in ([], ["nvidia-ml-py"])


def unmet(wanted: list[Requirement], pins: list[Requirement]) -> list[str]:
    """Name the requirements for which no pin stands in the lock, or one that does not fit."""
    versions: dict[NormalizedName, list[str]] = {}
    for pin in pins:
        versions.setdefault(canonicalize_name(pin.name), []).extend(spec.version for spec in pin.specifier)
    known = [(each, versions.get(canonicalize_name(each.name), [])) for each in wanted]
    return [str(each) for each, found in known if not found or not all(map(each.specifier.contains, found))]


def astray(here: Mapping[NormalizedName, Version], pins: list[Requirement]) -> list[str]:
    """Name what is installed in another version than the lock's for this machine, or is not in the lock."""
    locked = {canonicalize_name(pin.name): pin.specifier for pin in pins if not pin.marker or pin.marker.evaluate()}
    return [f"{name} {it}" for name, it in here.items() if name not in locked or it.public not in locked[name]]


@pytest.mark.tree
def test_the_lock_meets_everything_that_is_asked_for() -> None:
    assert unmet(asked(), lock()) == [], "run `make lock`"


@pytest.mark.tree
def test_what_is_installed_is_what_the_lock_says() -> None:
    assert astray(installed(asked()), lock()) == [], "run `make lock`, then `make setup`"


def test_a_requirement_that_the_lock_does_not_meet_is_named() -> None:
    wanted = [Requirement(text) for text in ("one>=2", "two<3", "Three_3[extra]", "four")]
    pins = [
        Requirement(text) for text in ("one==1.9", "two==2 ; os_name == 'x'", "two==3 ; os_name == 'y'", "three-3==1")
    ]
    assert unmet(wanted, pins) == ["one>=2", "two<3", "four"]


def test_what_is_installed_beside_the_lock_is_named() -> None:
    here = {canonicalize_name(name): Version(it) for name, it in {"a": "1", "b": "2+cpu", "c": "3", "d": "4"}.items()}
    pins = [Requirement(text) for text in ("a==1", "b==2", "c==3.1", "d==4 ; os_name == 'none'")]
    assert astray(here, pins) == ["c 3", "d 4"]


def test_requirements_are_followed_to_those_of_their_extras() -> None:
    plain, with_s3 = (installed([Requirement(text)]) for text in ("dvc", "dvc[s3]"))
    assert {"dvc", "dvc-data", "dvc-objects"} < plain.keys() < with_s3.keys()
    assert "dvc-s3" in with_s3
