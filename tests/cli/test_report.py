"""`petpark report`: a report for any verdict, one sentence for what is unusable, and the stages' pages as before."""

import json
import os
from pathlib import Path

import pytest

from petpark import files, layout
from petpark.cli import main, parser
from petpark.evidence.run import Run
from petpark.report.change.limits import MARKER
from tests.build.data.repository import git
from tests.report.change.sides import PARAMS, lay, new, old
from tests.test_gate import gain

RUN = "https://github.com/o/r/actions/runs/1"


@pytest.fixture
def sides(workspace: Path) -> Path:
    """A base and a head in folders of the current one."""
    lay(workspace / "base", old())
    lay(workspace / "head", new(), params=PARAMS.replace("16", "20"))
    return workspace


def ask(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(["report", "change", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    status, out, err = ask(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("petpark: ")
    assert err.count("\n") == 1
    return err


def test_without_a_file_the_comment_is_shown(sides: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = ask(capsys, "--base", "base", "--head", "head")
    assert (status, err) == (0, "")
    assert out.startswith("## ✅ Yes: the model may be merged\n")
    assert out.endswith(f"{MARKER}\n")
    assert "`train.epochs` `16` → `20`" in out


def test_comment_summary_and_page_are_of_one_report(sides: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("--comment", "new/comment.md", "--summary", "summary.md", "--page", "page.html")
    assert ask(capsys, "--base", "base", "--head", "head", *names) == (0, "", "")
    comment = Path("new/comment.md").read_text()
    assert Path("summary.md").read_text() == comment.removesuffix(f"\n{MARKER}\n")
    assert "Yes: the model may be merged" in Path("page.html").read_text()


def test_whatever_the_verdict_is_there_is_a_report(sides: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lay(sides / "head", new(gain(-0.03, -0.04, -0.02)))
    status, out, _ = ask(capsys, "--base", "base", "--head", "head", "--pending", "a maintainer adopts this")
    assert status == 0
    assert out.startswith("## ⏳ Pending: a maintainer adopts this\n\nBy this evidence the answer would be no")


def test_the_base_is_read_out_of_git_and_the_head_from_what_is_here(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git("init", "--quiet")
    lay(workspace, old(), curves={"loss": (0.9, 0.5), "validation_loss": (0.9, 0.6)})
    git("add", "--all")
    git("commit", "--quiet", "--message", "base")
    commit = git("rev-parse", "HEAD").strip()
    lay(workspace, new(), curves={"loss": (0.8, 0.4), "validation_loss": (0.8, 0.5)})
    status, out, _ = ask(capsys, "--base", "main")
    assert status == 0
    assert "**The model was retrained.**" in out
    assert f"judged by the policy of `{commit[:12]}`" in out
    assert "line [0.9, 0.6]\n  line [0.8, 0.5]" in out


def test_a_link_and_a_pipe_in_the_head_are_refused(sides: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = sides / "head" / layout.EVALUATION
    content = path.read_bytes()
    path.unlink()
    (sides / "elsewhere.json").write_bytes(content)
    path.symlink_to(sides / "elsewhere.json")
    assert "no ordinary file" in refused(capsys, "--base", "base", "--head", "head")
    path.unlink()
    os.mkfifo(path)
    assert "no ordinary file" in refused(capsys, "--base", "base", "--head", "head")


@pytest.mark.parametrize(
    ("path", "content", "why"),
    [
        (layout.EVALUATION, None, "is missing, so there is no report"),
        (layout.EVALUATION, b"{", "is no JSON"),
        (layout.PACKAGE, b" " * 5_000_000, "it is not read"),
        (layout.POLICY, b"[" * 100_000, "levels deep"),
        (layout.EVALUATION, json.dumps({"curves": {"\x1b[31m\n::error::": 1}}).encode(), "is no evaluation evidence"),
    ],
)
def test_unusable_evidence_is_one_sentence_and_no_report(
    path: Path, content: bytes | None, why: str, sides: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (sides / "head" / path).unlink()
    if content is not None:
        (sides / "head" / path).write_bytes(content)
    assert why in refused(capsys, "--base", "base", "--head", "head", "--comment", "comment.md")
    assert not Path("comment.md").exists()


def test_what_cannot_be_a_base_is_one_sentence(sides: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "no Git repository" in refused(capsys, "--base", "nowhere", "--head", "head")
    git("init", "--quiet")
    assert "no commit yet" in refused(capsys, "--base", "HEAD", "--head", "head")
    git("add", "head")
    git("commit", "--quiet", "--message", "no policy here")
    assert "no Git revision 'nowhere'" in refused(capsys, "--base", "nowhere", "--head", "head")
    assert "policy.yaml of the base" in refused(capsys, "--base", "HEAD", "--head", "head")
    assert "no Git revision '--all'" in refused(capsys, "--base=--all", "--head", "head")


def test_what_it_took_and_links_are_shown(
    sides: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_SERVER_URL", raising=False)
    files.write_json(Path("run.json"), Run(minutes={"train": 3.0}).model_dump(by_alias=True))
    both = ("--base", "base", "--head", "head", "--run", "run.json")
    _, out, _ = ask(capsys, *both, "--link-run", RUN, "--link-report", f"{RUN}/artifacts/2")
    assert f"[full report]({RUN}/artifacts/2) · [run]({RUN}) · judged" in out
    assert "3.0 minutes (train 3.0 minutes)" in out
    monkeypatch.setenv("GITHUB_SERVER_URL", "https://git.example")
    assert "is no address on https://git.example" in refused(capsys, *both, "--link-run", RUN)
    assert ask(capsys, *both, "--link-run", RUN, "--server", "https://github.com")[0] == 0


def test_report_alone_is_what_it_was() -> None:
    alone, change = parser().parse_args(["report"]), parser().parse_args(["report", "change", "--base", "x"])
    assert alone.run.__name__ == "_pages"
    assert change.run.__name__ == "_change"
