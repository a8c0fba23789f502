"""From an archive to manifest, shard and originals."""

import csv
import gzip
import hashlib
import io
import multiprocessing
import os
import resource
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import time
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from petpark import files, images, layout, shards
from petpark.build import archive, photo
from petpark.build.ingest import ingest
from petpark.config.ingest import IngestSettings
from petpark.errors import DataError, SetupError
from tests.conftest import draw, encoded, jpeg, pack

BATCH = "zoo"
SETTINGS = IngestSettings(short_side=48)
Members = dict[str, bytes]


@pytest.fixture(autouse=True)
def _here(workspace: Path) -> None:
    """Every test starts in an empty folder."""


def zoo(count: int = 6, **more: bytes) -> Members:
    """Photos of three labels, all different."""
    drawn = {f"{('fox', 'owl', 'hare')[n % 3]}/{n}.jpg": jpeg(draw(n)) for n in range(count)}
    return drawn | {name.replace("__", "/"): data for name, data in more.items()}


def crowd(count: int) -> Members:
    """Many photos of different bytes, drawn quickly: a few pictures, each with comments of its own."""
    drawn = [jpeg(draw(number, width=160, height=120)) for number in range(12)]
    members = {}
    for number in range(count):
        data, note = drawn[number % 12], b"%08d" % number
        comment = b"\xff\xfe" + struct.pack(">H", len(note) + 2) + note
        members[f"{('fox', 'owl', 'hare')[number % 3]}/{number:05d}.jpg"] = data[:2] + comment + data[2:]
    return members


def run(members: Members | None = None, settings: IngestSettings = SETTINGS, workers: int | None = 1) -> str:
    """Pack a batch, unless it lies there, and ingest it; returns its SHA-256."""
    if members is not None:
        pack(layout.archive(BATCH), members)
    digest = files.sha256(layout.archive(BATCH))
    ingest(BATCH, digest, settings, workers)
    return digest


def refused(settings: IngestSettings = SETTINGS, workers: int | None = 1) -> str:
    with pytest.raises(DataError) as caught:
        ingest(BATCH, files.sha256(layout.archive(BATCH)), settings, workers)
    assert written() == {}
    return str(caught.value)


def manifest() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(layout.manifest(BATCH)).to_pylist()
    return rows


def written() -> dict[str, bytes]:
    """Every file of the lake, partial ones too."""
    return {str(path): path.read_bytes() for path in sorted(layout.LAKE.rglob("*")) if path.is_file()}


def stored(row: dict[str, Any]) -> images.Pixels:
    ((_, _, data),) = shards.read_photos(layout.shard(BATCH), [(row["part"], row["row"])])
    return images.decode(data).pixels


