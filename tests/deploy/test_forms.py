"""Forms, well made and otherwise."""

import contextlib
import random
import time

import pytest

from petpark.deploy.serving.forms import uploads
from petpark.deploy.serving.http import Problem

MOST = 4
KIND = "multipart/form-data; boundary=cut"
FILE = b'Content-Disposition: form-data; name="image"; filename="%b"\r\n'


def part(data: bytes = b"data", name: bytes = b"a.jpg", more: bytes = b"") -> bytes:
    return FILE % name + more + b"\r\n" + data


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    return b"".join(b"--cut\r\n" + each + b"\r\n" for each in parts) + b"--cut" + end


def refusal(body: bytes, kind: str = KIND) -> tuple[int, str]:
    with pytest.raises(Problem) as problem:
        uploads(body, kind, MOST)
    return int(problem.value.status), problem.value.reason


def test_files_come_in_their_order_with_all_their_bytes() -> None:
    odd = bytes(range(256)) + b"\r\n--cu\r\n--\r\n\r\n--CUT--\r\n"
    found = uploads(form(part(odd, b"first"), part(b"", b"empty"), part(b"\r\n", b"line")), KIND, MOST)
    assert found == [("first", odd), ("empty", b""), ("line", b"\r\n")]


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n" + form(part()),
        b"whatever comes before\r\n" + form(part()),
        form(part()) + b"whatever comes after",
        form(part(), end=b"--"),
        form(part()).replace(b"--cut\r\n", b"--cut \t \r\n"),
        form(part(more=b"Content-Type: image/jpeg\r\nX-More: --cut\r\n")),
        form(part()).replace(b"Content-Disposition", b"CONTENT-disposition"),
        form(part()).replace(b'"image"', b"image"),
        form(
            b'Content-Disposition: form-data; name="note"\r\n\r\ntext',
            part(),
            b"\r\nno headers",
            part(b"x", b"b")[:0] + b"\r\n",
        ),
    ],
)
def test_forms_may_be_written_in_several_ways(body: bytes) -> None:
    assert uploads(body, KIND, MOST) == [("a.jpg", b"data")]


@pytest.mark.parametrize("kind", [b"image/*", b"IMAGE/jpeg; x=y", b"application/octet-stream"])
def test_a_photo_without_a_name_is_known_by_its_type(kind: bytes) -> None:
    head = b'Content-Disposition: form-data; name="image"\r\nContent-Type: ' + kind + b"\r\n\r\n"
    assert uploads(form(head + b"data"), KIND, MOST) == [("", b"data")]
    assert refusal(form(head.replace(kind, b"text/plain") + b"data")) == (422, "no-file")


@pytest.mark.parametrize("kind", ['multipart/form-data; boundary="cut"', "multipart/form-data;charset=x; BOUNDARY=cut"])
def test_a_boundary_may_be_told_in_several_ways(kind: str) -> None:
    assert uploads(form(part()), kind, MOST) == [("a.jpg", b"data")]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (b"", ""),
        ("Größe 🐕.jpg".encode(), "Größe 🐕.jpg"),
        (b"\xff\xfe.jpg", "\ufffd\ufffd.jpg"),
        (b"a\x00\x1b[31m\x7f.jpg", "a\x00\x1b[31m\x7f.jpg"),
        (b"a;b=c.jpg", "a;b=c.jpg"),
        (rb"\"quoted\".jpg", '"quoted".jpg'),
        (b"x" * 4096, "x" * 200),
        (b"../../etc/passwd", "../../etc/passwd"),
    ],
)
def test_names_of_files_are_told_as_they_are_but_not_at_any_length(name: bytes, told: str) -> None:
    assert uploads(form(part(name=name)), KIND, MOST) == [(told, b"data")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no form at all",
        b"--cut",
        b"--cut\r\n",
        b"--other\r\n" + part() + b"\r\n--other--\r\n",
        form(part())[:-4],
        form(part())[:-8],
        form(part(), part(b"cut sh"))[:-12],
        form(part()).replace(b"\r\n", b"\n"),
        form(part()).replace(b"\r\n\r\n", b"\r\n"),
        form(part()).replace(b"--cut\r\n", b"--cutter\r\n"),
        form(part(more=b"X: " + b"x" * 9000 + b"\r\n")),
        form(b"a: b\r\n" * 2000 + b"\r\ndata"),
    ],
)
def test_what_is_no_whole_form_is_malformed(body: bytes) -> None:
    assert refusal(body) == (400, "malformed")


