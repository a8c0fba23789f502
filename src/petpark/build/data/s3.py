"""Photos in a bucket of S3, or of any server that speaks it. What is fetched is whole, and of the version listed."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import botocore.session  # type: ignore[import-untyped] # comes without types
from botocore import exceptions
from botocore.config import Config  # type: ignore[import-untyped] # likewise

from petpark import files
from petpark.build.data import listing
from petpark.build.data.kept import AT_ONCE, Kept, fetch, now, opened, time
from petpark.errors import DataError

_ADDRESS: Final = re.compile(r"s3://([A-Za-z0-9._-]+)(?:/(.*))?", re.DOTALL)
_SETTINGS: Final = Config(
    connect_timeout=10,
    read_timeout=60,
    max_pool_connections=AT_ONCE,
    retries={"mode": "standard", "total_max_attempts": 3},
)
_TRIES: Final = 3  # of an object whose body breaks off, which botocore does not try again
_CHUNK: Final = 1 << 18
_BROKEN_OFF: Final = (
    exceptions.IncompleteReadError,
    exceptions.ResponseStreamingError,
    exceptions.ReadTimeoutError,
    exceptions.FlexibleChecksumError,
)
_UNNAMED: Final = (
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.CredentialRetrievalError,
    exceptions.ProfileNotFound,
    exceptions.TokenRetrievalError,
)
_CREDENTIALS: Final = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_AGAIN: Final = "What came is kept: run the same command again, and it goes on from there."


class Object(NamedTuple):
    """One version of one object."""

    bucket: str
    key: str
    size: int
    etag: str
    modified: datetime

    @property
    def address(self) -> str:
        """How a person names it, in one line."""
        return f"s3://{self.bucket}/{self.key if self.key.isprintable() else repr(self.key)[1:-1]}"


@contextmanager
def prefix(given: str) -> Iterator[listing.Source]:
    """Fetch the photos whose keys are `prefix/label/name`.

    Raises:
        DataError: the server cannot be reached or refuses, an object changes meanwhile, or there is no photo.
    """
    begun, bucket, key, server, home = now(), *split(given), Server(), kept(given)
    start = key and f"{key}/"
    objects = list(server.objects(bucket, start))
    entries = [
        server.entry(listing.cleaned(given, each.key.removeprefix(start).lstrip("/")), each, home) for each in objects
    ]
    photos = listing.chosen(given, entries, strip=False)
    home.only({home.place(*each) for each in objects})
    fetch(photos, f"fetch {given}")
    provenance = {
        "kind": "s3",
        "endpoint": server.endpoint,
        "when": {"fetched": begun, "newest": time(max(each.modified for each in objects))},
        "versions": {"objects": fingerprint(objects)},
    }
    yield listing.of(given, provenance, photos, passed_over=len(entries) - len(photos))


def kept(given: str) -> Kept:
    """What was fetched of this source before."""
    return Kept("s3", *split(given))


def split(address: str) -> tuple[str, str]:
    """Take an address apart, into the bucket and the key or prefix.

    Raises:
        DataError: it is none.
    """
    found = _ADDRESS.fullmatch(address)
    if not found:
        raise DataError("an address of S3 is `s3://BUCKET/PREFIX`, and holds no credentials: what was given is none.")
    return found[1], (found[2] or "").rstrip("/")


def fingerprint(objects: Iterable[Object]) -> str:
    """Hash key, ETag and size of every object: as long as it is the same, so are the objects."""
    lines = sorted(f"{each.bucket}\0{each.key}\0{each.etag}\0{each.size}\n" for each in objects)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


class Server:
    """The server that the settings of AWS name: variables such as AWS_ENDPOINT_URL, or ~/.aws."""

    def __init__(self) -> None:
        """Make a client, which threads may share; nothing is asked yet.

        Raises:
            DataError: the settings are wrong.
        """
        try:
            self._client: Any = botocore.session.Session().create_client("s3", config=_SETTINGS)
        except (exceptions.BotoCoreError, ValueError) as error:
            raise DataError(f"the settings of S3 are wrong ({_why(error)}): see {_CREDENTIALS}.") from None
        self.endpoint: str = self._client.meta.endpoint_url
        if urlsplit(self.endpoint).username is not None:
            raise DataError("AWS_ENDPOINT_URL holds a user or a password: take them out, and set " + _CREDENTIALS + ".")

    def objects(self, bucket: str, prefix: str) -> Iterator[Object]:
        """Yield the objects whose keys begin so; those that end in a slash stand for folders, and are none.

        Raises:
            DataError: the server cannot be reached, or refuses.
        """
        with self._in_one_sentence(f"s3://{bucket}/{prefix}"):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for each in page.get("Contents", ()):
                    if not each["Key"].endswith("/"):
                        yield Object(bucket, each["Key"], each["Size"], each.get("ETag", ""), each["LastModified"])

    def look(self, address: str) -> Object:
        """Return the version of an object that is there now.

        Raises:
            DataError: the server cannot be reached, or refuses, or there is no such object.
        """
        bucket, key = split(address)
        with self._in_one_sentence(address):
            reply = self._client.head_object(Bucket=bucket, Key=key)
        return Object(bucket, key, reply["ContentLength"], reply.get("ETag", ""), reply["LastModified"])

    def entry(self, path: str, it: Object, home: Kept) -> listing.Entry:
        """Make an object a photo of a source, that is fetched unless it is here."""
        place = home.place(*it)
        here = place.is_file() and place.stat().st_size == it.size
        return listing.Entry(path, it.size, partial(opened, place), None if here else partial(self._fetch, it, place))

    def _fetch(self, it: Object, place: Path) -> None:
        with self._in_one_sentence(it.address):
            for _ in range(_TRIES - 1):
                with suppress(*_BROKEN_OFF):
                    self._save(it, place)
                    return
            self._save(it, place)

    def _save(self, it: Object, place: Path) -> None:
        if_same = {"IfMatch": it.etag} if it.etag else {}
        reply = self._client.get_object(Bucket=it.bucket, Key=it.key, **if_same)
        with closing(reply["Body"]) as body:
            if (reply["ContentLength"], reply.get("ETag", "")) != (it.size, it.etag):
                raise _changed(it.address)
            with files.whole(place) as partly, partly.open("wb") as file:
                for chunk in body.iter_chunks(_CHUNK):
                    file.write(chunk)

    @contextmanager
    def _in_one_sentence(self, address: str) -> Iterator[None]:
        try:
            yield
        except exceptions.ClientError as error:
            raise self._refused(address, error) from None
        except _UNNAMED as error:
            raise DataError(f"{address} needs credentials ({_why(error)}): set {_CREDENTIALS}.") from None
        except exceptions.BotoCoreError as error:
            raise DataError(
                f"{address} cannot be read from {self.endpoint} ({_why(error)}): see whether that is the server, and "
                f"it runs. {_AGAIN}"
            ) from None

    def _refused(self, address: str, error: Any) -> DataError:
        code, why = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
        status = error.response["ResponseMetadata"].get("HTTPStatusCode")
        if code == "NoSuchBucket":
            return DataError(f"{address}: there is no such bucket at {self.endpoint}; give another address.")
        if code == "PreconditionFailed":
            return _changed(address)
        if code in ("NoSuchKey", "404"):
            return DataError(f"{address} is not there, or no longer, at {self.endpoint}. {_AGAIN}")
        if status in (401, 403):
            return DataError(
                f"{address}: {self.endpoint} refuses the credentials ({code}): see {_CREDENTIALS}, and whether they "
                "may list and read there."
            )
        return DataError(f"{address}: {self.endpoint} does not give it ({code}: {why.rstrip('.')}). {_AGAIN}")


def _changed(address: str) -> DataError:
    return DataError(f"{address} changed while photos were fetched. {_AGAIN}")


def _why(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
