"""From a bucket to an archive: a real server, its faults, and fetching that goes on where it was."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from petpark import layout
from petpark.build.data import kept, listing, packing, s3, sources
from petpark.errors import DataError
from tests.build.data.test_sources import LABELS, LITTER, PHOTOS, RESULT, contents, photos_of
from tests.services import S3, Wire, free_port

MANY = {f"{LABELS[number % 3]}/{number:03}.jpg": bytes([number]) * 70_000 for number in range(60)}
Meddle = Callable[[Callable[[bytes], bytes | None]], None]

pytestmark = pytest.mark.usefixtures("workspace")


@pytest.fixture
def server(s3: S3) -> S3:
    """The server; the module has its name here."""
    return s3


@pytest.fixture
def meddle(server: S3, monkeypatch: pytest.MonkeyPatch) -> Iterator[Meddle]:
    """Put something between us and the server that may change, count or cut off what it says."""
    wires = []

    def between(change: Callable[[bytes], bytes | None]) -> None:
        wire = Wire(server.port, change)
        wires.append(wire)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{wire.port}")

    yield between
    for wire in wires:
        wire.close()


def put(server: S3, bucket: str, photos: Mapping[str, bytes], prefix: str = "wood/") -> str:
    """Fill a bucket; return the address of what is in it."""
    client = server.client()
    for name, data in photos.items():
        client.put_object(Bucket=bucket, Key=prefix + name, Body=data)
    return f"s3://{bucket}/{prefix.rstrip('/')}"


def provenance() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(contents(RESULT)["provenance.json"])
    return value


def fetched() -> list[Path]:
    """What is kept of objects that came whole."""
    return [path for path in (layout.SCRATCH / "fetched").glob("*/*") if path.is_file() and path.name[0] != "."]


def refusal(source: str) -> str:
    """What is said of a source that is refused: one sentence or two, and no batch."""
    with pytest.raises(DataError) as error:
        packing.pack(source, RESULT)
    assert not RESULT.exists()
    assert not list(Path().rglob("*.partial"))
    sentence = str(error.value)
    assert "\n" not in sentence
    assert S3.SECRET not in sentence
    assert error.value.__cause__ is None
    return sentence


class Counter:
    """Counts the objects that a server sends."""

    def __init__(self, pause: float = 0) -> None:
        self.objects, self._pause = 0, pause

    def __call__(self, piece: bytes) -> bytes:
        if b"x-amz-storage-class" in piece:
            self.objects += 1
            time.sleep(self._pause)
        return piece


def test_photos_come_by_label_from_below_a_prefix(server: S3, bucket: str) -> None:
    put(server, bucket, {"fern/9.jpg": b"x"}, "wood-2/")
    source = put(server, bucket, PHOTOS)
    found = packing.pack(source, RESULT)
    assert photos_of(RESULT) == PHOTOS
    assert found == packing.Contents(dict.fromkeys(LABELS, 2), sum(map(len, PHOTOS.values())))


def test_a_bucket_may_be_a_source_as_a_whole(server: S3, bucket: str) -> None:
    put(server, bucket, PHOTOS, "")
    for source in (f"s3://{bucket}", f"s3://{bucket}/"):
        assert packing.pack(source, RESULT).photos == len(PHOTOS)


def test_provenance_tells_where_when_and_which_versions(server: S3, bucket: str) -> None:
    source = put(server, bucket, PHOTOS)
    packing.pack(source, RESULT)
    listed = server.client().list_objects_v2(Bucket=bucket)["Contents"]
    found = provenance()
    newest = max(each["LastModified"] for each in listed)
    when = found.pop("when")
    assert when["newest"] == f"{newest:%Y-%m-%dT%H:%M:%SZ}" <= when["fetched"] <= kept.now()
    assert found == {
        "source": source,
        "kind": "s3",
        "endpoint": server.url,
        "versions": {"objects": s3.fingerprint(s3.Server().objects(bucket, "wood/"))},
        "photos": 6,
        "bytes": sum(map(len, PHOTOS.values())),
        "labels": {"fern": 2, "moss": 2, "oak": 2},
        "petpark": "0.1.0",
    }


def test_the_fingerprint_tells_whether_objects_changed(server: S3, bucket: str) -> None:
    def fingerprint() -> str:
        return s3.fingerprint(s3.Server().objects(bucket, ""))

    put(server, bucket, PHOTOS)
    before = fingerprint()
    put(server, bucket, PHOTOS)
    assert fingerprint() == before, "the same bytes again"
    put(server, bucket, {"oak/1.jpg": b"other"})
    assert fingerprint() != before


def test_what_is_no_photo_of_a_label_is_passed_over_and_not_fetched(server: S3, bucket: str, meddle: Meddle) -> None:
    source = put(server, bucket, {**LITTER, **PHOTOS})
    server.client().put_object(Bucket=bucket, Key="wood/empty/")  # how consoles make folders
    counter = Counter()
    meddle(counter)
    found = packing.pack(source, RESULT)
    assert photos_of(RESULT) == PHOTOS
    assert (found.passed_over, counter.objects) == (len(LITTER), len(PHOTOS))


@pytest.mark.parametrize(
    "name", ["fern/ä b.jpg", "fern/+%20?#&=.jpg", "fern/a\\b.jpg", "木/a/b/c.jpg", "fern/a\nb.jpg"]
)
def test_odd_names_get_through(server: S3, bucket: str, name: str) -> None:
    packing.pack(put(server, bucket, {**PHOTOS, name: b"odd"}, "a b/ü/"), RESULT)
    assert photos_of(RESULT) == {**PHOTOS, name: b"odd"}


def test_names_that_differ_in_case_are_two_photos(server: S3, bucket: str) -> None:
    names = {"fern/A.jpg": b"1", "fern/a.jpg": b"2", "Fern/a.jpg": b"3"}
    assert packing.pack(put(server, bucket, names), RESULT).labels == {"Fern": 1, "fern": 2}
    assert photos_of(RESULT) == names


def test_an_empty_object_is_a_photo_for_quarantine(server: S3, bucket: str) -> None:
    packing.pack(put(server, bucket, {**PHOTOS, "oak/3.jpg": b""}), RESULT)
    assert photos_of(RESULT)["oak/3.jpg"] == b""


def test_an_object_that_came_in_parts_is_fetched_whole(server: S3, bucket: str) -> None:
    """Its ETag is no MD5."""
    source, key = put(server, bucket, PHOTOS), "wood/oak/3.jpg"
    client, data = server.client(), os.urandom(6 << 20)
    upload = client.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    parts = [
        {
            "PartNumber": number,
            "ETag": client.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=part)["ETag"],
        }
        for number, part in enumerate((data[: 5 << 20], data[5 << 20 :]), 1)
    ]
    client.complete_multipart_upload(Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts})
    packing.pack(source, RESULT)
    assert photos_of(RESULT)["oak/3.jpg"] == data


def test_a_listing_of_many_pages_is_read_to_its_end(server: S3, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(server, bucket, PHOTOS)
    own = s3.Server()
    pages = own._client.get_paginator("list_objects_v2")
    monkeypatch.setattr(own._client, "get_paginator", lambda _: pages)
    monkeypatch.setattr(pages, "paginate", partial(pages.paginate, PaginationConfig={"PageSize": 2}))
    assert [each.key for each in own.objects(bucket, "")] == [f"wood/{name}" for name in sorted(PHOTOS)]


@pytest.mark.parametrize("name", ["../1.jpg", "fern/../../oak/1.jpg"])
def test_a_key_that_leads_out_is_refused(server: S3, bucket: str, meddle: Meddle, name: str) -> None:
    """S3 takes such keys, and the server here does not: they are written into its list."""
    stand_in = name.replace("..", "__")
    source = put(server, bucket, {**PHOTOS, stand_in: b"x"})
    meddle(lambda piece: piece.replace(f"wood/{stand_in}<".encode(), f"wood/{name}<".encode()))
    assert "lies outside the archive" in refusal(source)
    assert fetched() == []


def test_a_photo_that_comes_twice_is_refused_before_any_is_fetched(server: S3, bucket: str) -> None:
    source = put(server, bucket, {**PHOTOS, "\u00e9/1.jpg": b"1", "e\u0301/1.jpg": b"2"})
    assert "'é/1.jpg' comes twice" in refusal(source)
    assert fetched() == []


def test_a_label_that_cannot_be_printed_is_refused(server: S3, bucket: str) -> None:
    assert "has a label that is no name of a folder" in refusal(put(server, bucket, {**PHOTOS, "a\nb/1.jpg": b"x"}))


@pytest.mark.parametrize(
    ("photos", "what"),
    [
        ({}, "holds no photo: a batch is photos in folders"),
        ({".hidden/1.jpg": b"x"}, "holds no photo: a batch is photos in folders"),
        ({"1.jpg": b"x", "2.jpg": b"x"}, "holds 2 files but no folder of photos"),
        ({"fern/1.jpg": b"x"}, "holds a single photo"),
    ],
)
def test_a_prefix_without_photos_is_refused(server: S3, bucket: str, photos: Mapping[str, bytes], what: str) -> None:
    assert what in refusal(put(server, bucket, photos))


def test_a_bucket_that_does_not_exist_is_named(server: S3) -> None:
    assert f"s3://nowhere/wood/: there is no such bucket at {server.url}" in refusal("s3://nowhere/wood")


@pytest.mark.parametrize("address", ["s3://", "s3:///wood", "s3://key:secret@wood/a", "s3://wood?a=b"])
def test_an_address_that_is_none_is_refused_and_not_repeated(workspace: Path, address: str) -> None:
    assert "an address of S3 is `s3://BUCKET/PREFIX`, and holds no credentials" in refusal(address)


def test_credentials_that_are_wrong_are_refused(server: S3, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(server, bucket, PHOTOS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret")
    said = refusal(source)
    assert "refuses the credentials (SignatureDoesNotMatch): see AWS_ACCESS_KEY_ID" in said
    assert "wrong-secret" not in said
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    assert "No user exists with the provided access key ID" in refusal(source)


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        (
            "AWS_ACCESS_KEY_ID",
            None,
            "s3://wood/ needs credentials (Unable to locate credentials): set AWS_ACCESS_KEY_ID",
        ),
        ("AWS_PROFILE", "nobody", "the settings of S3 are wrong (The config profile (nobody) could not be found)"),
        ("AWS_ENDPOINT_URL", "localhost:9000", "the settings of S3 are wrong (Invalid endpoint: localhost:9000)"),
        ("AWS_ENDPOINT_URL", "http://me:secret@127.0.0.1:9", "AWS_ENDPOINT_URL holds a user or a password"),
    ],
)
def test_settings_that_are_wrong_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str | None, what: str
) -> None:
    for each, settings in S3.settings("http://127.0.0.1:9").items():
        monkeypatch.setenv(each, settings)
    if value is None:
        monkeypatch.delenv(name)
    else:
        monkeypatch.setenv(name, value)
    said = refusal("s3://wood")
    assert what in said
    assert "secret" not in said


def test_a_server_that_is_not_there_is_named(server: S3, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    said = refusal(f"s3://{bucket}/wood")
    assert f"cannot be read from {url} (Could not connect" in said
    assert "see whether that is the server, and it runs" in said


def test_a_server_that_is_none_of_s3_is_named(server: S3, bucket: str, meddle: Meddle) -> None:
    meddle(lambda _: b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
    assert "is not there, or no longer, at http://127" in refusal(f"s3://{bucket}/wood")


def cut(meddle: Meddle, times: int) -> list[int]:
    """Let the first bodies of one object break off in the middle."""
    cuts: list[int] = []

    def change(piece: bytes) -> bytes | None:
        if MANY["moss/010.jpg"][:100] in piece and len(cuts) < times:
            cuts.append(len(piece))
            return None
        return piece

    meddle(change)
    return cuts


def test_an_object_that_breaks_off_is_fetched_again(server: S3, bucket: str, meddle: Meddle) -> None:
    source = put(server, bucket, MANY)
    cuts = cut(meddle, 2)
    packing.pack(source, RESULT)
    assert len(cuts) == 2
    assert photos_of(RESULT) == MANY


def test_an_object_that_always_breaks_off_stops_it_and_the_others_are_kept(
    server: S3, bucket: str, meddle: Meddle
) -> None:
    source = put(server, bucket, MANY)
    cuts = cut(meddle, 99)
    said = refusal(source)
    assert f"{source}/moss/010.jpg cannot be read" in said
    assert "What came is kept: run the same command again" in said
    assert cuts
    came, counter = len(fetched()), Counter()
    assert came > 5
    meddle(counter)
    packing.pack(source, RESULT)
    assert photos_of(RESULT) == MANY
    assert counter.objects == len(MANY) - came


def test_an_object_that_is_damaged_on_its_way_is_noticed(server: S3, bucket: str, meddle: Meddle) -> None:
    source = put(server, bucket, {**PHOTOS, "oak/3.jpg": b"unharmed" * 10})
    meddle(lambda piece: piece.replace(b"unharmed", b"damaged!"))
    assert "oak/3.jpg cannot be read" in refusal(source)


def test_a_server_that_dies_in_the_middle_is_gone_on_with(server: S3, bucket: str, meddle: Meddle) -> None:
    source = put(server, bucket, MANY)
    sent: list[int] = []

    def die(piece: bytes) -> bytes:
        sent.append(len(piece))
        if sum(sent) > 2_000_000:
            server.kill()
        return piece

    meddle(die)
    assert "cannot be read from" in refusal(source)
    came = {path: path.stat().st_mtime_ns for path in fetched()}
    assert 5 < len(came) < len(MANY)
    server.start()
    counter = Counter()
    meddle(counter)
    packing.pack(source, RESULT)
    assert photos_of(RESULT) == MANY
    assert counter.objects == len(MANY) - len(came)


def test_a_process_that_is_killed_is_gone_on_with(server: S3, bucket: str, meddle: Meddle) -> None:
    source = put(server, bucket, MANY)
    slow = Counter(pause=0.02)
    meddle(slow)
    code = f"from petpark.build.data import packing; packing.pack({source!r}, packing.Path('made.tar'))"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        while len(fetched()) < 10 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    came, counter = len(fetched()), Counter()
    assert not RESULT.exists()
    meddle(counter)
    packing.pack(source, RESULT)
    assert photos_of(RESULT) == MANY
    assert counter.objects == len(MANY) - came
    assert not [path for path in layout.SCRATCH.rglob("*") if path.name.startswith(".")], "nothing half-written"


class StoppedError(Exception):
    """Raised by tests alone."""


def interrupted(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetch everything, and stop before the archive is made."""

    def stop(*_: object, **__: object) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(listing, "of", stop)
        with pytest.raises(StoppedError):
            packing.pack(source, RESULT)


