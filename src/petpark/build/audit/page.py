"""The audit's page: one self-contained HTML file that asks nothing of any host, and needs no script."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from petpark.build.audit.findings import Finding, Findings
from petpark.report import words
from petpark.report.page import data_uri

_LISTED = 200


@dataclass(frozen=True)
class Sheet:
    """One contact sheet.

    Attributes:
        key: the kind of photos, and its place on the page.
        findings: the photos that are shown.
        total: how many there are.
    """

    key: str
    findings: tuple[Finding, ...]
    total: int


def sheets(found: Findings, shown: int) -> tuple[Sheet, ...]:
    """Lay the findings out on contact sheets of at most so many photos; empty ones are left out."""
    kinds = {
        "suspects": found.suspects,
        "unlike": found.unlike,
        "blank": found.blank,
        "conflicts": found.conflicts,
        "look-alikes": tuple(each for group in found.look_alikes for each in group),
        "doubtful": found.doubtful,
    }
    return tuple(Sheet(key, every[:shown], len(every)) for key, every in kinds.items() if every)


def render(
    found: Findings, laid: Sequence[Sheet], pictures: Mapping[str, bytes], missing: Sequence[str], shown: int
) -> str:
    """Draw the page; the same findings give the same bytes.

    Args:
        found: what the audit found.
        laid: the contact sheets.
        pictures: thumbnails (JPEG) by photo id; photos without one get a card with words.
        missing: what must be fetched before all pictures can be shown.
        shown: quarantined photos that are shown at most.

    Returns:
        an HTML document.
    """
    return (
        _environment()
        .get_template("audit.html.j2")
        .render(
            found=found,
            sheets=laid,
            quarantined=found.quarantined[:shown],
            pictures=pictures,
            missing=missing,
            proposed=list(_proposed(found)),
            listed=_LISTED,
        )
    )


def _proposed(found: Findings) -> Iterator[Finding]:
    """The findings with a proposal, each photo once."""
    seen = set()
    for each in found.photos():
        if each.proposed is not None and each.id not in seen:
            seen.add(each.id)
            yield each


def _environment() -> Environment:
    environment = Environment(
        loader=ChoiceLoader(
            [PackageLoader("petpark", "build/audit/templates"), PackageLoader("petpark", "report/templates")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update({form.__name__: form for form in (words.percent, words.number, words.count, words.span)})
    environment.globals.update(data_uri=data_uri)
    return environment