@pytest.mark.parametrize(
    "boundary",
    ["", "boundary", "boundary=", "boundary=cu", "boundary=" + "x" * 71, "boundary=\xff", 'boundary="', "a=b;" * 9000],
)
def test_without_its_boundary_a_form_is_malformed(boundary: str) -> None:
    assert refusal(form(part()), f"multipart/form-data; {boundary}") == (400, "malformed")


@pytest.mark.parametrize(
    "body",
    [
        form(),
        form(b'Content-Disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\ndata'),
        form(b"Content-Disposition: form-data\r\n\r\ndata"),
        form(b"Content-Type: image/jpeg\r\n\r\ndata"),
        form(b'Content-Disposition: form-data; name="image"\r\n\r\nhttp://127.0.0.1/photo.jpg'),
    ],
)
def test_a_form_without_the_file_says_so(body: bytes) -> None:
    assert refusal(body) == (422, "no-file")


def test_a_form_may_hold_so_many_parts_and_no_more() -> None:
    assert len(uploads(form(*[part()] * MOST), KIND, MOST)) == MOST
    assert refusal(form(*[part()] * (MOST + 1))) == (413, "too-many-files")
    assert refusal(form(*[part()] * 1000)) == (413, "too-many-files")


@pytest.mark.parametrize(
    "filling",
    [
        b"x", b"\r", b"\r\n", b"\r\n--", b"\r\n--cu", b"\r\n--cut", b"\r\n--cutX", b"\r\n--cut-X", b"\r\n--cut\rX",
        b"\r\n--cut\r\n", b"-", b"a: b\r\n", b" ",
    ],
)  # fmt: skip
def test_no_form_keeps_the_front_from_its_other_clients(filling: bytes) -> None:
    """Ten megabytes of what slows parsers down: in the data, in the padding of a boundary, in a header."""
    much = filling * (10_000_000 // len(filling))
    for body in (form(part(much)), b"--cut" + much + part(), b"--cut\r\n" + much, b"--cut\r\nA:" + much, much):
        begin = time.process_time()
        with contextlib.suppress(Problem):
            uploads(body, KIND, 32)
        assert time.process_time() - begin < 0.3


def test_parts_with_as_many_parameters_as_fit_take_no_time() -> None:
    body = form(*[b'Content-Disposition: form-data; name="image"; filename="a"' + b"; a=b" * 1500 + b"\r\n\r\n"] * 32)
    begin = time.process_time()
    assert len(uploads(body, KIND, 32)) == 32
    assert time.process_time() - begin < 0.5


def test_broken_forms_of_every_kind_are_problems_and_nothing_else() -> None:
    rng = random.Random(5)
    whole = form(part(b"xyz" * 10), part(b"abc", b"b.jpg"))
    outcomes: set[int] = set()
    for _ in range(5000):
        body = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            place = rng.randrange(len(body))
            match rng.randrange(3):
                case 0:
                    body[place] = rng.choice(b"\r\n-:;=\"\\ c\0\xff*'%")
                case 1:
                    del body[place : place + rng.randint(1, 9)]
                case _:
                    body[place:place] = body[rng.randrange(len(body)) :][: rng.randint(1, 40)]
        try:
            uploads(bytes(body), KIND, MOST)
            outcomes.add(200)
        except Problem as problem:
            outcomes.add(int(problem.status))
    assert outcomes >= {200, 400, 422}


def test_broken_content_types_are_problems_and_nothing_else() -> None:
    rng = random.Random(6)
    for _ in range(5000):
        letters = "".join(rng.choice("boundary=*0'\"\\; c%,\x00\xff") for _ in range(rng.randint(0, 40)))
        with contextlib.suppress(Problem):
            assert uploads(form(part()), f"multipart/form-data; {letters}", MOST) == [("a.jpg", b"data")]