def test_an_object_that_changed_is_fetched_anew_and_its_old_version_is_gone(
    server: S3, bucket: str, meddle: Meddle, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(server, bucket, PHOTOS)
    interrupted(source, monkeypatch)
    same_size = bytes(len(PHOTOS["oak/1.jpg"]))
    put(server, bucket, {"oak/1.jpg": same_size})
    counter = Counter()
    meddle(counter)
    packing.pack(source, RESULT)
    assert photos_of(RESULT) == {**PHOTOS, "oak/1.jpg": same_size}
    assert (counter.objects, len(fetched())) == (1, len(PHOTOS))


def test_what_is_kept_and_has_lost_its_end_is_fetched_anew(
    server: S3, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = put(server, bucket, PHOTOS)
    interrupted(source, monkeypatch)
    os.truncate(fetched()[0], 100)
    packing.pack(source, RESULT)
    assert photos_of(RESULT) == PHOTOS


@pytest.mark.parametrize("change", ["smaller", "other", "gone"])
def test_an_object_that_changes_after_it_was_listed_stops_it(
    server: S3, bucket: str, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    source, client = put(server, bucket, PHOTOS), server.client()
    there = kept.fetch

    def change_first(photos: Any, what: str) -> None:
        if change == "gone":
            client.delete_object(Bucket=bucket, Key="wood/oak/2.jpg")
        else:
            size = 10 if change == "smaller" else len(PHOTOS["oak/2.jpg"])
            client.put_object(Bucket=bucket, Key="wood/oak/2.jpg", Body=bytes(size))
        there(photos, what)

    monkeypatch.setattr("petpark.build.data.s3.fetch", change_first)
    said = refusal(source)
    assert f"{source}/oak/2.jpg {'is not there, or no longer' if change == 'gone' else 'changed while'}" in said
    monkeypatch.setattr("petpark.build.data.s3.fetch", there)
    assert packing.pack(source, RESULT).photos == (5 if change == "gone" else 6)


def test_a_key_with_an_odd_name_is_told_in_one_line(server: S3, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(server, bucket, {**PHOTOS, "oak/a\nb.jpg": b"x"})
    there = kept.fetch

    def remove_first(photos: Any, what: str) -> None:
        server.client().delete_object(Bucket=bucket, Key="wood/oak/a\nb.jpg")
        there(photos, what)

    monkeypatch.setattr("petpark.build.data.s3.fetch", remove_first)
    assert "oak/a\\nb.jpg is not there" in refusal(source)


def test_a_server_that_ignores_the_condition_is_seen_through(server: S3, bucket: str, meddle: Meddle) -> None:
    source = put(server, bucket, PHOTOS)
    etag = server.client().head_object(Bucket=bucket, Key="wood/oak/2.jpg")["ETag"].strip('"')
    meddle(lambda piece: piece.replace(b'ETag: "' + etag.encode(), b'ETag: "' + b"0" * len(etag)))
    assert "oak/2.jpg changed while photos were fetched" in refusal(source)


def test_sources_keep_apart_what_they_fetched(server: S3, bucket: str) -> None:
    one, other = put(server, bucket, PHOTOS), put(server, bucket, PHOTOS, "heath/")
    for source in (one, other):
        packing.pack(source, RESULT)
    assert len(fetched()) == 2 * len(PHOTOS)
    sources.forget(one)
    assert {path.parent for path in fetched()} == {s3.kept(other).folder}
    sources.forget(f"{other}/")
    assert fetched() == []


def test_no_object_is_ever_held_in_memory(server: S3, bucket: str) -> None:
    source = put(server, bucket, {f"{label}/1.jpg": os.urandom(12 << 20) for label in LABELS})
    code = (
        "import resource, botocore.session; from petpark.build.data import packing, s3; from pathlib import Path;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; s3.Server(); before = peak();"
        f"packing.pack({source!r}, Path('made.tar')); print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert RESULT.stat().st_size > 36 << 20
    assert int(done.stdout) < 20 << 10, "KiB"
