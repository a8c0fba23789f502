"""The verdict: the head's evidence by the base's policy, whatever the head would like it to be."""

from pathlib import Path
from typing import Any

import pytest

from petpark import gate
from petpark.config.policy import Policy
from petpark.errors import DataError, SettingsError
from petpark.report.change import verdict
from tests.report.change import sides
from tests.report.change.sides import lay, new, old, pair
from tests.test_gate import counted, gain

WORSE = counted([[138, 6, 6], [6, 138, 6], [6, 6, 138]]) | {"comparison": None}
STRICT = "build: {champion: {allow_tie: false}}\n"


def judged(tmp_path: Path, after: dict[str, Any], policy: str = "{}\n", before: Any = "healthy") -> gate.Verdict:
    base = sides.base(lay(tmp_path / "base", old() if before == "healthy" else before, policy=policy))
    head = sides.head(lay(tmp_path / "head", new(after)))
    return verdict.judged(base, head, verdict.policy_of(base))


def test_a_healthy_change_may_be_merged(tmp_path: Path) -> None:
    assert judged(tmp_path, {}) == gate.Verdict(())


def test_a_worse_model_is_refused_and_the_looser_policy_of_its_own_side_helps_nothing(tmp_path: Path) -> None:
    worse, loose = gain(-0.03, -0.04, -0.02), "build: {champion: {max_drop: 1.0}}\n"
    base, head = pair(tmp_path, new(worse), old(), policy=loose)
    found = verdict.judged(base, head, verdict.policy_of(base))
    assert [each.partition(" of ")[0] for each in found.reasons] == ["the model is worse than the champion"]


def test_a_policy_that_admits_the_model_shows_beside_the_verdict_and_is_not_it(tmp_path: Path) -> None:
    base, head = pair(tmp_path, new(), old(), policy="build: {min_test_photos: 100}\n")
    strict = sides.base(lay(tmp_path / "base", old(), policy="build: {min_test_photos: 1000}\n"))
    assert not verdict.judged(strict, head, verdict.policy_of(strict)).passed
    own = verdict.by_its_own(strict, head)
    assert own is not None
    assert own.passed
    assert verdict.judged(base, head, verdict.policy_of(base)).passed


@pytest.mark.parametrize("policy", ["{}\n", "build: {later: 1}\n", "build: 7\n"])
def test_where_the_policy_is_the_same_or_not_readable_there_is_no_other_verdict(policy: str, tmp_path: Path) -> None:
    base, head = pair(tmp_path, new(), old(), policy=policy)
    assert verdict.by_its_own(base, head) is None


def test_a_removed_policy_changes_nothing(tmp_path: Path) -> None:
    base, head = pair(tmp_path, new(), old(), policy=None)
    assert verdict.by_its_own(base, head) is None
    assert verdict.judged(base, head, Policy()).passed


def test_to_leave_the_comparison_out_helps_no_worse_model(tmp_path: Path) -> None:
    (reason,) = judged(tmp_path, WORSE).reasons
    assert reason.startswith("the model was compared with no champion on the same photos, and may be worse")
    assert "accuracy changes by -4.0%" in reason


def test_without_a_comparison_a_tie_is_still_the_policys_business(tmp_path: Path) -> None:
    assert judged(tmp_path, {"comparison": None}).passed
    (reason,) = judged(tmp_path, {"comparison": None}, STRICT).reasons
    assert "was compared with no champion, and is not credibly better" in reason


def test_a_tie_with_the_champion_is_refused_where_the_policy_says_so(tmp_path: Path) -> None:
    (reason,) = judged(tmp_path, {}, STRICT).reasons
    assert "not credibly better than the champion" in reason


def test_the_model_of_the_base_needs_no_comparison(tmp_path: Path) -> None:
    same = WORSE | {"evaluation.model.sha256": "1" * 64, "package.sha256": "1" * 64}
    assert judged(tmp_path, same, STRICT).passed


def test_a_first_model_needs_no_comparison(tmp_path: Path) -> None:
    assert judged(tmp_path, {"comparison": None}, STRICT, before=None).passed


def test_without_a_policy_of_the_base_there_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"policy\.yaml of the base .* is missing, so nothing can be judged"):
        verdict.policy_of(sides.base(lay(tmp_path, old(), policy=None)))
    with pytest.raises(SettingsError, match=r"unknown key 'build\.roof'"):
        verdict.policy_of(sides.base(lay(tmp_path, old(), policy="build: {roof: 1}\n")))
