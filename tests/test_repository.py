"""The repository itself: what may not stand in its files, its tasks, and how quickly the command answers."""

import itertools
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
MEBIBYTE = 1 << 20
ELSEWHERE = tuple(  # in pieces, so that this file does not hold them
    "".join(pieces)
    for pieces in (
        ("pypi", ".org"),
        ("pythonhosted", ".org"),
        ("download.py", "torch.org"),
        ("npmjs", ".org"),
        ("crates", ".io"),
        ("/wo", "rk/"),
        ("/ro", "ot/"),
    )
)


def tracked(root: Path = ROOT) -> list[Path]:
    """Return the files that are in Git, or would be with the next `git add`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout.split("\0")
    return [path for name in sorted(set(names)) if (path := root / name).is_file()]


def strangers(root: Path) -> list[str]:
    """Name the files that hold an address of a package index or a path of one machine."""
    return [
        f"{path.relative_to(root)}: {text}"
        for path in tracked(root)
        for text in ELSEWHERE
        if text.encode() in path.read_bytes()
    ]


def heavy(root: Path) -> list[str]:
    """Name the files outside DVC's store that are larger than 1 MiB."""
    names = [path.relative_to(root).as_posix() for path in tracked(root) if path.stat().st_size > MEBIBYTE]
    return [name for name in names if not name.startswith(".dvc/store/")]


@pytest.mark.tree
def test_no_file_holds_the_address_of_an_index_or_a_path_of_one_machine() -> None:
    assert strangers(ROOT) == []


@pytest.mark.tree
def test_no_file_outside_the_store_is_larger_than_1_mib() -> None:
    assert heavy(ROOT) == []


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """An empty repository with a .gitignore."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("/ignored/\n")
    return tmp_path


def lay(root: Path, files: Mapping[str, bytes]) -> Path:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


@pytest.mark.parametrize("text", ELSEWHERE)
def test_a_file_with_such_an_address_or_path_is_named(repository: Path, text: str) -> None:
    holds = f"see {text}simple".encode()
    lay(repository, {"a/b.txt": b"\xff\n" + holds, "ignored/b.txt": holds, "c.txt": b"nothing"})
    assert strangers(repository) == [f"a/b.txt: {text}"]


def test_a_large_file_is_named_unless_it_lies_in_the_store(repository: Path) -> None:
    large = bytes(MEBIBYTE + 1)
    lay(repository, {"large": large, "fits": large[1:], ".dvc/store/ab/c": large, "ignored/large": large})
    subprocess.run(["git", "add", "large"], cwd=repository, check=True)
    assert heavy(repository) == ["large"]


@pytest.mark.tree
def test_git_changes_no_byte_of_the_store() -> None:
    command = ["git", "check-attr", "text", "diff", "--", ".dvc/store/files/md5/ab/cdef"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    assert [line.rpartition(": ")[2] for line in done.stdout.splitlines()] == ["unset", "unset"]


@pytest.mark.tree
def test_every_task_has_its_sentence_and_is_no_file() -> None:
    text = (ROOT / "Makefile").read_text()
    tasks = re.findall(r"^([a-z-]+):.*## \S", text, re.MULTILINE)
    assert re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE) == [" ".join(tasks)]
    done = subprocess.run(["make"], cwd=ROOT, check=True, capture_output=True, text=True)
    assert [line.split()[1] for line in done.stdout.splitlines()] == tasks


@pytest.mark.tree
def test_hooks_fetch_nothing_and_run_what_lint_runs() -> None:
    repositories = YAML(typ="safe").load(ROOT / ".pre-commit-config.yaml")["repos"]
    assert [each["repo"] for each in repositories] == ["local"]
    shown = subprocess.run(["make", "--dry-run", "lint"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for hook in repositories[0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].removesuffix(" --force-exclude") in shown, hook["id"]


def forms() -> list[Path]:
    return sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.tree
@pytest.mark.parametrize("path", forms(), ids=lambda path: path.name)
def test_an_issue_form_is_one_that_github_shows(path: Path) -> None:
    form = YAML(typ="safe").load(path)
    assert all(isinstance(form[key], str) and form[key] for key in ("name", "description"))
    assert all(field["type"] in {"textarea", "dropdown"} and field["attributes"]["label"] for field in form["body"])
    assert all(field["attributes"]["options"] for field in form["body"] if field["type"] == "dropdown")
    names = [field["id"] for field in form["body"]]
    assert len(names) == len(set(names))
    assert any(field.get("validations", {}).get("required") for field in form["body"])


@pytest.mark.tree
@pytest.mark.parametrize("name", ["run", "base-image"])
def test_a_script_of_ci_is_sound_and_can_be_run(name: str) -> None:
    script = ROOT / ".ci" / name
    assert script.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(script)], check=True)


def seconds(command: list[str]) -> Iterator[float]:
    while True:
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        yield time.perf_counter() - begin


def test_help_comes_within_three_tenths_of_a_second() -> None:
    first, *others = itertools.islice(seconds(["petpark", "--help"]), 6)  # the first may compile
    assert statistics.median(others) <= 0.3, (first, others)


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; from petpark import cli; cli.parser().format_help(); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    slow = {
        "botocore",
        "cv2",
        "deepchecks",
        "dvc",
        "jinja2",
        "numpy",
        "onnxruntime",
        "PIL",
        "pyarrow",
        "pydantic",
        "psycopg",
        "scipy",
        "sqlalchemy",
        "torch",
    }
    assert not slow & set(done.stdout.split())
