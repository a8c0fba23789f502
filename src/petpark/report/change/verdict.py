"""The verdict on a change: the head's evidence, judged by the policy of the base."""

from collections.abc import Iterator

from petpark import gate, layout
from petpark.config.policy import Policy
from petpark.config.settings import parse
from petpark.errors import DataError, SettingsError
from petpark.gate import Verdict
from petpark.report.change import figures
from petpark.report.change.side import Head, Side


def policy_of(base: Side) -> Policy:
    """The policy that a change is judged by.

    Raises:
        DataError: the base has none.
        SettingsError: it has one that this version cannot read.
    """
    if base.policy is None:
        raise DataError(f"{layout.POLICY} of {base.name} is missing, so nothing can be judged: restore it there.")
    return parse(Policy, base.policy, f"{layout.POLICY} of {base.name}")


def judged(base: Side, head: Head, policy: Policy) -> Verdict:
    """Judge what the head has by a policy.

    A model that is not the base's and was compared with no champion is held against the base's figures: to leave the
    comparison out must help nobody.
    """
    reasons = gate.judge(head.evidence, policy, gate.BUILD_RULES).reasons
    return Verdict((*reasons, *_uncompared(base, head, policy)))


def by_its_own(base: Side, head: Head) -> Verdict | None:
    """What the verdict would be by the head's policy; None where that is the base's or cannot be read."""
    if head.side.policy is None or head.side.policy == base.policy:
        return None
    try:
        policy = parse(Policy, head.side.policy, f"{layout.POLICY} of {head.side.name}")
    except SettingsError:
        return None
    return judged(base, head, policy)


def _uncompared(base: Side, head: Head, policy: Policy) -> Iterator[str]:
    old, new = base.evaluation, head.evidence.evaluation
    if old is None or head.evidence.comparison is not None or not figures.retrained(old, new):
        return
    change, allowed = figures.apart(old.accuracy, new.accuracy), policy.build.champion.max_drop
    if change.high < 0 or change.value < -allowed:
        yield (
            "the model was compared with no champion on the same photos, and may be worse than that of the base: "
            f"accuracy changes by {change}; allowed: {-allowed:.1%}"
        )
    elif change.low <= 0 and not policy.build.champion.allow_tie:
        yield f"the model was compared with no champion, and is not credibly better: accuracy changes by {change}"
