"""From a folder, a tar or a zip to an archive: what counts as a photo, what stops it, and the same bytes each time."""

import bz2
import gzip
import io
import json
import lzma
import os
import random
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from petpark import files
from petpark.build import archive
from petpark.build.data import listing, packing, sources, tracking
from petpark.errors import DataError
from tests.conftest import draw, jpeg

LABELS = ("fern", "moss", "oak")
PHOTOS = {
    f"{label}/{number}.jpg": jpeg(draw(31 * place + number)) for place, label in enumerate(LABELS) for number in (2, 1)
}
RESULT = Path("made.tar")

Make = Callable[[Path, Mapping[str, bytes]], Path]


def folder(path: Path, photos: Mapping[str, bytes]) -> Path:
    for name, data in photos.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def tar(path: Path, photos: Mapping[str, bytes], *, kind: int = 0) -> Path:
    """A tar as people make them: folders too, and names that begin with a dot."""
    path = path.with_suffix(".tar")
    with tarfile.open(path, "w") as file:
        for name, data in {"": b"", **photos}.items():
            info = tarfile.TarInfo(name if name.startswith("/") else f"./{name}")
            info.size, info.mtime, info.uid = len(data), 1_700_000_000 + kind, 1000
            info.type = tarfile.REGTYPE if name else tarfile.DIRTYPE
            file.addfile(info, io.BytesIO(data))
    return path


def packed(pack: Callable[[bytes], bytes], ending: str) -> Make:
    def make(path: Path, photos: Mapping[str, bytes]) -> Path:
        plain = tar(path, photos)
        target = path.with_suffix(ending)
        target.write_bytes(pack(plain.read_bytes()))
        plain.unlink()
        return target

    return make


def zipped(path: Path, photos: Mapping[str, bytes], *, way: int = zipfile.ZIP_DEFLATED) -> Path:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", way, compresslevel=1) as file:
        file.mkdir("fern")
        for name, data in photos.items():
            file.writestr(name, data)
    return path


MAKERS: dict[str, Make] = {
    "folder": folder,
    "tar": tar,
    "tar.gz": packed(partial(gzip.compress, compresslevel=1), ".tar.gz"),
    "tar.bz2": packed(bz2.compress, ".tar.bz2"),
    "tar.xz": packed(lzma.compress, ".tar.xz"),
    "zip": zipped,
}
every = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
archives = pytest.mark.parametrize("make", [tar, MAKERS["tar.gz"], zipped], ids=["tar", "tar.gz", "zip"])


def contents(path: Path) -> dict[str, bytes]:
    with tarfile.open(path, "r:") as file:
        found = [(member.name, file.extractfile(member)) for member in file.getmembers()]
        return {name: data.read() for name, data in found if data}


def photos_of(path: Path) -> dict[str, bytes]:
    return {name: data for name, data in contents(path).items() if "/" in name}


def refusal(source: Path) -> str:
    """What is said of a source that is refused, and that nothing is left of it."""
    with pytest.raises(DataError) as error:
        packing.pack(str(source), RESULT)
    assert not list(Path().rglob("*.partial"))
    assert not RESULT.exists()
    sentence = str(error.value)
    assert "\n" not in sentence
    assert str(source) in sentence
    assert error.value.__cause__ is None
    return sentence


@every
def test_photos_come_by_label_in_the_order_of_their_paths(workspace: Path, make: Make) -> None:
    found = packing.pack(str(make(Path("wood"), PHOTOS)), RESULT)
    assert list(contents(RESULT)) == [*sorted(PHOTOS), "provenance.json"]
    assert photos_of(RESULT) == PHOTOS
    assert found == packing.Contents(dict.fromkeys(LABELS, 2), sum(map(len, PHOTOS.values())))
    assert [f"{each.label}: {each.name}" for each in archive.members(RESULT)] == [
        f"{path.split('/')[0]}: {path}" for path in sorted(PHOTOS)
    ]
    assert packing.look(RESULT) == found


