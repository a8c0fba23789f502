"""Migrations make what the code writes, only add, and may run several at once; those of a later release stay."""

import importlib.util
import io
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.autogenerate import compare_metadata
from alembic.operations import MigrateOperation, Operations
from alembic.operations.ops import AddColumnOp, CreateIndexOp, CreateTableOp
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from petpark.errors import DataError
from petpark.predictionlog import daily, database, schema
from petpark.predictionlog.tables import METADATA
from tests.predictionlog.conftest import Open
from tests.predictionlog.made import VERSION, Log, ids, rows, until

ROOT = Path(__file__).parents[2]
LATER = """
import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("predictions", sa.Column("mood", sa.Text, nullable=True))
    op.add_column("feedback", sa.Column("weight", sa.Integer, nullable=False, server_default="1"))
    op.add_column("versions", sa.Column("note", sa.Text, nullable=True))
    op.add_column("photos", sa.Column("kind", sa.Text, nullable=True))
    op.create_table("frames", sa.Column("id", sa.Text, primary_key=True), sa.Column("at", sa.Text, nullable=False))
    op.create_index("predictions_mood", "predictions", ["mood"])
"""


def bring_up(log: Log, *arguments: Any) -> tuple[str | None, str | None]:
    engine = database.to_write(log.address)
    try:
        return schema.bring_up(engine, *arguments)
    finally:
        engine.dispose()


def revision(log: Log) -> str:
    ((found,),) = log.ask(f"SELECT version_num FROM {schema.TABLE}")
    return str(found)


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """The migrations of a later release."""
    folder = shutil.copytree(schema.FOLDER, tmp_path / "later")
    (folder / "versions" / "r0002_more.py").write_text(LATER)
    return folder


# What they make


def test_migrations_make_the_tables_that_the_code_knows(log: Log) -> None:
    assert bring_up(log) == (None, schema.REVISIONS[-1])
    with log._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.TABLE})
        assert compare_metadata(context, METADATA) == []


def test_the_code_names_the_revisions_in_their_order() -> None:
    found = [script.revision for script in ScriptDirectory(str(schema.FOLDER)).walk_revisions()]
    assert tuple(reversed(found)) == schema.REVISIONS


def test_migrations_are_modules_alone_so_that_a_wheel_holds_them() -> None:
    found = [path for path in schema.FOLDER.rglob("*") if path.is_file() and path.parent.name != "__pycache__"]
    assert {path.suffix for path in found} == {".py"}
    assert len(found) == len(schema.REVISIONS) + 2


def test_the_document_explains_every_column() -> None:
    text = (ROOT / "docs" / "prediction-log.md").read_text()
    for table in METADATA.tables.values():
        section = text.partition(f"`{table.name}`, ")[2].partition("\n\n`")[0]
        cells = re.findall(r"^\| (`.+?) \|", section, re.MULTILINE)
        assert {word for cell in cells for word in re.findall("`(.+?)`", cell)} == {*table.columns.keys()}


def test_the_second_time_there_is_nothing_to_do(log: Log) -> None:
    bring_up(log)
    assert bring_up(log) == (schema.REVISIONS[-1],) * 2


def test_rows_survive_a_migration(log: Log, writers: Open, later: Path) -> None:
    put = rows(20)
    writer = writers(log)
    for each in put:
        writer.put(each)
    writer.close()
    assert bring_up(log, later, ("0001", "0002")) == ("0001", "0002")
    assert log.ids() == ids(put)


def test_a_migration_that_fails_leaves_nothing_behind(log: Log, later: Path) -> None:
    bring_up(log)
    path = later / "versions" / "r0002_more.py"
    path.write_text(path.read_text() + '    op.add_column("nowhere", sa.Column("x", sa.Text))\n')
    with pytest.raises(sa.exc.DBAPIError, match="nowhere"):
        bring_up(log, later, ("0001", "0002"))
    assert revision(log) == "0001"
    with log._engine.connect() as connection:
        assert "mood" not in {column["name"] for column in sa.inspect(connection).get_columns("predictions")}
        assert not sa.inspect(connection).has_table("frames")


