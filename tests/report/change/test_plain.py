"""Settings from a stranger: read as plain values, quickly, or refused in one sentence."""

import pytest

from petpark.errors import DataError
from petpark.report.change import plain


def read(text: str) -> dict[str, str]:
    return plain.flat(plain.mapping(text.encode(), "params.yaml of the head"))


def test_settings_have_their_full_names_and_are_written_as_in_the_file() -> None:
    text = "seed: 0\ntrain: {epochs: 16, weights: null, ema: 0.99, on: true}\nlist: [1, {a: b}]\nempty: {}\n"
    assert read(text) == {
        "seed": "0",
        "train.epochs": "16",
        "train.weights": "null",
        "train.ema": "0.99",
        "train.on": "true",
        "list": '[1, {"a": "b"}]',
        "empty": "{}",
    }


def test_odd_but_harmless_values_come_out_as_text_and_always_the_same() -> None:
    assert read("when: 2026-11-25\nnot: !!set {b, a}\n1: .inf\n? [a, b]\n: 2\n") == {
        "when": "2026-11-25",
        "not": '["a", "b"]',
        "1": "inf",
        "('a', 'b')": "2",
    }


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &x [1]\nb: *x", "uses references"),
        ("a: &x {b: 1}\nc: {<<: *x}", "uses references"),
        ("[" * 100_000, "more than 20 levels deep"),
        ("- " * 100_000, "more than 20 levels deep"),
        ("{a: " * 50_000, "more than 20 levels deep"),
        ("a: 1" + "0" * 10_000, "is not YAML"),
        ("a: 2026-99-99", "is not YAML"),
        ("a: 1\na: 2", "is not YAML"),
        ("a: !!python/object/apply:os.system [x]", "is not YAML"),
        ("a: [1", "is not YAML"),
        ("a: \0", "is not YAML"),
        ("- 1", "must hold settings by name, and holds"),
        ("", "must hold settings by name, and holds NoneType"),
        ("\n".join(f"k{number}: 1" for number in range(20_001)), "more than 20,000 settings"),
    ],
)
def test_what_is_no_settings_file_is_refused_in_one_sentence(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why) as error:
        read(text)
    assert str(error.value).startswith("params.yaml of the head ")
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(DataError, match="is not YAML"):
        plain.mapping(b"\xff\xfe\xfa", "policy.yaml")