@every
def test_the_source_stays_as_it_is_and_nothing_else_appears(workspace: Path, make: Make) -> None:
    make(Path("wood"), PHOTOS)
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*")}
    packing.pack(str(next(Path().iterdir())), RESULT)
    after = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path not in (RESULT, Path(".petpark"))}
    assert after == before


def test_the_same_photos_give_the_same_bytes_whoever_brings_them_when_in_what_order(workspace: Path) -> None:
    packing.pack(str(folder(Path("wood"), PHOTOS)), RESULT)
    first = files.sha256(RESULT)
    shutil.rmtree("wood")
    folder(Path("wood"), dict(reversed(PHOTOS.items())))
    for path in Path("wood").rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    packing.pack("wood", RESULT)
    assert files.sha256(RESULT) == first
    with tarfile.open(RESULT) as file:
        heads = {(each.mtime, each.uid, each.gid, each.mode, each.uname, each.gname) for each in file}
    assert heads == {(0, 0, 0, 0o644, "", "")}


def test_provenance_tells_where_the_photos_come_from_and_not_when(workspace: Path) -> None:
    tar(Path("wood"), PHOTOS)
    packing.pack("./wood.tar", RESULT)
    first = contents(RESULT)["provenance.json"]
    assert json.loads(first) == {
        "source": "./wood.tar",
        "kind": "tar",
        "photos": 6,
        "bytes": sum(map(len, PHOTOS.values())),
        "labels": {"fern": 2, "moss": 2, "oak": 2},
        "petpark": "0.1.0",
    }
    tar(Path("wood"), PHOTOS, kind=1)
    packing.pack("./wood.tar", RESULT)
    assert contents(RESULT)["provenance.json"] == first


LITTER = {
    ".DS_Store": b"x",
    "readme.txt": b"x",
    "fern/.DS_Store": b"x",
    "fern/Thumbs.db": b"x",
    "moss/desktop.ini": b"x",
    "__MACOSX/fern/1.jpg": b"x",
    ".git/fern/1.jpg": b"x",
}


@every
def test_what_is_no_photo_of_a_label_is_passed_over_and_counted(workspace: Path, make: Make) -> None:
    found = packing.pack(str(make(Path("wood"), {**LITTER, **PHOTOS})), RESULT)
    assert photos_of(RESULT) == PHOTOS
    assert found.passed_over == len(LITTER)


@archives
def test_one_top_folder_of_all_files_is_taken_off_an_archive(workspace: Path, make: Make) -> None:
    within = {f"my wood/{name}": data for name, data in PHOTOS.items()}
    found = packing.pack(
        str(make(Path("wood"), {**within, "my wood/readme.txt": b"x", "__MACOSX/x/1.jpg": b"x"})), RESULT
    )
    assert photos_of(RESULT) == PHOTOS
    assert found.passed_over == 2


@archives
@pytest.mark.parametrize(
    "names", [("fern/1.jpg", "fern/2.jpg"), ("fern/1.jpg", "fern/old/2.jpg"), ("fern/1.jpg", "oak/x/2.jpg")]
)
def test_a_folder_with_photos_right_in_it_is_a_label(workspace: Path, make: Make, names: tuple[str, str]) -> None:
    packing.pack(str(make(Path("wood"), dict.fromkeys(names, b"x"))), RESULT)
    assert sorted(photos_of(RESULT)) == sorted(names)


def test_no_folder_is_taken_off_a_folder(workspace: Path) -> None:
    folder(Path("wood"), {f"fern/{name}": data for name, data in PHOTOS.items()})
    assert packing.pack("wood", RESULT).labels == {"fern": 6}