TABLES_THAT_ARE_OTHERS = "CREATE TABLE predictions (id TEXT)"


def test_tables_of_somebody_else_are_left_alone(log: Log, writers: Open) -> None:
    log.run(TABLES_THAT_ARE_OTHERS)
    writer = writers(log)
    until(lambda: writer.failing)
    assert "predictions" in str(writer.failing)
    writer.close()
    assert log.ask("SELECT COUNT(*) FROM predictions") == [(0,)]
    with log._engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == ["predictions"]


# An older release on a later schema


def test_todays_writer_and_reader_work_on_the_schema_of_a_later_release(
    log: Log, writers: Open, later: Path, tmp_path: Path
) -> None:
    bring_up(log, later, ("0001", "0002"))
    put = rows(30)
    writer = writers(log, photo_share=1.0)
    writer.register(VERSION)
    for each in put:
        writer.put(each, b"photo")
    writer.feedback(put[3].id, "oak", "page")
    until(lambda: writer.written == 31)
    assert (writer.failing, writer.dropped) == (None, 0)
    assert log.ids() == ids(put)
    assert log.ask("SELECT weight FROM feedback") == [(1,)]
    assert log.ask("SELECT COUNT(*) FROM photos") == [(30,)]
    assert revision(log) == "0002", "left alone"
    path = tmp_path / "day.parquet"
    days = {datetime.now(UTC).date()}
    assert daily.export(log.address, days.pop(), path) == daily.Exported(30, 1)
    assert daily.read(path).schema == daily.SCHEMA


def test_a_schema_may_change_under_a_writer_that_runs(log: Log, writers: Open, later: Path) -> None:
    put = rows(60)
    writer = writers(log)
    for each in put[:30]:
        writer.put(each)
    until(lambda: writer.written == 30)
    bring_up(log, later, ("0001", "0002"))
    for each in put[30:]:
        writer.put(each)
    until(lambda: writer.written == 60)
    assert (writer.failing, log.ids()) == (None, ids(put))


def test_a_revision_that_is_not_known_is_left_alone_and_told(log: Log, later: Path) -> None:
    bring_up(log, later, ("0001", "0002"))
    said = schema.migrate(log.address)
    assert said.endswith(": left as it is, at revision 0002 of a later release; this one can use it.")
    assert revision(log) == "0002"


def test_a_reader_asks_for_what_is_missing(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    def check() -> None:
        with log._engine.connect() as connection:
            schema.check(connection)

    with pytest.raises(DataError, match="holds no prediction log"):
        check()
    bring_up(log)
    check()
    monkeypatch.setattr(schema, "REVISIONS", ("0001", "0002"))
    with pytest.raises(DataError, match="run `petpark predictions migrate` first"):
        check()


# Several at once

AT_ONCE = """
import sys
from petpark.predictionlog import database, schema
import alembic.runtime.environment, alembic.script, sqlalchemy.dialects.sqlite, psycopg
engine = database.to_write(database.address(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
before, after = schema.bring_up(engine)
print(before, after)
"""


def test_processes_that_migrate_at_once_do_it_once(log: Log) -> None:
    command = [sys.executable, "-c", AT_ONCE, log.url]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60) for process in started]
    assert sorted(out for out, _ in said) == [*["0001 0001\n"] * 3, "None 0001\n"], [error for _, error in said]


LOGGING = """
import sys, time
from petpark.predictionlog.writer import Writer
from tests.predictionlog.made import row
writer = Writer(sys.argv[1])
writer.put(row())
writer.close()
print(writer.written, "alembic" in sys.modules, "pyarrow" in sys.modules)
"""


def test_alembic_is_imported_only_where_there_is_something_to_migrate(log: Log) -> None:
    command = [sys.executable, "-c", LOGGING, log.url]
    said = [subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout for _ in range(2)]
    assert said == ["1 True False\n", "1 False False\n"]


