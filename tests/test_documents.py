"""Documents agree with the code: those made from it, and the commands that the written ones name."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints

from petpark import cli
from petpark.config import document
from petpark.config.params import Params
from petpark.config.policy import Policy
from petpark.config.settings import Settings
from petpark.images import REASONS

ROOT = Path(__file__).parents[1]
WRITTEN = [ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY")] + sorted(ROOT.glob("docs/*.md"))
COMMANDS = {"make", "petpark"}


@pytest.mark.tree
@pytest.mark.parametrize("name", document.documents())
def test_a_document_is_as_the_code_makes_it(name: str) -> None:
    assert (ROOT / "docs" / name).read_text() == document.documents()[name], f"docs/{name} is old: run `make docs`"


def test_documents_are_written_into_the_folder_that_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "petpark.config.document", str(tmp_path / "new")]
    subprocess.run(command, check=True)
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == document.documents()


@pytest.mark.parametrize("kind", [Params, Policy])
def test_every_setting_has_a_sentence_and_a_row(kind: type[Settings]) -> None:
    text = document.parameters()
    for name, field in document.settings(kind):
        assert (field.description or "").endswith("."), f"{name} lacks its sentence"
        assert f"| `{name}` |" in text


def test_settings_go_down_to_what_sections_lists_and_mappings_hold() -> None:
    params, policy = ([name for name, _ in document.settings(kind)] for kind in (Params, Policy))
    assert {"seed", "validate.max_photos", "ingest.batches", "ingest.batches.<name>.role"} < set(params)
    assert {"cost.mistakes[].predicted", "build.champion.max_drop"} < set(policy)
    assert not {"validate_", "train", "build.champion"} & {*params, *policy}


def test_every_reason_for_quarantine_has_a_row() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \|", document.quarantine(), re.MULTILINE)
    assert rows == list(REASONS)


@pytest.mark.parametrize(
    ("annotation", "constraints", "words"),
    [
        (int, [], "whole number"),
        (float, [Field(ge=0, le=1)], "number, 0 to 1"),
        (float, [Field(gt=0, lt=1)], "number, above 0, below 1"),
        (float, [Field(ge=0, lt=1)], "number, at least 0, below 1"),
        (int, [Field(le=9)], "whole number, at most 9"),
        (bool, [], "`true` or `false`"),
        (str | None, [], "text, or `null`"),
        (int | str, [], "whole number, or text"),
        (Literal["a", "b"], [], "`a`, `b`"),
        (Annotated[str, StringConstraints(pattern="^x+$")], [], "text, matching `^x+$`"),
        (Annotated[int, Field(ge=2)] | None, [], "whole number, at least 2, or `null`"),
        (tuple[str, ...], [], "list"),
        (dict[str, int], [], "settings by name"),
    ],
)
def test_what_a_setting_may_be_is_said_in_words(annotation: Any, constraints: list[Any], words: str) -> None:
    metadata = [each for field in constraints for each in field.metadata]
    assert document.values(annotation, metadata) == words


def snippets(path: Path) -> Iterator[str]:
    """Yield the lines of code blocks, and code between backticks."""
    text = path.read_text()
    blocks = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
    for block in blocks.findall(text):
        yield from block.splitlines()
    yield from re.findall(r"`([^`\n]+)`", blocks.sub("", text))


def commands(path: Path) -> Iterator[list[str]]:
    """Yield the commands of make and petpark that a document shows, without comments and what stands for more."""
    for snippet in snippets(path):
        for part in re.split(r"&&|\|\||[;|>]", snippet.partition(" # ")[0]):
            command = part.strip().removeprefix("$ ").replace("…", "")
            if command.partition(" ")[0] in COMMANDS:
                yield shlex.split(command)


def targets(makefile: Path) -> set[str]:
    """Return the tasks that a Makefile offers."""
    return set(re.findall(r"^([a-z-]+):.*## ", makefile.read_text(), re.MULTILINE))


def shown(program: str) -> list[tuple[str, ...]]:
    """Return the words after the program's name, for each of its commands that a written document shows."""
    found = (tuple(words[1:]) for path in WRITTEN for words in commands(path) if words[0] == program)
    return sorted(set(found))


@pytest.mark.tree
def test_every_make_target_in_a_document_exists() -> None:
    named = {word for words in shown("make") for word in words if not word.startswith("-") and "=" not in word}
    assert named, "no document names a make target"
    assert named <= targets(ROOT / "Makefile")


@pytest.mark.parametrize("words", shown("petpark"), ids=" ".join)
def test_every_petpark_command_in_a_document_is_understood(words: tuple[str, ...]) -> None:
    understands(words)


@pytest.mark.parametrize("words", [("gate", "roof"), ("gate", "build", "--softly"), ("predcit", "photo.jpg")])
def test_a_command_that_does_not_exist_is_not_understood(words: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as stopped:
        understands(words)
    assert stopped.value.code == 2


def understands(words: tuple[str, ...]) -> None:
    """Let the command line read a command: all of it where it has options, else up to a help that ends it well."""
    if any(word.startswith("-") for word in words):
        cli.parser().parse_args(words)
        return
    with pytest.raises(SystemExit) as stopped:
        cli.parser().parse_args([*words, "--help"])
    if stopped.value.code:
        raise stopped.value


def test_commands_are_found_in_blocks_and_between_backticks(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(
        "Run `make run`, or `petpark gate build` (`dvc repro` does not count, nor does make believe).\n"
        "```sh\n$ git clone x && make test PYTEST_ARGS='-k a b' # try\npetpark data add ~/photos | tee log\n"
        "it's made\n```\n"
        "`petpark data add …` and `python -m petpark`\n"
    )
    assert list(commands(path)) == [
        ["make", "test", "PYTEST_ARGS=-k a b"],
        ["petpark", "data", "add", "~/photos"],
        ["make", "run"],
        ["petpark", "gate", "build"],
        ["petpark", "data", "add"],
    ]


def test_targets_are_those_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "Makefile"
    path.write_text("run: .venv ## Run it\n\tpetpark run\ntest-slow: ## Test\n.venv: ; true\nhidden:\n\ttrue\n")
    assert targets(path) == {"run", "test-slow"}