@every
def test_labels_are_written_one_way(workspace: Path, make: Make) -> None:
    """Some systems compose accents, some do not; and it is one label."""
    names = {"e\u0301rable/1.jpg": b"1", "\u00e9rable/2.jpg": b"2", "chêne vert/ä b.jpg": b"3"}
    assert packing.pack(str(make(Path("wood"), names)), RESULT).labels == {"chêne vert": 1, "érable": 2}
    assert photos_of(RESULT)["érable/1.jpg"] == b"1"


def test_a_name_that_is_no_utf8_gets_through(workspace: Path) -> None:
    folder(Path("wood"), PHOTOS)
    Path(os.fsdecode(b"wood/fern/\xe9.jpg")).write_bytes(b"x")
    packing.pack("wood", RESULT)
    assert "fern/\\udce9.jpg" in photos_of(RESULT)


def test_a_name_of_any_length_gets_through(workspace: Path) -> None:
    name = f"fern/{'f' * 120}/{'g' * 150}.jpg"
    packing.pack(str(folder(Path("wood"), {name: b"1", "moss/1.jpg": b"2"})), RESULT)
    assert photos_of(RESULT) == {name: b"1", "moss/1.jpg": b"2"}


def test_zips_with_the_folders_of_windows_are_read(workspace: Path) -> None:
    names = {name.replace("/", "\\"): data for name, data in PHOTOS.items()}
    packing.pack(str(zipped(Path("wood"), {"fern\\": b"", **names})), RESULT)
    assert photos_of(RESULT) == PHOTOS


@every
def test_a_source_without_photos_is_refused(workspace: Path, make: Make) -> None:
    source = make(Path("empty"), {".DS_Store": b"x"})
    assert "holds no photo: a batch is photos in folders" in refusal(source)


@every
def test_a_source_without_labels_is_refused(workspace: Path, make: Make) -> None:
    source = make(Path("flat"), {f"{number}.jpg": b"x" for number in range(1200)})
    assert "holds 1,200 files but no folder of photos" in refusal(source)


@every
def test_a_single_photo_is_refused(workspace: Path, make: Make) -> None:
    assert "holds a single photo" in refusal(make(Path("one"), {"fern/1.jpg": PHOTOS["fern/1.jpg"]}))


def test_a_missing_source_is_refused(workspace: Path) -> None:
    assert "there is no folder or file" in refusal(Path("nowhere"))


@every
def test_a_label_that_cannot_be_printed_is_refused(workspace: Path, make: Make) -> None:
    assert "has a label that is no name of a folder" in refusal(make(Path("odd"), {**PHOTOS, "a\nb/1.jpg": b"x"}))