# They only add


class UnknownError(Exception):
    """A migration does what nobody can look into."""


def recorded(upgrade: Callable[[], object]) -> list[MigrateOperation]:
    """Return what a migration would do; nothing is done.

    Raises:
        UnknownError: it reaches past alembic's operations.
    """
    seen: list[MigrateOperation] = []

    def refuse(*_: object, **__: object) -> None:
        raise UnknownError

    options = {"as_sql": True, "output_buffer": io.StringIO()}
    with Operations.context(MigrationContext.configure(dialect_name="postgresql", opts=options)) as operations:
        replaced = {"invoke": seen.append, "get_bind": refuse, "get_context": refuse, "batch_alter_table": refuse}
        vars(operations).update(replaced)
        upgrade()
    return seen


def complaints(upgrade: Callable[[], object]) -> Iterator[str]:
    """Say what a migration does that a writer of the release before might not survive."""
    try:
        operations = recorded(upgrade)
    except UnknownError:
        yield "unknown"
        return
    for operation in operations:
        match operation:
            case CreateTableOp():
                yield from (f"{operation.table_name} ties {key.column}" for key in operation.to_table().foreign_keys)
            case CreateIndexOp(unique=True):
                yield f"{operation.index_name} is unique"
            case AddColumnOp(column=column) if not column.nullable and column.server_default is None:
                yield f"{column.name} must be given"
            case AddColumnOp(column=column) if column.unique or column.primary_key or column.foreign_keys:
                yield f"{column.name} is bound"
            case AddColumnOp() | CreateIndexOp():
                pass
            case _:
                yield type(operation).__name__


def upgrade_of(path: Path) -> Callable[[], object]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[], object] = module.upgrade
    return found


MODULES = sorted((schema.FOLDER / "versions").glob("r*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_migration_only_adds(path: Path) -> None:
    assert list(complaints(upgrade_of(path))) == []


def test_an_invented_later_migration_only_adds_too(later: Path) -> None:
    assert list(complaints(upgrade_of(later / "versions" / "r0002_more.py"))) == []


TEXT = sa.Text()


@pytest.mark.parametrize(
    ("upgrade", "what"),
    [
        (lambda: op.drop_table("photos"), "DropTableOp"),
        (lambda: op.drop_column("photos", "time"), "DropColumnOp"),
        (lambda: op.drop_index("predictions_time"), "DropIndexOp"),
        (lambda: op.rename_table("photos", "pictures"), "RenameTableOp"),
        (lambda: op.alter_column("photos", "time", new_column_name="at"), "AlterColumnOp"),
        (lambda: op.alter_column("photos", "time", nullable=True), "AlterColumnOp"),
        (lambda: op.create_unique_constraint("one", "feedback", ["prediction_id"]), "CreateUniqueConstraintOp"),
        (lambda: op.create_check_constraint("some", "feedback", "label <> ''"), "CreateCheckConstraintOp"),
        (lambda: op.create_index("one", "feedback", ["prediction_id"], unique=True), "one is unique"),
        (lambda: op.add_column("photos", sa.Column("kind", TEXT, nullable=False)), "kind must be given"),
        (lambda: op.add_column("photos", sa.Column("kind", TEXT, unique=True)), "kind is bound"),
        (lambda: op.execute("DROP TABLE photos"), "ExecuteSQLOp"),
        (lambda: op.get_bind().execute(sa.text("DROP TABLE photos")), "unknown"),
        (lambda: op.batch_alter_table("photos").__enter__(), "unknown"),
        (
            lambda: op.create_table("x", sa.Column("id", TEXT, sa.ForeignKey("photos.prediction_id"))),
            "x ties photos.prediction_id",
        ),
    ],
)
def test_a_migration_that_a_writer_of_before_might_not_survive_is_refused(
    upgrade: Callable[[], object], what: str
) -> None:
    assert list(complaints(upgrade)) == [what]
