"""Writes the log in the background: whatever happens to the database, predictions neither wait for it nor fail."""

import logging
import time
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from typing import Final

from petpark import databases
from petpark.predictionlog import database
from petpark.predictionlog.buffer import Buffer
from petpark.predictionlog.rows import Feedback, Logged, Photo, Version, prediction_id
from petpark.predictionlog.sink import Batch, Sink

_ROWS: Final = 1_000  # of a batch
_PHOTO_BYTES: Final = 8 << 20  # of a batch
_WAITING_PHOTO_BYTES: Final = 64 << 20
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0  # seconds after a failure
_PATIENCE: Final = 5.0  # seconds of a transaction until the database counts as failing
_EVER: Final = 10_000  # days
_FORGET_EVERY: Final = 3600.0  # seconds
_log = logging.getLogger(__name__)


class Writer:
    """The log of one process; its methods may be called by any thread, do not wait and do not raise.

    A thread writes what came at least every `interval` seconds. Where the database is away or slow, rows wait in
    memory, and where too many wait, the oldest are dropped.

    Args:
        url: of the database, as SQLAlchemy writes it.
        capacity: of predictions that wait, and as much feedback.
        interval: in seconds.
        photo_share: of predictions whose photo is kept, 0 to 1. Chosen by the id: all replicas choose the same.
        photo_days: after so many days a photo is deleted, also one that another process kept.

    Attributes:
        written: predictions and feedback that are in the database.

    Raises:
        DataError: the address is none, or one of something else than SQLite or PostgreSQL.
        SetupError: the folder of SQLite's file cannot be written, or a driver is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        capacity: int = 10_000,
        interval: float = 0.5,
        photo_share: float = 0.0,
        photo_days: float = 7,
    ) -> None:
        self.written = 0
        address = database.address(url)
        self._sink = Sink(address)
        self._shown = databases.shown(address)
        self._interval = interval
        self._chosen = photo_share * (1 << 32)
        self._keep = timedelta(days=min(photo_days, _EVER))
        self._predictions: Buffer[Logged] = Buffer(capacity)
        self._feedback: Buffer[Feedback] = Buffer(capacity)
        self._photos: Buffer[Photo] = Buffer(_WAITING_PHOTO_BYTES, _weight)
        self._versions: tuple[Version, ...] = ()
        self._batch = Batch()  # under way
        self._begun: float | None = None
        self._refused = 0
        self._failure: str | None = None
        self._pause = _FIRST_PAUSE
        self._forget_at = 0.0
        self._stop = Event()
        self._thread = Thread(target=self._run, name="prediction log", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Predictions and feedback that were lost: there was no room, or the database refuses such a row."""
        return self._predictions.dropped + self._feedback.dropped + self._refused

    @property
    def photos_dropped(self) -> int:
        """Photos that were chosen and lost."""
        return self._photos.dropped

    @property
    def waiting(self) -> int:
        """Predictions and feedback that are not in the database yet."""
        return len(self._predictions) + len(self._feedback) + len(self._batch)

    @property
    def failing(self) -> str | None:
        """Why nothing gets into the database at present; None where all is well."""
        if self._failure is None and self._begun is not None and time.monotonic() - self._begun > _PATIENCE:
            return f"{self._shown}: no answer for more than {_PATIENCE:.0f} seconds"
        return self._failure

    def register(self, version: Version) -> None:
        """Tell what predicts from now on."""
        if version not in self._versions:
            self._versions = (*self._versions, version)

    def put(self, row: Logged, photo: bytes | None = None) -> None:
        """Log a prediction, and perhaps its photo."""
        self._predictions.put(row)
        if photo is not None and self._chosen and int(row.id[-8:], 16) < self._chosen:
            self._photos.put(Photo(row.id, photo))

    def feedback(self, prediction: str, label: str, source: str) -> None:
        """Log what somebody says is the true label of a prediction, which the log need not hold."""
        self._feedback.put(Feedback(prediction_id(), prediction, label, source))

    def close(self, timeout: float = 5.0) -> None:
        """Write what waits, and stop; what cannot be written in so many seconds is dropped."""
        self._stop.set()
        self._thread.join(timeout)
        for buffer in (self._predictions, self._feedback, self._photos):
            buffer.close()
        self._refused += len(self._batch)
        if self.dropped:
            _log.warning("%s: %d rows of the prediction log were dropped", self._shown, self.dropped)

    def _run(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            pause = self._round()
        self._round()
        self._sink.close()

    def _round(self) -> float:
        """Write all that waits; return how many seconds to pause."""
        began = time.monotonic()
        try:
            self._sink.open()
            self._write()
            self._forget()
        except Exception as error:  # noqa: BLE001 - whatever it is, the thread must live
            return self._failed(error)
        self._recovered()
        return max(0.0, self._interval - (time.monotonic() - began))

    def _write(self) -> None:
        while self._batch or self._take():
            self._begun = time.monotonic()
            refused = self._sink.write(self._batch, self._versions)
            self._refused += refused
            self.written += len(self._batch) - refused
            self._batch, self._begun = Batch(), None

    def _take(self) -> Batch:
        self._batch = Batch(self._predictions.take(_ROWS), self._feedback.take(_ROWS), self._photos.take(_PHOTO_BYTES))
        return self._batch

    def _forget(self) -> None:
        if time.monotonic() >= self._forget_at and not self._sink.forget(datetime.now(UTC) - self._keep):
            self._forget_at = time.monotonic() + _FORGET_EVERY

    def _failed(self, error: Exception) -> float:
        self._sink.close()  # whatever its state is, the next try begins anew
        self._begun, before = None, self._failure
        self._failure = f"{self._shown}: {databases.why(error)}"
        if before is None:
            _log.warning("%s; predictions go on, and rows of the prediction log wait", self._failure)
        pause, self._pause = self._pause, min(2 * self._pause, _LONGEST_PAUSE)
        return pause

    def _recovered(self) -> None:
        if self._failure is not None:
            _log.warning("%s: the prediction log is written again; %d rows were dropped", self._shown, self.dropped)
        self._failure, self._pause = None, _FIRST_PAUSE


def _weight(photo: Photo) -> int:
    return len(photo.image) + 100