def hexed(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# What comes out


def test_every_photo_has_a_row_and_a_stored_form() -> None:
    members = zoo()
    run(members)
    rows = manifest()
    assert pq.read_schema(layout.manifest(BATCH)).equals(shards.MANIFEST)
    assert [row["name"] for row in rows] == list(members)
    assert [row["label"] for row in rows] == [name.split("/")[0] for name in members]
    assert [row["id"] for row in rows] == [hexed(data) for data in members.values()]
    assert [row["bytes"] for row in rows] == [len(data) for data in members.values()]
    assert [(row["part"], row["row"]) for row in rows] == [(0, number) for number in range(6)]
    assert {(row["format"], row["width"], row["height"], row["reason"]) for row in rows} == {("JPEG", 96, 72, None)}
    for number, row in enumerate(rows):
        assert stored(row).shape == (48, 64, 3)
        shrunk = np.asarray(draw(number).resize((64, 48), Image.Resampling.LANCZOS)).astype(int)
        assert np.abs(stored(row) - shrunk).mean() < 4


def test_ids_in_the_shard_are_those_of_the_manifest() -> None:
    run(zoo(8, fox__bad=b"no photo"))
    table = pq.read_table(layout.shard(BATCH))
    assert table.column("id").to_pylist() == [row["id"] for row in manifest() if row["reason"] is None]


def test_what_a_photo_looks_like_is_measured_on_its_stored_form() -> None:
    grey = Image.new("RGB", (200, 160), (128, 128, 128))
    red = Image.new("RGB", (200, 160), (255, 0, 0))
    run({"a/grey.png": encoded(grey, "PNG"), "a/red.png": encoded(red, "PNG"), **zoo()})
    first, second, *others = manifest()
    assert (first["brightness"], first["contrast"], first["saturation"]) == pytest.approx((128 / 255, 0, 0), abs=1e-4)
    assert (second["brightness"], second["saturation"]) == pytest.approx((0.299, 1), abs=1e-4)
    assert first["phash"] == second["phash"] == 1 << 63
    assert len({row["phash"] for row in others}) == 6


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((500, 375), (64, 48)),
        ((375, 500), (48, 64)),
        ((1601, 1203), (64, 48)),
        ((97, 49), (95, 48)),
        ((48, 700), (48, 700)),
        ((40, 30), (40, 30)),
        ((900, 50), (864, 48)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_short_side_is_what_was_asked_for_and_nothing_grows(
    size: tuple[int, int], expected: tuple[int, int], kind: str
) -> None:
    run({"fox/one": encoded(draw(1, width=size[0], height=size[1]), kind)})
    (row,) = manifest()
    assert (row["width"], row["height"]) == size
    assert stored(row).shape == (expected[1], expected[0], 3)


@pytest.mark.parametrize("factor", [1.1, 1.3, 1.5, 2.3, 5.0])
def test_shrinking_loses_no_more_than_averaging_areas_does(factor: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((round(160 * factor), round(120 * factor)), Image.Resampling.BICUBIC)
    pixels = np.asarray(picture)
    best = np.asarray(picture.resize((160, 120), Image.Resampling.LANCZOS)).astype(int)
    ours = photo.shrink(images.Decoded(pixels, *picture.size, "PNG"), 120)
    averaged = cv2.resize(pixels, (160, 120), interpolation=cv2.INTER_AREA)
    assert np.square(ours - best).mean() < 1.2 * np.square(averaged - best).mean()


def test_a_photo_is_stored_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    run({"fox/turned.jpg": encoded(draw(1), "JPEG", exif=exif)})
    (row,) = manifest()
    assert (row["width"], row["height"]) == (72, 96)
    upright = np.asarray(draw(1).rotate(-90, expand=True).resize((48, 64), Image.Resampling.LANCZOS)).astype(int)
    assert np.abs(stored(row) - upright).mean() < 5


def test_odd_files_are_accepted_by_content_or_quarantined_with_a_reason() -> None:
    photo_bytes = jpeg(draw(1, width=320, height=240))
    members = {
        "owl/fine.jpg": photo_bytes,
        "owl/really-a-gif.jpg": encoded(draw(2), "GIF"),
        "owl/no-ending": encoded(draw(3), "WEBP"),
        "owl/empty.jpg": b"",
        "owl/page.jpg": b"<html></html>",
        "owl/cut.jpg": photo_bytes[:-100],
        "owl/broken.jpg": photo_bytes[:2000] + bytes(500) + photo_bytes[2500:],
        "owl/dot.png": encoded(Image.new("RGB", (3, 3)), "PNG"),
        "owl/sliver.png": encoded(Image.new("RGB", (800, 20)), "PNG"),
        "owl/huge.png": encoded(Image.new("1", (1001, 1000)), "PNG"),
        "owl/large.png": encoded(Image.new("1", (1000, 1000)), "PNG"),
    }
    run(members, IngestSettings(short_side=48, max_megapixels=1))
    rows = {row["name"].removeprefix("owl/"): row for row in manifest()}
    assert {name: row["reason"] for name, row in rows.items() if row["reason"]} == {
        "empty.jpg": "empty",
        "page.jpg": "not-an-image",
        "cut.jpg": "damaged",
        "broken.jpg": "damaged",
        "dot.png": "too-small",
        "sliver.png": "extreme-shape",
        "huge.png": "too-many-pixels",
    }
    assert rows["huge.png"]["detail"] == "1001 x 1000"
    assert [rows[name]["format"] for name in ("really-a-gif.jpg", "no-ending")] == ["GIF", "WEBP"]
    assert rows["empty.jpg"]["id"] == hexed(b"")
    for row in rows.values():
        measured = [row[name] for name in ("format", "width", "brightness", "phash", "part", "row")]
        assert [value is None for value in measured] == [row["reason"] is not None] * 6
    assert {row["reason"] for row in rows.values()} - {None} <= images.REASONS.keys()


def test_a_file_that_is_too_large_is_never_read_as_a_whole() -> None:
    big = bytes(images.MAX_BYTES + 1)
    expected = hexed(big)
    pack(layout.archive(BATCH), zoo(3, fox__big=big))
    del big
    digest = files.sha256(layout.archive(BATCH))
    tracemalloc.start()
    ingest(BATCH, digest, SETTINGS, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    row = manifest()[-1]
    assert (row["reason"], row["detail"], row["id"]) == ("too-many-bytes", "64 MiB", expected)
    assert peak < 30 << 20


def test_a_member_that_comes_twice_has_two_rows() -> None:
    path = pack(layout.archive(BATCH), zoo(3))
    with tarfile.open(path, "a") as more:
        info = tarfile.TarInfo("fox/0.jpg")
        info.size = len(data := jpeg(draw(77)))
        more.addfile(info, io.BytesIO(data))
    run()
    assert [row["name"] for row in manifest()] == ["fox/0.jpg", "owl/1.jpg", "hare/2.jpg", "fox/0.jpg"]
    assert [row["id"] for row in manifest()][::3] == [hexed(jpeg(draw(0))), hexed(jpeg(draw(77)))]


def test_files_beside_the_folders_are_no_photos() -> None:
    run({"provenance.json": b"{}", "./manifest.csv": b"a,b", **zoo(3)})
    assert len(manifest()) == 3


def test_folders_and_deeper_paths_are_read() -> None:
    path = layout.archive(BATCH)
    path.parent.mkdir()
    with tarfile.open(path, "w") as made:
        for name, kind in (("./", tarfile.DIRTYPE), ("./fox", tarfile.DIRTYPE), ("./fox/day 2/a.jpg", tarfile.REGTYPE)):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.size = len(data := jpeg(draw(1))) if kind == tarfile.REGTYPE else 0
            made.addfile(info, io.BytesIO(data) if info.size else None)
    run()
    assert [(row["label"], row["name"]) for row in manifest()] == [("fox", "fox/day 2/a.jpg")]


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_are_kept(kind: int) -> None:
    long = f"renard été/{'深' * 40}/{'x' * 90}.jpg"
    raw = "fuchs/caf\udce9.jpg"  # a byte that is no UTF-8
    layout.DATA.mkdir()
    with tarfile.open(layout.archive(BATCH), "w", format=kind) as made:
        for name in (long if kind != tarfile.USTAR_FORMAT else "renard été/深.jpg", raw):
            info = tarfile.TarInfo(name)
            info.size = len(data := jpeg(draw(len(name))))
            made.addfile(info, io.BytesIO(data))
    run()
    first, second = manifest()
    assert first["label"] == "renard été"
    assert first["name"].endswith("深.jpg" if kind == tarfile.USTAR_FORMAT else "x.jpg")
    assert second["name"] == r"fuchs/caf\udce9.jpg"


def test_originals_are_those_with_the_smallest_ids_of_each_label() -> None:
    noisy = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), dtype=np.uint8)
    heavy = {f"owl/heavy{n}.png": encoded(Image.fromarray(noisy[:, n:]), "PNG") for n in range(3)}  # 3 MB each
    members = zoo(60) | {"hare/bad.jpg": b"no photo", "fox/again.jpg": jpeg(draw(0))} | heavy
    run(members)
    table = pq.read_table(layout.originals(BATCH))
    assert table.schema.equals(shards.ORIGINALS)
    expected = []
    for label in ("fox", "hare", "owl"):
        good = {hexed(data): data for name, data in zoo(60).items() if name.startswith(label)}
        expected += [{"id": each, "label": label, "image": good[each]} for each in sorted(good)[:8]]
    assert table.to_pylist() == expected


def test_the_summary_counts_photos_and_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    run(zoo(3, fox__a=b"", fox__b=b"?", owl__c=b"!"))
    out, err = capsys.readouterr()
    assert out == "zoo: 6 photos, 3 in quarantine (empty 1, not-an-image 2)\n"
    assert err == ""  # no bar where nobody looks
    run(zoo(3))
    assert capsys.readouterr().out == "zoo: 3 photos, 0 in quarantine\n"


def test_a_new_run_replaces_the_old_one() -> None:
    run(zoo(6))
    before = written()
    run(zoo(4), IngestSettings(short_side=32))
    assert len(manifest()) == 4
    assert stored(manifest()[3]).shape == (32, 43, 3)
    run(zoo(6))
    assert written() == before


def test_settings_reach_the_photo() -> None:
    run(zoo(1), IngestSettings(short_side=64, quality=50))
    small = written()["lake/zoo/shard/part-00000.parquet"]
    run(zoo(1), IngestSettings(short_side=64, quality=100))
    assert len(written()["lake/zoo/shard/part-00000.parquet"]) > len(small) + 500


# Many processes


def test_any_number_of_workers_writes_the_same_bytes() -> None:
    members = crowd(700) | {"owl/bad.jpg": b"no photo"}
    run(members, workers=1)
    alone = written()
    assert len(manifest()) == 701
    for workers in (2, 3):
        files.remove(layout.LAKE)
        run(workers=workers)
        assert written() == alone
    assert multiprocessing.active_children() == []


def test_a_small_batch_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("petpark.build.pool._crew", None)
    run(zoo(30), workers=8)
    assert len(manifest()) == 30


def test_a_worker_that_is_killed_ends_the_run_in_one_sentence() -> None:
    pack(layout.archive(BATCH), crowd(1200))
    killer = threading.Thread(target=_kill_a_worker)
    killer.start()
    with pytest.raises(SetupError, match=r"a process that was working on data/zoo\.tar was killed"):
        run(workers=2)
    killer.join()
    assert written() == {}
    assert multiprocessing.active_children() == []


def _kill_a_worker() -> None:
    while not (children := multiprocessing.active_children()):
        time.sleep(0.001)
    os.kill(children[0].pid or 0, signal.SIGKILL)


SCRIPT = """
import os, signal, sys
from pathlib import Path
from petpark import files, layout
from petpark.build.ingest import ingest
from petpark.config.ingest import IngestSettings

real, moves = Path.replace, 0

def replace(self, target):
    global moves
    moves += 1
    if moves == int(sys.argv[1]):
        os.kill(os.getpid(), signal.SIGKILL)
    return real(self, target)

if __name__ == "__main__":
    Path.replace = replace
    ingest("zoo", files.sha256(layout.archive("zoo")), IngestSettings(short_side=48), 2)
"""


def start(crash_at: int) -> "subprocess.Popen[bytes]":
    """Ingest in a process of its own, which kills itself as it is about to move its n-th output into place."""
    Path("script.py").write_text(SCRIPT)
    return subprocess.Popen([sys.executable, "script.py", str(crash_at)], stderr=subprocess.DEVNULL)


def readable() -> list[str]:
    """Outputs that a reader would take for whole: nothing is reached but through the manifest."""
    return [name for name in written() if ".partial" not in name] if layout.manifest(BATCH).exists() else []


def test_after_kill_9_at_work_nothing_is_readable_and_a_rerun_is_clean() -> None:
    pack(layout.archive(BATCH), crowd(1200))
    process = start(0)
    part = layout.LAKE / BATCH / ".shard.partial" / "part-00000.parquet"
    while process.poll() is None and not (part.exists() and part.stat().st_size > 100_000):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert part.exists()
    assert [name for name in written() if ".partial" not in name] == []
    run(workers=2)
    after = written()
    files.remove(layout.LAKE)
    run(workers=1)
    assert written() == after


@pytest.mark.parametrize("crash_at", [1, 2, 3])
def test_after_kill_9_between_two_outputs_no_old_one_stands_beside_a_new_one(crash_at: int) -> None:
    run(zoo(9), IngestSettings(short_side=32))
    pack(layout.archive(BATCH), zoo(5))
    assert start(crash_at).wait() == -signal.SIGKILL
    assert readable() == []
    run()
    after = written()
    files.remove(layout.LAKE)
    run()
    assert written() == after
    assert len(after) == 3


def test_two_runs_at_once_leave_what_one_leaves() -> None:
    pack(layout.archive(BATCH), crowd(300))
    runs = [start(0), start(0)]
    assert [each.wait() for each in runs] == [0, 0]
    after = written()
    files.remove(layout.LAKE)
    run()
    assert written() == after


def test_workers_end_with_the_process_that_started_them() -> None:
    pack(layout.archive(BATCH), crowd(1200))
    process = start(0)
    while len(workers := descendants(process.pid)) < 4 and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.wait()
    assert len(workers) == 4  # the tracker, the server and two workers
    deadline = time.monotonic() + 5
    while any(alive(each) for each in workers) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [each for each in workers if alive(each)] == []


def descendants(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    children = [int(each) for each in path.read_text().split()] if path.exists() else []
    return [each for child in children for each in (child, *descendants(child))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def little_space() -> Iterator[None]:
    """No file may grow beyond 200 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("workers", [1, 2])
def test_without_space_the_error_is_the_systems_and_nothing_stays(workers: int, request: pytest.FixtureRequest) -> None:
    pack(layout.archive(BATCH), crowd(600))
    request.getfixturevalue("little_space")
    with pytest.raises(OSError, match="File too large"):
        run(workers=workers)
    assert written() == {}
    assert multiprocessing.active_children() == []


# What is refused


def test_another_archive_than_expected_is_refused_and_nothing_is_written() -> None:
    digest = run(zoo())
    before = written()
    pack(layout.archive(BATCH), zoo(7))
    found = files.sha256(layout.archive(BATCH))
    with pytest.raises(DataError) as caught:
        ingest(BATCH, digest, SETTINGS, 1)
    assert str(caught.value) == (
        f"batch 'zoo' is not what params.yaml says (sha256 {digest[:4]}… expected, {found[:4]}… found). "
        "Add it again with `petpark data add data/zoo.tar`, or restore it with `dvc checkout data/zoo.tar`."
    )
    assert written() == before


def test_another_large_archive_is_refused_before_its_last_photo() -> None:
    pack(layout.archive(BATCH), crowd(1000))
    with pytest.raises(DataError, match=r"batch 'zoo' is not what params\.yaml says"):
        ingest(BATCH, "0" * 64, SETTINGS, 2)
    assert written() == {}
    assert multiprocessing.active_children() == []


def test_of_two_reasons_the_better_one_is_told() -> None:
    path = pack(layout.archive(BATCH), zoo())
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"batch 'zoo' is not what params\.yaml says"):
        ingest(BATCH, "0" * 64, SETTINGS, 1)


@pytest.mark.parametrize("name", ["../zoo", "a/b", "/zoo"])
def test_a_name_that_leads_out_is_no_batch(name: str) -> None:
    with pytest.raises(DataError, match=f"'{name}' is no batch: name one that params.yaml lists"):
        ingest(name, "", SETTINGS)


def test_a_missing_archive_says_how_to_get_it() -> None:
    with pytest.raises(DataError, match=r"data/zoo\.tar is missing: fetch it with `dvc pull data/zoo\.tar`"):
        ingest(BATCH, "0" * 64, SETTINGS)
    assert not layout.LAKE.exists()


@pytest.mark.parametrize("members", [{}, {"provenance.json": b"{}"}])
def test_a_batch_without_a_photo_is_refused(members: Members) -> None:
    pack(layout.archive(BATCH), members)
    assert refused().startswith("data/zoo.tar holds no photo: a batch is photos in folders, one folder a label.")


def test_a_batch_without_a_usable_photo_is_refused() -> None:
    pack(layout.archive(BATCH), {"fox/a": b"", "fox/b": b"?", "owl/c": b"?"})
    assert refused().startswith("data/zoo.tar: none of its 3 photos can be used (empty 1, not-an-image 2;")


def test_what_is_no_tar_archive_is_refused() -> None:
    path = pack(layout.archive(BATCH), zoo())
    plain = path.read_bytes()
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as made:
        made.writestr("fox/a.jpg", jpeg(draw(1)))
    for data in (gzip.compress(plain), zipped.getvalue(), b"", b"no archive", bytes(range(256)) * 20, jpeg(draw(1))):
        path.write_bytes(data)
        message = refused()
        assert message.startswith("data/zoo.tar is no uncompressed tar archive (")
        assert message.endswith("make one of your photos with `petpark data add`.")


def test_an_archive_that_is_cut_short_is_noticed_wherever_it_ends() -> None:
    path = pack(layout.archive(BATCH), zoo(3))
    whole = path.read_bytes()
    (*_, last) = archive.members(path)
    end = last.offset + -(-last.size // 512) * 512
    for cut in (*range(512, end + 512, 333), end - 1, end, end + 511):
        path.write_bytes(whole[:cut])
        assert "data/zoo.tar is damaged or cut short at '" in refused()
    path.write_bytes(whole[: end + 512])
    run()
    assert len(manifest()) == 3


def test_a_broken_header_does_not_hide_the_photos_behind_it() -> None:
    path = pack(layout.archive(BATCH), zoo(5))
    data = bytearray(path.read_bytes())
    third = data.index(b"hare/2.jpg")
    data[third + 148 : third + 156] = b"00000000"  # its checksum
    path.write_bytes(data)
    assert "damaged or cut short at 'owl/1.jpg' (no header and no end where one must be)" in refused()


def test_archives_that_were_stuck_together_are_refused() -> None:
    path = pack(layout.archive(BATCH), zoo(3))
    path.write_bytes(path.read_bytes() * 2)
    assert "damaged or cut short at 'hare/2.jpg'" in refused()


def test_a_size_that_cannot_be_does_not_hang() -> None:
    path = pack(layout.archive(BATCH), zoo(2))
    data = bytearray(path.read_bytes())
    for size, kind in ((-512, b"0"), (-(10**6), b"0"), (2**60, b"0"), (2**60, b"x"), (2**60, b"L"), (-1024, b"x")):
        header = bytearray(data[:512])
        header[156:157] = kind
        header[124:136] = (b"\xff" if size < 0 else b"\x80") + (size % 2**88).to_bytes(11, "big")
        header[148:156] = b"%06o\0 " % (sum(header[:148]) + 256 + sum(header[156:]))
        path.write_bytes(header + data[512:])
        assert "data/zoo.tar" in refused()


@pytest.mark.parametrize(
    ("name", "kind", "what"),
    [
        ("/fox/a.jpg", tarfile.REGTYPE, "lies outside the archive"),
        ("../fox/a.jpg", tarfile.REGTYPE, "lies outside the archive"),
        ("fox/../../a.jpg", tarfile.REGTYPE, "lies outside the archive"),
        ("..", tarfile.DIRTYPE, "lies outside the archive"),
        ("fox/a.jpg", tarfile.SYMTYPE, "is a link"),
        ("fox/a.jpg", tarfile.LNKTYPE, "is a link"),
        ("link", tarfile.SYMTYPE, "is a link"),
        ("fox/a.jpg", tarfile.FIFOTYPE, "is no ordinary file"),
        ("fox/a.jpg", tarfile.CHRTYPE, "is no ordinary file"),
        ("fox/a.jpg", tarfile.BLKTYPE, "is no ordinary file"),
        ("fox/a.jpg", b"V", "is no ordinary file"),
        ("fo\nx/a.jpg", tarfile.REGTYPE, "lies in a folder whose name cannot be printed"),
    ],
)
def test_members_that_are_no_photos_are_refused_by_name(name: str, kind: bytes, what: str, tmp_path: Path) -> None:
    path = pack(layout.archive(BATCH), zoo(3))
    with tarfile.open(path, "a") as more:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/hostname"
        more.addfile(info)
    message = refused()
    assert message.startswith(f"data/zoo.tar: {name!r} {what}")
    assert "petpark data add" in message
    assert {path.name for path in tmp_path.iterdir()} == {"data", "lake"}  # nothing was extracted


def test_sparse_files_are_refused() -> None:
    path = layout.archive(BATCH)
    path.parent.mkdir()
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as made:
        info = tarfile.TarInfo("fox/holes.jpg")
        info.pax_headers = {"GNU.sparse.map": "0,4", "GNU.sparse.size": "4000"}
        info.size = 4
        made.addfile(info, io.BytesIO(b"data"))
    assert "is no ordinary file" in refused()


def test_a_refusal_deep_in_a_large_archive_ends_the_workers() -> None:
    path = pack(layout.archive(BATCH), crowd(900))
    with tarfile.open(path, "a") as more:
        info = tarfile.TarInfo("fox/link.jpg")
        info.type = tarfile.SYMTYPE
        more.addfile(info)
    assert "'fox/link.jpg' is a link" in refused(workers=2)
    assert multiprocessing.active_children() == []


def test_an_archive_that_shrinks_under_the_reader_is_told() -> None:
    path = pack(layout.archive(BATCH), zoo())
    places = [(member.offset, member.size) for member in archive.members(path)]
    path.write_bytes(path.read_bytes()[: places[-1][0] + 10])
    with pytest.raises(DataError, match=r"data/zoo\.tar changed while it was read: run it again"):
        photo.examine_all(path, places, photo.Recipe(48, 85, images.MAX_PIXELS))


# Real photos

VERDICTS = {
    "truncated-half": "damaged",
    "truncated-last-2-bytes": "damaged",
    "truncated-header-200-bytes": "damaged",
    "corrupt-middle-1kb-overwritten": "damaged",
    "zero-byte": "empty",
    "garbage-bytes": "not-an-image",
    "html-named-.jpg": "not-an-image",
    "1x1": "too-small",
    "2000x3-sliver": "too-small",
    "large-9000x6000-jpeg (54 MP)": "too-many-pixels",
    "decompression-bomb-png 15000x15000 1-bit (225 MP, above Pillow error limit)": "too-many-pixels",
}


def real(test_data: Path, name: str) -> str:
    layout.DATA.mkdir()
    path = layout.archive(BATCH)
    path.symlink_to(test_data / "data" / f"{name}.tar")
    return files.sha256(path)


def test_every_real_oddity_gets_its_verdict(test_data: Path) -> None:
    ingest(BATCH, real(test_data, "pets-originals"), IngestSettings(short_side=160))
    with tarfile.open(layout.archive(BATCH)) as opened:
        table = opened.extractfile("manifest.csv")
        assert table is not None
        known = {row["path"]: row for row in csv.DictReader(io.TextIOWrapper(table, "utf-8"))}
    rows = {row["name"]: row for row in manifest()}
    assert rows.keys() == known.keys()
    assert len(rows) == 170
    assert {name: row["reason"] for name, row in rows.items()} == {
        name: VERDICTS.get(row["oddity"]) for name, row in known.items()
    }
    for name, row in rows.items():
        assert row["bytes"] == int(known[name]["bytes"])
        if row["reason"] is None:
            assert row["format"] == known[name]["format"]
            assert {row["width"], row["height"]} == {int(known[name]["w"]), int(known[name]["h"])}
            assert min(stored(row).shape[:2]) == min(160, row["width"], row["height"])


def test_a_real_batch_is_ingested_whole(test_data: Path) -> None:
    ingest(BATCH, real(test_data, "pets-train"), IngestSettings(short_side=160))
    rows = manifest()
    assert len(rows) == 3600
    assert {row["reason"] for row in rows} == {None}
    assert {row["label"] for row in rows} == {"cats", "dogs"}
    assert [part.stat().st_size < 64_000_000 for part in layout.shard(BATCH).iterdir()] == [True]
    assert pq.read_metadata(layout.originals(BATCH)).num_rows == 16
