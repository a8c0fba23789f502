"""The commands: what they print, where the log is looked for, and what they cannot do."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from petpark.cli import main
from petpark.predictionlog import daily, database, schema
from petpark.predictionlog.rows import Feedback, first_id, prediction_id
from petpark.predictionlog.sink import Batch, Sink
from tests.predictionlog.made import VERSION, Log, row, rows
from tests.services import PostgreSQL

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture(autouse=True)
def no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(database.VARIABLE, raising=False)


def ask(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = main(["predictions", *words])
    said = capsys.readouterr()
    return status, said.out, said.err


def fill(url: str, days_ago: int = 0) -> str:
    """Write three predictions and a feedback; return their day."""
    time = datetime.now(UTC) - timedelta(days=days_ago)
    put = [row(id=first_id(time)[:-12] + f"{number:012x}") for number in range(3)] if days_ago else rows(3)
    sink = Sink(database.address(url))
    sink.open()
    sink.write(Batch(put, [Feedback(prediction_id(), put[0].id, "oak", "page")]), (VERSION,))
    sink.close()
    return str(time.date())


def test_a_day_is_exported_from_the_database_that_is_named(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    day = fill(log.url, days_ago=2)
    status, out, err = ask(capsys, "export", "--day", day, "--log", log.url, "--output", "a/b.parquet")
    assert (status, out, err) == (0, "a/b.parquet: 3 predictions, 1 with feedback\n", "")
    assert daily.read(Path("a/b.parquet")).num_rows == 3


def test_a_day_that_is_not_over_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    day = fill(database.DEFAULT_URL)
    status, out, _ = ask(capsys, "export", "--day", day)
    assert (status, out) == (
        0,
        f"predictions/{day}.parquet: 3 predictions, 1 with feedback so far; the day is not over\n",
    )
    assert Path("state/predictions.db").is_file()


def test_the_log_is_the_one_that_the_service_writes(
    lite: Log, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    day = fill(lite.url, days_ago=1)
    monkeypatch.setenv(database.VARIABLE, lite.url)
    assert ask(capsys, "export", "--day", day)[1] == f"predictions/{day}.parquet: 3 predictions, 1 with feedback\n"


def test_migrate_says_what_it_did(log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    newest = schema.REVISIONS[-1]
    assert ask(capsys, "migrate", "--log", log.url)[1].endswith(f": at revision {newest} (new)\n")
    status, out, _ = ask(capsys, "migrate", "--log", log.url)
    assert status == 0
    assert out.endswith(f": at revision {newest} (nothing to do)\n")
    assert PostgreSQL.PASSWORD not in out


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("export", "--day", "2026-11-25"), "there is no file 'state/predictions.db', and so no prediction log"),
        (("export", "--day", "2026-11-25", "--log", ""), "there is no prediction log, for PETPARK_LOG is empty"),
        (("export", "--day", "2026-11-25", "--log", "oracle://a:b@c/d"), "lies in SQLite or PostgreSQL"),
        (("migrate", "--log", "postgresql://ann:s3cret@127.0.0.1:1/park"), "cannot be reached"),
        (("migrate", "--log", "sqlite:///text/log.db"), "text cannot be written (File exists)"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: tuple[str, ...], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("text").write_text("")
    status, out, err = ask(capsys, *words)
    assert (status, out) == (2, "")
    assert what in err
    assert err.count("\n") == 1
    assert "s3cret" not in err


@pytest.mark.parametrize("day", ["yesterday", "2026-13-01", "25.11.2026", ""])
def test_what_is_no_day_is_told(day: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["predictions", "export", "--day", day])
    assert ended.value.code == 2
    assert "--day: invalid day value" in capsys.readouterr().err


def test_the_command_line_imports_nothing_of_it_before_it_is_asked() -> None:
    code = "import sys; from petpark import cli; cli.parser(); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"sqlalchemy", "alembic", "pyarrow", "psycopg"} & {*said}
