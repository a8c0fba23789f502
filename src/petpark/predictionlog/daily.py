"""One Parquet file of a day's predictions: the form in which the log leaves the database, and is read."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import URL, Connection, Row, Select, select

from petpark import databases, files
from petpark.errors import DataError
from petpark.predictionlog import database, schema
from petpark.predictionlog.rows import first_id
from petpark.predictionlog.tables import FEEDBACK, PREDICTIONS, VERSIONS

FOLDER: Final = Path("predictions")
GROUP_ROWS: Final = 10_000
_VERSIONS: Final = "versions"
_FLOATS: Final = pa.list_(pa.float32())
SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("time", pa.timestamp("ms", "UTC")),
        ("version", pa.string()),
        ("model", pa.string()),  # SHA-256 of the model's file
        ("source", pa.string()),
        ("image", pa.string()),  # SHA-256 of the photo's bytes
        ("label", pa.string()),
        ("confidence", pa.float32()),
        ("unsure", pa.bool_()),
        ("probabilities", _FLOATS),  # in the order of the labels of `version` and `model`; see `labels`
        ("embedding", _FLOATS),  # empty where none was logged
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("bytes", pa.int32()),
        ("brightness", pa.float32()),
        ("contrast", pa.float32()),
        ("saturation", pa.float32()),
        ("latency_ms", pa.float32()),
        ("feedback", pa.string()),  # the last one; null where there is none
    ]
)


@dataclass(frozen=True)
class Exported:
    """What went into a file."""

    predictions: int
    feedback: int


def default_path(day: date) -> Path:
    """Where the file of a day lies if nobody says otherwise."""
    return FOLDER / f"{day}.parquet"


def export(url: URL, day: date, path: Path) -> Exported:
    """Write the predictions of a day into a Parquet file, in the order of their ids; the same rows, the same bytes.

    Rows are read and written some thousand at a time, so memory does not grow with the day.

    Args:
        url: of the log, from `database.address`.
        day: in UTC.
        path: of the file.

    Raises:
        DataError: the database cannot be reached, holds no log, or refuses.
    """
    engine = database.to_read(url)
    try:
        with databases.told(url), engine.connect() as connection:
            schema.check(connection)
            with files.whole(path) as partial:
                return _written(connection, day, partial)
    finally:
        engine.dispose()


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read the file of a day, with `SCHEMA`, or some of its columns.

    Raises:
        DataError: the file is missing, cannot be read, or is another one.
    """
    with _read(path) as file:
        return file.read(columns or SCHEMA.names)


def labels(path: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the labels in the order of `probabilities`, by version and model.

    Raises:
        DataError: as `read`.
    """
    with _read(path) as file:
        found = json.loads(file.metadata.metadata[_VERSIONS.encode()])
    return {(each["version"], each["model"]): tuple(each["labels"]) for each in found}


@contextmanager
def _read(path: Path) -> Iterator[pq.ParquetFile]:
    again = "`petpark predictions export --day DAY`"
    try:
        with pq.ParquetFile(path) as file:
            if not {*SCHEMA.names} <= {*file.schema_arrow.names} or _VERSIONS.encode() not in file.metadata.metadata:
                raise DataError(f"{path} is no day of the prediction log: make one with {again}.")
            yield file
    except FileNotFoundError:
        raise DataError(f"{path} is missing: make it with {again}.") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read ({error}): make it again with {again}.") from None


def _written(connection: Connection, day: date, path: Path) -> Exported:
    versions: set[tuple[str, str]] = set()
    answered = total = 0
    with pq.ParquetWriter(path, SCHEMA, compression="zstd", use_dictionary=False, write_statistics=False) as file:
        with connection.execution_options(yield_per=GROUP_ROWS).execute(_query(day)) as result:
            for rows in result.partitions():
                last = _last_feedback(connection, rows[0].id, rows[-1].id)
                file.write_table(_table(rows, [last.get(row.id) for row in rows]), row_group_size=GROUP_ROWS)
                versions |= {(row.version, row.model) for row in rows}
                answered += sum(row.id in last for row in rows)
                total += len(rows)
        file.add_key_value_metadata({_VERSIONS: json.dumps(_labels(connection, versions), ensure_ascii=False)})
    return Exported(total, answered)


def _query(day: date) -> Select[Any]:
    begin = datetime.combine(day, time(), UTC)
    first, end = first_id(begin), first_id(begin + timedelta(days=1))
    columns = [PREDICTIONS.c[name] for name in SCHEMA.names[:-1]]  # a later revision may have more
    return select(*columns).where(PREDICTIONS.c.id >= first, PREDICTIONS.c.id < end).order_by(PREDICTIONS.c.id)


def _last_feedback(connection: Connection, first: str, last: str) -> dict[str, str]:
    """Return the label that was said last, by the id of the prediction; asked for a range, this is quick everywhere."""
    prediction = FEEDBACK.c.prediction_id
    found = select(prediction, FEEDBACK.c.label).where(prediction >= first, prediction <= last).order_by(FEEDBACK.c.id)
    return {row.prediction_id: row.label for row in connection.execute(found)}


def _table(rows: Sequence[Row[Any]], feedback: Sequence[str | None]) -> pa.Table:
    columns = [*zip(*rows, strict=True), feedback]
    return pa.table([_column(*each) for each in zip(SCHEMA, columns, strict=True)], schema=SCHEMA)


def _column(field: pa.Field, values: Sequence[Any]) -> pa.Array:
    if field.type != _FLOATS:
        return pa.array(values, field.type)
    offsets = np.cumsum([0, *(len(value) // 4 for value in values)], dtype=np.int32)
    return pa.ListArray.from_arrays(offsets, np.frombuffer(b"".join(values), "<f4"))


def _labels(connection: Connection, wanted: set[tuple[str, str]]) -> list[dict[str, Any]]:
    found: Iterator[Any] = iter(connection.execute(select(VERSIONS).order_by(VERSIONS.c.version, VERSIONS.c.model)))
    return [
        {"version": row.version, "model": row.model, "labels": json.loads(row.labels)}
        for row in found
        if (row.version, row.model) in wanted
    ]
