"""What an audit finds in lakes with things planted in them."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from petpark import images, lake, layout
from petpark.build.audit import material
from petpark.build.audit.features import Extractor
from petpark.build.audit.findings import Finding, Findings
from petpark.build.audit.search import search
from petpark.config.ingest import IngestSettings
from petpark.errors import DataError
from tests.build.audit import planted
from tests.build.audit.planted import identity
from tests.build.lakes import LABELS
from tests.conftest import draw, jpeg

MOVES = {"ash/003.jpg": "beech", "beech/007.jpg": "cedar", "cedar/011.jpg": "ash", "cedar/012.jpg": "beech"}


@pytest.fixture(autouse=True)
def here(workspace: Path) -> Path:
    planted.model()
    return workspace


def ids(findings: tuple[Finding, ...]) -> list[str]:
    return [each.id for each in findings]


def colours() -> Extractor:
    """A network that has never seen labels: the mean colour of each quarter, around grey."""

    def run(squares: images.Pixels) -> NDArray[np.float32]:
        quarters = squares.reshape(-1, 2, 8, 2, 8, 3).mean((2, 4)).reshape(-1, 12)
        return np.asarray(quarters - 128, np.float32)

    return Extractor("colours", "colours", 16, run, independent=True)


def independently(settings: IngestSettings) -> Findings:
    return search(material.read(settings), settings, colours())


def test_wrong_labels_come_first_and_of_the_sure_ones_the_right_label_is_proposed() -> None:
    found = planted.found(planted.lake(park=planted.swapped(planted.clean(), MOVES)))
    right = {identity(planted.clean()[name]): name.partition("/")[0] for name in MOVES}
    now = {identity(planted.clean()[name]): label for name, label in MOVES.items()}
    assert {*ids((*found.suspects, *found.doubtful))[: len(MOVES)]} == right.keys()
    assert len(found.suspects) >= 2
    for each in found.suspects:
        assert (each.label, each.proposed) == (now[each.id], right[each.id])
        assert right[each.id] in each.why
    assert found.proposals() == {each.id: right[each.id] for each in found.suspects}
    assert not any(each.proposed for each in found.doubtful)


def test_clean_photos_give_no_proposal() -> None:
    found = planted.found(planted.lake(park=planted.clean()))
    assert found.proposals() == {}
    assert (found.quarantined, found.conflicts, found.look_alikes, found.blank) == ((), (), (), ())
    assert found.judged == 3 * planted.EACH


def test_a_settled_photo_is_neither_suspected_nor_proposed_even_where_the_split_is_older() -> None:
    settings = planted.lake(park=planted.swapped(planted.clean(), MOVES))
    kept, left_out, *others = planted.found(settings).suspects
    layout.CORRECTIONS.write_text(f"id,label\n{kept.id},{kept.label}\n{left_out.id},excluded\n")
    for again in range(2):
        found = planted.found(settings)
        assert {*ids(found.suspects)} == {each.id for each in others}, again
        assert not {kept.id, left_out.id} & found.proposals().keys()
        planted.resplit(settings)


def stranger() -> bytes:
    """A black and white board: nothing that a tinted photo could be."""
    return jpeg(Image.fromarray(np.array([[255, 0], [0, 255]], np.uint8)).resize((64, 48), Image.Resampling.NEAREST))


def test_a_stranger_is_found_and_proposed_to_be_left_out() -> None:
    found = independently(planted.lake(park={**planted.clean(), "ash/stranger.jpg": stranger()}))
    assert ids(found.unlike)[0] == identity(stranger())
    assert len(found.unlike) <= 3
    assert found.unlike[0].proposed == "excluded"
    assert identity(stranger()) not in ids(found.suspects)


def test_a_network_that_learned_the_labels_is_not_asked_for_strangers() -> None:
    found = planted.found(planted.lake(park={**planted.clean(), "ash/stranger.jpg": stranger()}))
    assert found.unlike == ()
    assert not found.independent


def test_a_photo_of_one_colour_is_proposed_to_be_left_out() -> None:
    found = planted.found(planted.lake(park={**planted.clean(), "cedar/black.jpg": planted.blank(2)}))
    assert ids(found.blank) == [identity(planted.blank(2))]
    assert found.proposals() == {identity(planted.blank(2)): "excluded"}
    assert found.excluding == 1


def conflicting(label: str, other: str) -> dict[str, bytes]:
    return {f"{label}/both.jpg": planted.photo("beech", 900), f"{other}/both.jpg": planted.photo("beech", 900)}


def test_of_a_photo_under_several_labels_the_one_that_it_looks_like_is_proposed() -> None:
    found = planted.found(planted.lake(park={**planted.clean(), **conflicting("ash", "beech")}))
    (both,) = found.conflicts
    assert both.id == identity(planted.photo("beech", 900))
    assert both.label == "ash / beech"
    assert both.proposed == "beech"
    assert found.batches[0].dropped == {"conflict": 2}


def test_where_it_looks_like_none_of_its_labels_a_person_has_to_say() -> None:
    found = planted.found(planted.lake(park={**planted.clean(), **conflicting("ash", "cedar")}))
    (both,) = found.conflicts
    assert both.proposed is None
    assert found.proposals() == {}


def test_a_conflict_across_batches_is_told_once() -> None:
    photo = planted.photo("ash", 900)
    found = planted.found(
        planted.lake(first={**planted.clean(), "ash/a.jpg": photo}, second={"cedar/a.jpg": photo, "ash/b.jpg": photo})
    )
    assert [each.label for each in found.conflicts] == ["ash / cedar"]


def test_look_alikes_under_several_labels_are_shown_together_and_nothing_is_proposed_for_being_so() -> None:
    picture = draw(7000, width=64, height=48, tint=(120, 120, 120))
    twins = {f"{label}/twin.jpg": jpeg(picture, quality) for label, quality in (("ash", 90), ("cedar", 80))}
    alike = {
        f"beech/{number}.jpg": jpeg(draw(8000, width=64, height=48, tint=(60, 200, 60)), number) for number in (80, 90)
    }
    found = planted.found(planted.lake(park={**planted.clean(), **twins, **alike}))
    (group,) = found.look_alikes
    assert [(each.label, each.id) for each in group] == [
        ("ash", identity(twins["ash/twin.jpg"])),
        ("cedar", identity(twins["cedar/twin.jpg"])),
    ]
    assert [each.why for each in group] == ["group 1: nearly the same photo"] * 2
    assert all(each.proposed is None for each in group)


def test_counts_are_of_each_batch_and_label() -> None:
    photos = planted.swapped(planted.clean(), MOVES)
    extra = {
        "ash/cut.jpg": planted.photo("ash", 901)[:-300],
        "ash/empty.jpg": b"",
        "ash/again.jpg": photos["ash/000.jpg"],
    }
    found = planted.found(
        planted.lake({"gate": "acceptance"}, park={**photos, **extra}, gate={"ash/x.jpg": b"", **planted.clean(2)})
    )
    park, gate = found.batches
    assert (park.photos, park.quarantined, park.reasons) == (123, 2, {"damaged": 1, "empty": 1})
    assert (park.dropped, park.proposed, park.role) == ({"duplicate": 1}, len(found.suspects), "train")
    assert (gate.photos, gate.quarantined, gate.proposed, gate.role) == (7, 1, 0, "acceptance")
    assert found.reasons == {"damaged": 1, "empty": 2}
    ash = found.labels[0]
    assert (ash.label, ash.photos, ash.quarantined) == ("ash", 40, 3)
    assert sum(each.suspects for each in found.labels) == len(found.suspects)
    assert {each.label: each.taken_for for each in found.labels if each.suspects}.items() <= {
        (each.label, each.proposed) for each in found.suspects
    }
    assert [each.label for each in found.labels] == list(LABELS)
    assert [(each.name, each.reason) for each in found.quarantined] == [
        ("ash/cut.jpg", "damaged"),
        ("ash/empty.jpg", "empty"),
        ("ash/x.jpg", "empty"),
    ]


def test_corrections_and_exclusions_are_counted() -> None:
    photos = planted.clean()
    one, two = (identity(photos[name]) for name in ("ash/000.jpg", "ash/001.jpg"))
    layout.CORRECTIONS.write_text(f"id,label\n{one},beech\n{two},excluded\n")
    (park,) = planted.found(planted.lake(park=photos)).batches
    assert (park.corrected, park.dropped) == (1, {"excluded": 1})


def test_without_a_network_everything_but_the_labels_is_told() -> None:
    layout.MODEL.unlink()
    photos = {
        **planted.swapped(planted.clean(), MOVES),
        **conflicting("ash", "beech"),
        "ash/grey.jpg": planted.blank(99),
    }
    found = planted.found(planted.lake(park=photos))
    assert found.network is None
    assert (found.suspects, found.doubtful, found.unlike) == ((), (), ())
    assert [each.proposed for each in found.conflicts] == [None]
    assert found.proposals() == {identity(planted.blank(99)): "excluded"}


@pytest.mark.parametrize("labels", [2, 3])
def test_a_label_with_few_photos_is_left_in_peace(labels: int) -> None:
    photos = {name: data for name, data in planted.clean().items() if name.partition("/")[0] in LABELS[:2]}
    if labels == 3:
        photos |= {f"cedar/{number}.jpg": planted.photo("ash", 500 + number) for number in range(6)}
    found = planted.found(planted.lake(park=photos))
    assert found.suspects == ()
    assert len(found.labels) == labels


def test_the_same_lake_gives_the_same_findings() -> None:
    settings = planted.lake(park=planted.swapped(planted.clean(), MOVES))
    assert independently(settings) == independently(settings)


def test_a_split_of_other_batches_is_refused() -> None:
    settings = planted.lake(park=planted.clean(10), other=planted.clean(11))
    fewer: Mapping[str, object] = {"batches": {"park": settings.batches["park"]}}
    with pytest.raises(DataError, match=r"photos of 'other'.*dvc repro split"):
        material.read(settings.model_copy(update=fewer))


@pytest.mark.parametrize("path", [layout.SPLIT, layout.manifest("park")])
def test_a_lake_that_is_not_here_is_missed_with_the_remedy(path: Path) -> None:
    settings = planted.lake(park=planted.clean(10))
    path.unlink()
    with pytest.raises(DataError, match=rf"{path} is missing: fetch it with `dvc pull {path}`"):
        material.read(settings)


def test_good_photos_come_in_the_order_of_the_disk() -> None:
    settings = planted.lake(park={**planted.clean(10), "ash/empty.jpg": b""})
    photos = material.good("park", material.read(settings).manifests["park"])
    assert [row for row, _ in photos.stored()] == list(range(30))
    assert isinstance(photos, lake.Photos)
