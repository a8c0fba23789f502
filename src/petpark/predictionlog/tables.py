"""The tables of the log, as the newest revision of `migrations` leaves them.

Numbers of a model are kept as it gave them: `probabilities` and `embedding` are float32, little-endian, one behind the
other. That costs the same for two labels and for a thousand, and is exact. Who asks in SQL has `label`, `confidence`
and `unsure` as plain columns; `versions.labels` (JSON) names the labels in the order of `probabilities`.
"""

from typing import Final

from sqlalchemy import REAL, Boolean, Column, DateTime, Index, Integer, LargeBinary, MetaData, Table, Text

METADATA: Final = MetaData()
_KEY: Final = Text().with_variant(Text(collation="C"), "postgresql")  # the order of ids is that of their bytes


def _key(name: str, *, primary: bool = False) -> Column[str]:
    return Column(name, _KEY, primary_key=primary, nullable=False)


def _text(name: str, *, primary: bool = False) -> Column[str]:
    return Column(name, Text, primary_key=primary, nullable=False)


def _real(name: str) -> Column[float]:
    return Column(name, REAL, nullable=False)


def _whole(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _bytes(name: str) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=False)


def _time() -> "Column[object]":
    """UTC; the time that is in the id, for people: SQLite keeps it as text, PostgreSQL with its zone."""
    return Column("time", DateTime(timezone=True), nullable=False)


VERSIONS: Final = Table(
    "versions",
    METADATA,
    _text("version", primary=True),
    _text("model", primary=True),  # SHA-256 of the file: a version that is not released may come with several
    _text("labels"),  # a JSON list, in the order of `predictions.probabilities`
    _real("threshold"),
    _text("commit_id"),  # COMMIT is a word of SQL
    _text("data"),
)
PREDICTIONS: Final = Table(
    "predictions",
    METADATA,
    _key("id", primary=True),
    _time(),
    _text("version"),
    _text("model"),
    _text("source"),
    _text("image"),  # SHA-256 of the bytes: the id of a photo in manifests
    _text("label"),
    _real("confidence"),
    Column("unsure", Boolean, nullable=False),
    _bytes("probabilities"),
    _bytes("embedding"),  # empty where none was asked for
    _whole("width"),
    _whole("height"),
    _text("format"),
    _whole("bytes"),
    _real("brightness"),
    _real("contrast"),
    _real("saturation"),
    _real("latency_ms"),
    Index("predictions_time", "time"),
)
FEEDBACK: Final = Table(
    "feedback",
    METADATA,
    _key("id", primary=True),
    _time(),
    _key("prediction_id"),  # no foreign key: the prediction may have been dropped
    _text("label"),
    _text("source"),
    Index("feedback_prediction_id", "prediction_id"),
)
PHOTOS: Final = Table("photos", METADATA, _key("prediction_id", primary=True), _time(), _bytes("image"))
