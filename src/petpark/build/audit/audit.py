"""The audit: look through the lake, and lay out for a person what should be looked at."""

from collections.abc import Iterator
from typing import Final

from petpark import files, layout
from petpark.build.audit import features, material, page, pictures, proposal, search
from petpark.build.audit.findings import Findings
from petpark.config.ingest import IngestSettings
from petpark.config.train import TrainSettings
from petpark.report.words import count

PAGE: Final = layout.REPORTS / "audit.html"


def audit(ingest: IngestSettings, train: TrainSettings, shown: int) -> str:
    """Look through the lake; write the page and the proposed corrections.

    Args:
        ingest: the batches, and how many pixels are decoded.
        train: its weights give the features by which labels are examined.
        shown: photos on each contact sheet at most.

    Returns:
        what was found, in a few lines.

    Raises:
        DataError: the lake is incomplete, or a proposal is under review.
        ModelError: weights or model are not what they should be.
    """
    proposal.check()
    seen = material.read(ingest)
    found = search.search(seen, ingest, features.extractor(train))
    sheets = page.sheets(found, shown)
    stored = pictures.of_stored(seen.photos, [each.id for sheet in sheets for each in sheet.findings])
    broken, missing = pictures.of_quarantined(found.quarantined[:shown], ingest.max_megapixels * 1_000_000)
    files.write_text(PAGE, page.render(found, sheets, stored | broken, missing, shown))
    proposal.write(found.proposals())
    return "\n".join(_summary(found))


def _summary(found: Findings) -> Iterator[str]:
    for batch in found.batches:
        told = {"in quarantine": batch.quarantined} | batch.dropped | {"corrected": batch.corrected}
        parts = ", ".join(f"{number:,} {what}" for what, number in told.items() if number)
        yield f"{batch.batch} ({batch.role}): {count(batch.photos, 'photo')}{': ' if parts else ''}{parts}"
        if batch.reasons:
            yield f"  quarantine: {', '.join(f'{reason} {number:,}' for reason, number in batch.reasons.items())}"
    if found.network is None:
        yield f"Labels were not examined: train.weights is null, and there is no {layout.MODEL}."
    else:
        yield f"{count(found.judged, 'label')} examined, by the features of {found.network}:"
        yield f"  {len(found.suspects):,} probably wrong, {len(found.doubtful):,} doubtful"
        if found.independent:
            yield f"{count(len(found.unlike), 'photo')} unlike all others"
    yield f"{count(len(found.blank), 'photo')} of nearly one colour"
    groups = count(len(found.look_alikes), "group")
    yield f"{count(len(found.conflicts), 'photo')} under several labels, {groups} of look-alikes with several labels"
    yield f"{PAGE} shows them; {proposal.PROPOSED} proposes {count(len(found.proposals()), 'line')}."
    yield "Take out the lines that are wrong, then `petpark data audit --apply` adds the rest to corrections.csv."