@archives
@pytest.mark.parametrize("name", ["../fern/1.jpg", "fern/../../1.jpg", "/fern/1.jpg", "fern/..", "../.hidden"])
def test_a_path_that_leads_out_is_refused(workspace: Path, make: Make, name: str) -> None:
    nest = workspace / "nest"
    nest.mkdir()
    os.chdir(nest)
    sentence = refusal(make(Path("evil"), {**PHOTOS, name: b"x"}))
    assert "lies outside the archive" in sentence
    assert [path.name for path in workspace.iterdir()] == ["nest"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_in_a_tar_is_refused(workspace: Path, kind: bytes) -> None:
    path = tar(Path("wood"), PHOTOS)
    with tarfile.open(path, "a") as file:
        info = tarfile.TarInfo("fern/3.jpg")
        info.type, info.linkname = kind, "fern/1.jpg"
        file.addfile(info)
    assert "'fern/3.jpg' is a link" in refusal(path)


@pytest.mark.parametrize("kind", [tarfile.FIFOTYPE, tarfile.CHRTYPE])
def test_a_device_in_a_tar_is_refused(workspace: Path, kind: bytes) -> None:
    path = tar(Path("wood"), PHOTOS)
    with tarfile.open(path, "a") as file:
        info = tarfile.TarInfo("fern/3.jpg")
        info.type = kind
        file.addfile(info)
    assert "'fern/3.jpg' is no ordinary file" in refusal(path)


@pytest.mark.parametrize(("mode", "what"), [(stat.S_IFLNK, "is a link"), (stat.S_IFIFO, "is no ordinary file")])
def test_a_link_in_a_zip_is_refused(workspace: Path, mode: int, what: str) -> None:
    path = zipped(Path("wood"), PHOTOS)
    with zipfile.ZipFile(path, "a") as file:
        info = zipfile.ZipInfo("fern/3.jpg")
        info.external_attr = (mode | 0o777) << 16
        file.writestr(info, "1.jpg")
    assert f"'fern/3.jpg' {what}" in refusal(path)


@pytest.mark.parametrize("target", ["fern/1.jpg", "fern"])
def test_a_link_in_a_folder_is_refused(workspace: Path, target: str) -> None:
    folder(Path("wood"), PHOTOS)
    Path("wood/oak/3").symlink_to(Path("wood", target).absolute())
    assert "'oak/3' is a link, and links are not followed" in refusal(Path("wood"))


def test_a_pipe_in_a_folder_is_refused(workspace: Path) -> None:
    folder(Path("wood"), PHOTOS)
    os.mkfifo("wood/oak/3.jpg")
    assert "'oak/3.jpg' is no ordinary file" in refusal(Path("wood"))


def test_the_source_itself_may_be_reached_by_a_link(workspace: Path) -> None:
    folder(Path("far/wood"), PHOTOS)
    Path("near").symlink_to("far/wood")
    assert packing.pack("near", RESULT).photos == 6


@pytest.mark.parametrize("given", ["", ".", "..", "/"])
def test_the_repository_itself_is_no_batch(workspace: Path, given: str) -> None:
    Path("fern").mkdir()
    Path("fern/a.jpg").write_bytes(b"a")
    with pytest.raises(DataError, match="is this repository, or holds it: give a folder"), sources.opened(given):
        pass


def test_a_zip_of_another_drive_is_refused(workspace: Path) -> None:
    assert "lies outside the archive" in refusal(zipped(Path("a.zip"), {"C:\\fern\\1.jpg": b"1", "fern/2.jpg": b"2"}))


@pytest.mark.parametrize("label", ["excluded", "Excluded"])
def test_a_label_that_means_left_out_is_refused(workspace: Path, label: str) -> None:
    source = folder(Path("in"), {f"{label}/1.jpg": b"1", "fern/2.jpg": b"2"})
    assert f"'{label}/1.jpg' has the label `excluded`" in refusal(source)


def test_a_file_that_no_camera_made_is_refused_before_it_is_copied(workspace: Path) -> None:
    source = folder(Path("in"), {"fern/1.jpg": b"1", "fern/2.jpg": b"2"})
    with (source / "fern/2.jpg").open("r+b") as file:
        file.truncate(1 << 30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tracking, "store", lambda: None)
        assert "'fern/2.jpg' has 1,024 MiB, and 64 are the most" in refusal(source)


def test_a_compressed_tar_that_unpacks_without_end_is_refused(workspace: Path) -> None:
    Path("bomb.tar.gz").write_bytes(gzip.compress(bytes(66 << 20), 9))
    assert "unpacks to more than 100 times its size" in refusal(Path("bomb.tar.gz"))


def test_links_in_hidden_folders_stop_nothing(workspace: Path) -> None:
    folder(Path("wood"), PHOTOS)
    Path("wood/.venv").mkdir()
    Path("wood/.venv/python").symlink_to(sys.executable)
    assert packing.pack("wood", RESULT).passed_over == 1


@archives
def test_a_photo_that_comes_twice_is_refused(workspace: Path, make: Make) -> None:
    twice = {**PHOTOS, "\u00e9/1.jpg": b"1", "e\u0301/1.jpg": b"2"}
    assert "'é/1.jpg' comes twice" in refusal(make(Path("wood"), twice))


@pytest.mark.parametrize("make", [*list(MAKERS.values())[1:]], ids=[*list(MAKERS)[1:]])
@pytest.mark.parametrize("share", [0.1, 0.4, 0.7])
def test_an_archive_that_is_cut_short_is_refused(workspace: Path, make: Make, share: float) -> None:
    path = make(Path("wood"), PHOTOS)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert "can be read to its end" in refusal(path)


def test_a_tar_that_ends_between_two_photos_is_refused(workspace: Path) -> None:
    path = tar(Path("wood"), PHOTOS)
    with tarfile.open(path) as file:
        place = file.getmembers()[4].offset
    path.write_bytes(path.read_bytes()[:place])
    assert "cut short" in refusal(path)


def test_damage_in_the_middle_of_a_tar_is_noticed(workspace: Path) -> None:
    path = tar(Path("wood"), PHOTOS)
    with tarfile.open(path) as file:
        place = file.getmembers()[4].offset
    data = bytearray(path.read_bytes())
    data[place : place + 8] = b"\xff" * 8
    path.write_bytes(data)
    assert f"no header and no end at byte {place:,}" in refusal(path)


@pytest.mark.parametrize("way", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_a_photo_of_a_zip_is_noticed(workspace: Path, way: int) -> None:
    path = zipped(Path("wood"), PHOTOS, way=way)
    data = bytearray(path.read_bytes())
    place = data.index(b"fern/1.jpg") + 200
    data[place : place + 20] = bytes(each ^ 0x5A for each in data[place : place + 20])
    path.write_bytes(data)
    assert "zip" in refusal(path) or "is damaged" in refusal(path)


def test_damage_in_a_compressed_tar_is_noticed(workspace: Path) -> None:
    path = MAKERS["tar.gz"](Path("wood"), PHOTOS)
    data = bytearray(path.read_bytes())
    place = len(data) // 2
    data[place : place + 20] = bytes(each ^ 0x5A for each in data[place : place + 20])
    path.write_bytes(data)
    assert "can be read to its end" in refusal(path)


def test_an_encrypted_zip_is_refused(workspace: Path) -> None:
    path = zipped(Path("wood"), PHOTOS)
    data = bytearray(path.read_bytes())
    place = data.rindex(b"PK\x01\x02")  # a photo's entry in the table at the end
    (flags,) = struct.unpack_from("<H", data, place + 8)
    struct.pack_into("<H", data, place + 8, flags | 1)
    path.write_bytes(data)
    assert "is encrypted: unpack it with its password" in refusal(path)


def test_a_zip_that_was_compressed_in_an_unknown_way_is_refused(workspace: Path) -> None:
    path = zipped(Path("wood"), PHOTOS)
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, data.rindex(b"PK\x01\x02") + 10, 97)
    path.write_bytes(data)
    assert "pack it anew as an ordinary zip" in refusal(path)


@pytest.mark.parametrize("data", [b"", b"text", PHOTOS["oak/1.jpg"], gzip.compress(b"text" * 1000, mtime=0)])
def test_a_file_that_is_no_archive_is_refused(workspace: Path, data: bytes) -> None:
    Path("wood.tar").write_bytes(data)
    assert "is no folder, no tar and no zip" in refusal(Path("wood.tar"))


def test_a_photo_that_shrinks_while_it_is_read_is_noticed(workspace: Path) -> None:
    folder(Path("wood"), PHOTOS)
    with sources.opened("wood") as source:
        Path("wood/oak/2.jpg").write_bytes(b"less")
        with pytest.raises(DataError, match=r"'oak/2\.jpg' is damaged, or changed"):
            packing.write(source, RESULT)
    assert list(Path().glob("*made*")) == []


def test_a_full_disk_is_no_fault_of_the_source(workspace: Path) -> None:
    """What the machine says reaches the command line, which has its own sentence for it; nothing half-written stays."""
    folder(Path("wood"), {f"{label}/{number}.jpg": os.urandom(50_000) for label in LABELS for number in range(9)})
    code = (
        "import resource, signal; from petpark.build.data import packing; from pathlib import Path;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000));"
        "packing.pack('wood', Path('made.tar'))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert "OSError: [Errno 27] File too large" in done.stderr
    assert not list(Path().glob("*made*"))


@pytest.mark.parametrize("make", [folder, tar, MAKERS["tar.gz"], zipped], ids=["folder", "tar", "tar.gz", "zip"])
def test_no_batch_is_ever_held_in_memory(workspace: Path, make: Make) -> None:
    noise = random.Random(3)
    source = make(Path("wood"), {f"{LABELS[each % 3]}/{each}.jpg": noise.randbytes(1 << 20) for each in range(30)})
    code = (
        "import resource; from petpark.build.data import packing; from pathlib import Path;"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak();"
        f"packing.pack({str(source)!r}, Path('made.tar')); print(peak() - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert RESULT.stat().st_size > 30 << 20
    assert int(done.stdout) < 12 << 10, "KiB"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("wood", "wood"),
        ("/somewhere/wood/", "wood"),
        ("wood.tar", "wood"),
        ("../wood.2026.tar.gz", "wood.2026"),
        ("Wood of Zürich (2).ZIP", "Wood-of-Zurich-2"),
        ("_wood.tgz", "wood"),
        (".hidden", "hidden"),
        ("木", ""),
        ("w" * 80, "w" * 64),
    ],
)
def test_a_batch_is_called_as_its_source(given: str, name: str) -> None:
    assert sources.batch_name(given) == name


def test_the_current_folder_has_a_name(workspace: Path) -> None:
    assert sources.batch_name(".") == sources.batch_name(str(workspace))


def photo(label: str, name: str) -> listing.Photo:
    return listing.Photo(label, name, 1, io.BytesIO(b"x"))


@pytest.mark.parametrize(
    ("photos", "what"),
    [
        ([photo("b", "1"), photo("a", "1")], "comes twice, or out of order"),
        ([photo("a", "1"), photo("a", "1")], "comes twice, or out of order"),
        ([photo("a", "1"), photo("a/b", "1")], "has a label that is no name of a folder"),
        ([photo("..", "1"), photo("a", "1")], "has a label that is no name of a folder"),
        ([photo(".git", "1")], "has a label that is no name of a folder"),
        ([photo("", "1"), photo("a", "1")], "has a label that is no name of a folder"),
        ([photo("a", "1")], "holds a single photo"),
        ([], "holds no photo"),
    ],
)
def test_any_source_must_keep_the_rules(workspace: Path, photos: list[listing.Photo], what: str) -> None:
    with pytest.raises(DataError, match=what):
        packing.write(listing.Source("db://wood", {"kind": "sql"}, (each for each in photos)), RESULT)
    assert list(Path().iterdir()) == []


def test_any_source_can_tell_more_of_where_it_comes_from(workspace: Path) -> None:
    photos = (photo(label, "1") for label in "ab")
    source = listing.Source("db://wood", {"kind": "sql", "query": "SELECT"}, photos)
    packing.write(source, RESULT)
    provenance = json.loads(contents(RESULT)["provenance.json"])
    assert {"source": "db://wood", "kind": "sql", "query": "SELECT", "photos": 2}.items() <= provenance.items()


def test_an_archive_that_is_looked_at_must_be_one(workspace: Path) -> None:
    with pytest.raises(DataError, match=r"made\.tar is missing"):
        packing.look(RESULT)
    RESULT.write_bytes(b"x" * 2000)
    with pytest.raises(DataError, match="is no uncompressed tar archive"):
        packing.look(RESULT)
    tar(Path("made"), {"fern/1.jpg": b"x"})
    with pytest.raises(DataError, match="holds a single photo"):
        packing.look(RESULT)
