"""From a query to an archive: SQLite and PostgreSQL, the faults of rows and of servers, and going on where it was."""

import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from petpark import files, layout
from petpark.build.data import kept, packing, rows, sources
from petpark.errors import DataError, PetparkError, SetupError
from tests.build.data.test_sources import LABELS, PHOTOS, RESULT, contents, photos_of
from tests.conftest import draw, encoded, jpeg
from tests.services import S3, PostgreSQL, Wire, free_port

STORED: Final = "SELECT label, name, photo FROM frames"
PLACED: Final = "SELECT label, name, location FROM frames"
MANY: Final = {f"{LABELS[number % 3]}/{number:03}.jpg": os.urandom(50_000) for number in range(60)}

pytestmark = pytest.mark.usefixtures("workspace")
Row = tuple[object, object, object, object]  # label, name, photo, location


class Frames:
    """A table of frames in some database."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.engine = create_engine(address.replace("postgresql:", "postgresql+psycopg:"), poolclass=NullPool)
        kind = "BYTEA" if address.startswith("postgresql") else "BLOB"
        self.run(f"CREATE TABLE frames (label TEXT, name TEXT, photo {kind}, location TEXT)")

    def run(self, text: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(text)

    def fill(self, table: Iterable[Row]) -> str:
        """Add rows; return the address of the database."""
        mark = "%s" if self.address.startswith("postgresql") else "?"
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"INSERT INTO frames VALUES ({', '.join([mark] * 4)})", list(table))
        return self.address


@pytest.fixture(params=["sqlite", "postgresql"])
def frames(request: pytest.FixtureRequest, workspace: Path) -> Frames:
    """An empty table of frames, in each kind of database."""
    if request.param == "sqlite":
        sqlite3.connect("park.db").close()
        return Frames("sqlite:///park.db")
    server: PostgreSQL = request.getfixturevalue("database")
    return Frames(server.address())


@pytest.fixture
def served(database: PostgreSQL) -> Frames:
    """An empty table of frames in PostgreSQL."""
    return Frames(database.address())


def stored(photos: dict[str, bytes] = PHOTOS) -> list[Row]:
    """Rows that hold their photos."""
    return [(*path.split("/", 1), data, None) for path, data in photos.items()]  # type: ignore[misc] # two pieces


def placed(locations: dict[str, str]) -> list[Row]:
    """Rows that say where their photos lie."""
    return [(*path.split("/", 1), None, location) for path, location in locations.items()]  # type: ignore[misc]


def without_password(frames: Frames) -> str:
    return frames.engine.url.render_as_string().replace(":***", "").replace("+psycopg", "")


def provenance() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(contents(RESULT)["provenance.json"])
    return value


def fetched() -> list[Path]:
    """What is kept of photos that came whole."""
    return [path for path in (layout.SCRATCH / "fetched").glob("*/*") if path.is_file() and path.name[0] != "."]


def refusal(address: str, query: str | None = STORED, kind: type[PetparkError] = DataError) -> str:
    """What is said of a source that is refused: without password, and no batch."""
    with pytest.raises(kind) as error:
        packing.pack(address, RESULT, query)
    assert not RESULT.exists()
    assert not list(Path().rglob("*.partial"))
    sentence = str(error.value)
    assert "\n" not in sentence
    assert error.value.__cause__ is None
    assert PostgreSQL.PASSWORD not in sentence
    assert "p%40ss" not in sentence
    return sentence


def test_photos_come_out_of_rows_in_any_order(frames: Frames) -> None:
    address = frames.fill(reversed(stored()))
    found = packing.pack(address, RESULT, STORED)
    assert photos_of(RESULT) == PHOTOS
    assert found == packing.Contents(dict.fromkeys(LABELS, 2), sum(map(len, PHOTOS.values())))
    first = files.sha256(RESULT)
    before = provenance()
    packing.pack(address, RESULT, STORED)
    assert provenance() == {**before, "when": provenance()["when"]}
    assert (files.sha256(RESULT) == first) == (before == provenance())


def test_provenance_tells_where_when_and_by_which_query_and_no_password(frames: Frames) -> None:
    packing.pack(frames.fill(stored()), RESULT, STORED)
    found = provenance()
    when, version = found.pop("when"), found.pop("versions")["database"]
    assert when.keys() == {"fetched"}
    assert when["fetched"] <= kept.now()
    assert version.split(" ")[0] == frames.engine.dialect.name
    assert version.split(" ")[1].replace(".", "").isdigit()
    source = without_password(frames)
    assert found == {
        "source": source,
        "kind": "sql",
        "query": STORED,
        "photos": 6,
        "bytes": sum(map(len, PHOTOS.values())),
        "labels": {"fern": 2, "moss": 2, "oak": 2},
        "petpark": "0.1.0",
    }
    assert b"ss/w" not in RESULT.read_bytes()


def test_without_names_photos_are_called_by_their_content(frames: Frames) -> None:
    pictures = [draw(number) for number in range(4)]
    data = [jpeg(pictures[0]), encoded(pictures[1], "PNG"), encoded(pictures[2], "WEBP"), b"no photo"]
    address = frames.fill([*(("fern", None, each, None) for each in data), ("fern", None, data[0], None)])
    query = "SELECT label, photo FROM frames ORDER BY length(photo)"
    packing.pack(address, RESULT, query)
    names = [hashlib.sha256(each).hexdigest() for each in data]
    expected = {
        f"fern/{names[0]}.jpg": data[0],
        f"fern/{names[0]}-2.jpg": data[0],
        f"fern/{names[1]}.png": data[1],
        f"fern/{names[2]}.webp": data[2],
        f"fern/{names[3]}": data[3],
    }
    assert photos_of(RESULT) == expected
    packing.pack(address, RESULT, f"{query} DESC")
    assert photos_of(RESULT) == expected


def test_photos_lie_in_files_that_rows_name(frames: Frames, workspace: Path) -> None:
    for name, data in PHOTOS.items():
        (workspace / "shots" / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / "shots" / name).write_bytes(data)
    here = {name: f"./shots/{name}" if "fern" in name else str(workspace / "shots" / name) for name in PHOTOS}
    address = frames.fill(placed(here))
    packing.pack(address, RESULT, PLACED)
    assert photos_of(RESULT) == PHOTOS
    assert fetched() == []
    packing.pack(address, RESULT, "SELECT label, location FROM frames WHERE label = 'fern'")
    assert photos_of(RESULT) == {f"fern/shots/{name}": PHOTOS[name] for name in PHOTOS if "fern" in name}


def test_columns_may_be_computed_and_others_are_passed_over(frames: Frames) -> None:
    address = frames.fill(stored())
    columns = "1 AS n, upper(label) AS LABEL, photo AS Photo, 7 AS name, '50%' AS \"a:b\""
    packing.pack(address, RESULT, f"SELECT {columns} FROM frames WHERE name LIKE '1%';")
    assert list(photos_of(RESULT)) == ["FERN/7", "MOSS/7", "OAK/7"]


def test_a_photo_of_no_bytes_is_one_for_quarantine(frames: Frames) -> None:
    packing.pack(frames.fill([*stored(), ("oak", "3.jpg", b"", None)]), RESULT, STORED)
    assert photos_of(RESULT)["oak/3.jpg"] == b""


@pytest.mark.parametrize(
    ("row", "what"),
    [
        ((None, "1", b"x", "a"), "row 7 of the query has no label: leave such rows out"),
        (("", "1", b"x", "a"), "row 7 of the query has no label"),
        (("a/b", "1", b"x", "a"), "row 7 of the query has the label 'a/b', which is no name of a folder"),
        (("..", "1", b"x", "a"), "row 7 of the query has the label '..', which is no name of a folder"),
        ((".git", "1", b"x", "a"), "has the label '.git', which is no name of a folder"),
        (("a\nb", "1", b"x", "a"), r"has the label 'a\\nb', which is no name of a folder"),
        (("fern", None, b"x", "a"), "row 7 of the query has no name"),
        (("fern", ".", b"x", "a"), "has the name '.', which is none of a file"),
        (("fern", "../1", b"x", "a"), "'fern/../1' lies outside the archive"),
        (("fern", "1.jpg", b"x", "a"), "'fern/1.jpg' comes twice"),
        (("fern", "9.jpg", None, "a"), "row 7 of the query has no photo (NULL): leave such rows out"),
    ],
)
def test_a_row_that_is_not_as_it_must_be_is_named(frames: Frames, row: Row, what: str) -> None:
    assert what.replace("\\\\", "\\") in refusal(frames.fill([*stored(), row]))


@pytest.mark.parametrize(
    ("location", "what"),
    [
        (None, "row 2 of the query has no location"),
        ("nowhere/1.jpg", "row 2 of the query names the file 'nowhere/1.jpg', and there is none"),
        (".", "names the file '.', and there is none"),
        ("a" * 5000, "and there is none: a path counts from the current folder"),
    ],
)
def test_a_location_that_is_none_is_named(frames: Frames, location: str | None, what: str) -> None:
    Path("1.jpg").write_bytes(b"x")
    address = frames.fill([("fern", "1.jpg", None, "1.jpg"), ("fern", "2.jpg", None, location)])
    assert what in refusal(address, PLACED)


@pytest.mark.parametrize(
    ("columns", "what"),
    [
        ("name, photo", "the query gives the columns name, photo; it must give `label`"),
        ("label, name", "the query gives the columns label, name; it must give"),
        ("label, photo, location", "the query gives the columns label, photo, location; it must give"),
        ("label, name AS photo", "row 1 of the query has a photo that is no bytes but text; call a column of paths"),
        ("label, photo AS location", "row 1 of the query has bytes for its location, which must be text"),
        ("photo AS label, photo", "row 1 of the query has bytes for its label, which must be text"),
    ],
)
def test_columns_that_are_missing_or_of_the_wrong_kind_are_named(frames: Frames, columns: str, what: str) -> None:
    assert what in refusal(frames.fill(stored()), f"SELECT {columns} FROM frames")


@pytest.mark.parametrize(
    ("query", "said_by_sqlite", "said_by_postgresql"),
    [
        ("SELECT label, photo FROM shots", "no such table: shots", 'relation "shots" does not exist'),
        ("SELEKT 1", 'near "SELEKT": syntax error', 'syntax error at or near "SELEKT"'),
        ("SELECT tag, photo FROM frames", "no such column: tag", 'column "tag" does not exist'),
        ("DELETE FROM frames", "attempt to write a readonly database", 'syntax error at or near "DELETE"'),
        ("SELECT 1; SELECT 2", "You can only execute one statement at a time", "cannot insert multiple commands"),
        ("", "", "syntax error"),
    ],
)
def test_a_query_that_the_database_refuses_is_refused(
    frames: Frames, query: str, said_by_sqlite: str, said_by_postgresql: str
) -> None:
    address = frames.fill(stored())
    why = {"sqlite": said_by_sqlite, "postgresql": said_by_postgresql}[frames.engine.dialect.name]
    said = refusal(address, query)
    assert f"({why}" in said or "the query gives no rows; it must be a SELECT" in said
    packing.pack(address, RESULT, STORED)
    assert packing.look(RESULT).photos == len(PHOTOS), "nothing was deleted"


def test_a_query_that_fails_in_the_middle_makes_no_batch(served: Frames) -> None:
    address = served.fill(stored())
    said = refusal(address, f"{STORED} WHERE 1 / (length(label) - 3) < 9")
    assert "division by zero" in said


def test_a_query_without_rows_or_with_a_single_one_is_refused(frames: Frames) -> None:
    address = frames.fill(stored({"fern/1.jpg": b"x"}))
    assert "the query gives no row, so there is no photo" in refusal(address, f"{STORED} WHERE label = 'oak'")
    assert "holds a single photo" in refusal(address)


def test_a_database_needs_a_query_and_nothing_else_takes_one(workspace: Path) -> None:
    assert "sqlite:///park.db is a database: say which photos with `--query" in refusal("sqlite:///park.db", None)
    Path("wood").mkdir()
    assert "'wood' is none: leave it out" in refusal("wood")
    assert "'s3://wood/a' is none: leave it out" in refusal("s3://wood/a")


@pytest.mark.parametrize("address", ["sqlite:///nowhere.db", "sqlite://", "sqlite:///."])
def test_sqlite_makes_no_database_where_there_is_none(workspace: Path, address: str) -> None:
    assert "there is no file" in refusal(address)
    assert list(Path().iterdir()) == []


def test_a_file_that_is_no_database_is_refused(workspace: Path) -> None:
    Path("park.db").write_bytes(b"no database" * 1000)
    assert "file is not a database" in refusal("sqlite:///park.db")


def test_sqlite_is_read_where_nothing_may_be_written(workspace: Path) -> None:
    Frames("sqlite:///park.db")
    assert "the query gives no row" in refusal("sqlite:///file:park.db?mode=ro&uri=true")


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("http://127.0.0.1/park", "petpark knows no database of the kind 'http'"),
        ("ftp://me:secret@127.0.0.1/park", "ftp://me@127.0.0.1/park: petpark knows no database of the kind 'ftp'"),
        ("://park", "the address of the database cannot be read"),
        ("postgresql://me:secret@127.0.0.1:port/park", "the address of the database cannot be read"),
        ("postgresql://me:sec@ret@127.0.0.1/park", "holds more than one '@': write one in a user or password as '%40'"),
        ("postgresql://me:secret@127.0.0.1:1/park?colour=green", 'invalid connection option "colour"'),
    ],
)
def test_an_address_that_is_none_is_refused(workspace: Path, address: str, what: str) -> None:
    said = refusal(address)
    assert what in said
    assert "sec" not in said
    assert "ret" not in said


def test_a_driver_that_is_missing_is_named(workspace: Path) -> None:
    said = refusal("mysql://me:secret@127.0.0.1/park", kind=SetupError)
    assert "mysql://me@127.0.0.1/park needs the package 'MySQLdb': install it" in said


def test_a_server_that_is_not_there_is_named(workspace: Path) -> None:
    port = free_port()
    for name in ("postgresql", "postgres", "postgresql+psycopg"):
        said = refusal(f"{name}://me:secret@127.0.0.1:{port}/park")
        assert said.startswith(f"postgresql://me@127.0.0.1:{port}/park cannot be reached (")
        assert "Connection refused" in said
        assert "secret" not in said


def test_a_password_that_is_wrong_is_refused_and_not_repeated(postgresql: PostgreSQL) -> None:
    said = refusal(postgresql.address(password="w@rong"))
    assert 'password authentication failed for user "tester"' in said
    assert "rong" not in said
    assert 'database "nowhere" does not exist' in refusal(postgresql.address("nowhere"))


def test_a_password_may_come_from_the_variable_of_postgresql(served: Frames, monkeypatch: pytest.MonkeyPatch) -> None:
    served.fill(stored())
    monkeypatch.setenv("PGPASSWORD", PostgreSQL.PASSWORD)
    packing.pack(without_password(served), RESULT, STORED)
    assert photos_of(RESULT) == PHOTOS


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("sqlite:///shots/Park 2026.db", "Park-2026"),
        ("postgresql://me:secret@127.0.0.1/park", "park"),
        ("postgresql://me:secret@127.0.0.1", ""),
        ("s3://bucket/park/november/", "november"),
        ("s3://bucket", "bucket"),
    ],
)
def test_a_batch_is_called_as_the_database_or_the_prefix(address: str, name: str) -> None:
    assert sources.batch_name(address) == name


@pytest.fixture
def wire(postgresql: PostgreSQL) -> Iterator[Callable[[Callable[[bytes], bytes | None]], int]]:
    """Put something between us and the server that may change, count or cut off what it says; gives its port."""
    wires = []

    def between(change: Callable[[bytes], bytes | None]) -> int:
        wires.append(Wire(postgresql.port, change))
        return wires[-1].port

    yield between
    for each in wires:
        each.close()


class Measured:
    """Counts what a server sends, and does something once after so many bytes."""

    def __init__(self, limit: float = float("inf"), then: Callable[[], bytes | None] = lambda: None) -> None:
        self.size, self._limit, self._then = 0, limit, then

    def __call__(self, piece: bytes) -> bytes | None:
        self.size += len(piece)
        if self.size > self._limit:
            self._limit = float("inf")
            return self._then()
        return piece


def through(frames: Frames, port: int) -> str:
    return frames.engine.url.set(port=port).render_as_string(hide_password=False)


def test_a_connection_that_is_lost_in_the_middle_is_gone_on_with(
    served: Frames, wire: Callable[[Measured], int], caplog: pytest.LogCaptureFixture
) -> None:
    served.fill(stored(MANY))
    measured = Measured(limit=3_000_000)  # half of it: bytes come as hexadecimal digits
    port = wire(measured)
    assert "the connection was lost (" in refusal(through(served, port))
    came = {path.name: path.stat().st_mtime_ns for path in fetched()}
    assert 5 < len(came) < len(MANY)
    measured.size = 0
    packing.pack(through(served, port), RESULT, STORED)
    assert photos_of(RESULT) == MANY
    assert measured.size < 2.2 * 50_000 * (len(MANY) - len(came)) + 100_000
    assert not caplog.records


def test_a_server_that_dies_in_the_middle_is_gone_on_with(
    postgresql: PostgreSQL, served: Frames, wire: Callable[[Measured], int], capfd: pytest.CaptureFixture[str]
) -> None:
    address = through(served, wire(Measured(3_000_000, postgresql.kill)))
    served.fill([*stored(MANY), ("oak", "again", next(iter(MANY.values())), None)])
    query = "SELECT label, name || '%' AS name, photo FROM frames ORDER BY name -- all"
    said = refusal(address, query)
    assert "the connection was lost (" in said
    assert "run the same command again when the server is back" in said
    assert "cannot be reached" in refusal(address, query)
    came = len(fetched())
    assert 5 < came < len(MANY)
    postgresql.start()
    packing.pack(address, RESULT, query)
    assert photos_of(RESULT) == {
        **{f"{name}%": data for name, data in MANY.items()},
        "oak/again%": next(iter(MANY.values())),
    }
    assert capfd.readouterr() == ("", "")


def test_rows_that_changed_meanwhile_are_read_as_they_are_now(served: Frames, wire: Callable[[Measured], int]) -> None:
    served.fill(stored(MANY))
    address = through(served, wire(Measured(5_000_000)))
    refusal(address, f"{STORED} ORDER BY name")
    served.run("UPDATE frames SET photo = '\\x00' WHERE name = '000.jpg'; DELETE FROM frames WHERE name = '001.jpg'")
    packing.pack(address, RESULT, f"{STORED} ORDER BY name")
    expected = {**MANY, "fern/000.jpg": b"\0"}
    del expected["moss/001.jpg"]
    assert photos_of(RESULT) == expected
    assert len(fetched()) == len(expected), "what was deleted is kept no longer"


@pytest.mark.parametrize(
    "columns",
    [
        "label, name, photo, 'x' AS digest, '../../x' AS petpark_digest",
        'label AS "Label", name, photo',
        'label, name, photo AS "PHOTO"',
        "label, name, photo, label, label AS x",
    ],
)
def test_columns_with_odd_names_are_gone_on_with(served: Frames, wire: Callable[[Measured], int], columns: str) -> None:
    served.fill(stored(MANY))
    address, query = through(served, wire(Measured(3_000_000))), f"SELECT {columns} FROM frames"
    refusal(address, query)
    assert fetched()
    packing.pack(address, RESULT, query)
    assert photos_of(RESULT) == MANY


def test_a_column_cannot_name_a_file_that_is_kept_elsewhere(frames: Frames, workspace: Path) -> None:
    Path("secret").write_bytes(b"secret")
    address = frames.fill(stored())
    for name in ("digest", "petpark_digest"):
        assert "has no photo (NULL)" in refusal(
            address, f"SELECT label, name, NULL AS photo, '{workspace}/secret' AS {name} FROM frames"
        )


def test_a_row_whose_photo_was_lost_meanwhile_is_noticed(served: Frames, wire: Callable[[Measured], int]) -> None:
    served.fill(stored(MANY))
    address = through(served, wire(Measured(3_000_000)))
    refusal(address)
    served.run("UPDATE frames SET photo = NULL WHERE name = '000.jpg'")
    assert "has no photo (NULL)" in refusal(address)


def test_what_is_kept_and_damaged_is_read_anew(served: Frames, wire: Callable[[Measured], int]) -> None:
    served.fill(stored(MANY))
    address = through(served, wire(Measured(3_000_000)))
    refusal(address)
    cut, changed, *_ = fetched()
    os.truncate(cut, 100)
    changed.write_bytes(bytes(50_000))
    packing.pack(address, RESULT, STORED)
    assert photos_of(RESULT) == MANY


def test_a_process_that_is_killed_is_gone_on_with(served: Frames, wire: Callable[[Measured], int]) -> None:
    served.fill(stored(MANY))

    class Slow(Measured):
        def __call__(self, piece: bytes) -> bytes | None:
            time.sleep(0.002)
            return super().__call__(piece)

    slow = Slow()
    address = through(served, wire(slow))
    code = f"from petpark.build.data import packing; packing.pack({address!r}, packing.Path('made.tar'), {STORED!r})"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while len(fetched()) < 10 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    came, slow.size = len(fetched()), 0
    assert not RESULT.exists()
    packing.pack(address, RESULT, STORED)
    assert photos_of(RESULT) == MANY
    assert slow.size < 2.2 * 50_000 * (len(MANY) - came) + 200_000
    assert not [path for path in layout.SCRATCH.rglob("*") if path.name.startswith(".")], "nothing half-written"


def test_queries_keep_apart_what_they_fetched_whoever_asks(frames: Frames) -> None:
    address = frames.fill(stored())
    for query in (STORED, f"{STORED} WHERE label = 'oak'"):
        packing.pack(address, RESULT, query)
    assert len(fetched()) == len(PHOTOS) + 2
    sources.forget(address, STORED)
    assert {path.parent for path in fetched()} == {rows.kept(address, f"{STORED} WHERE label = 'oak'").folder}


def test_no_photo_of_a_query_is_held_longer_than_it_takes(frames: Frames) -> None:
    for place, label in enumerate(LABELS):
        frames.fill([(label, f"{number}", bytes([place, number]) * (1 << 17), None) for number in range(40)])
    code = (
        "import resource; from petpark.build.data import packing, rows; from pathlib import Path;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; import psycopg; before = peak();"
        f"packing.pack({frames.address!r}, Path('made.tar'), {STORED!r}); print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert RESULT.stat().st_size > 30 << 20
    assert int(done.stdout) < 16 << 10, "KiB"


def test_photos_lie_in_s3_where_rows_say_so(frames: Frames, s3: S3, bucket: str, workspace: Path) -> None:
    client = s3.client()
    for name, data in PHOTOS.items():
        client.put_object(Bucket=bucket, Key=f"a b/{name}", Body=data)
    Path("here.jpg").write_bytes(b"here")
    locations = {name: f"s3://{bucket}/a b/{name}" for name in PHOTOS}
    address = frames.fill(placed({**locations, "oak/here.jpg": "here.jpg"}))
    packing.pack(address, RESULT, PLACED)
    assert photos_of(RESULT) == {**PHOTOS, "oak/here.jpg": b"here"}
    assert provenance()["endpoint"] == s3.url
    before = {path: path.stat().st_mtime_ns for path in fetched()}
    client.put_object(Bucket=bucket, Key="a b/oak/1.jpg", Body=b"new")
    packing.pack(address, RESULT, PLACED)
    assert photos_of(RESULT)["oak/1.jpg"] == b"new"
    after = {path: path.stat().st_mtime_ns for path in fetched()}
    assert len(before.items() & after.items()) == len(PHOTOS) - 1
    assert len(after) == len(PHOTOS)
    query = "SELECT label, location FROM frames WHERE location LIKE 's3%'"
    packing.pack(address, RESULT, query)
    assert set(photos_of(RESULT)) == {f"{name.split('/')[0]}/{bucket}/a b/{name}" for name in PHOTOS}


def test_one_object_may_be_the_photo_of_many_rows(frames: Frames, s3: S3, bucket: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="1.jpg", Body=PHOTOS["oak/1.jpg"])
    address = frames.fill(placed({f"fern/{number}": f"s3://{bucket}/1.jpg" for number in range(40)}))
    packing.pack(address, RESULT, PLACED)
    assert photos_of(RESULT) == {f"fern/{number}": PHOTOS["oak/1.jpg"] for number in range(40)}
    assert len(fetched()) == 1


@pytest.mark.parametrize(
    ("location", "what"),
    [
        ("s3://{bucket}/gone.jpg", "s3://{bucket}/gone.jpg is not there, or no longer"),
        ("s3://nowhere/1.jpg", "s3://nowhere/1.jpg is not there, or no longer"),
        ("s3://", "an address of S3 is `s3://BUCKET/PREFIX`"),
    ],
)
def test_a_location_in_s3_that_is_none_is_named(frames: Frames, s3: S3, bucket: str, location: str, what: str) -> None:
    s3.client().put_object(Bucket=bucket, Key="1.jpg", Body=b"x")
    address = frames.fill(placed({"fern/1": f"s3://{bucket}/1.jpg", "fern/2": location.format(bucket=bucket)}))
    assert what.format(bucket=bucket) in refusal(address, PLACED)
