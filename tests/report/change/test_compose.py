"""The report as its reader gets it: the verdict first, every change in words, nothing twice."""

from pathlib import Path
from typing import Any

import pytest

from petpark import layout
from petpark.evidence.build import BuildEvidence
from petpark.evidence.run import Run
from petpark.report.change import limits, links, side
from petpark.report.change.blocks import Chart, Details
from petpark.report.change.compose import Report, compose
from petpark.report.change.folder import reader
from tests.report import made
from tests.report.change import sides
from tests.report.change.sides import LOSSES, PARAMS, lay, new, old, pair, photo
from tests.test_gate import counted, gain

ROOT = Path(__file__).parents[3]
FOUND = [[138, 6, 6], [6, 138, 6], [6, 6, 138]]  # 414 of 450 right
RUN = Run(minutes={"train": 2.5, "evaluate": 0.2}, photos_trained=1200, bytes_fetched=1_200_000, runner="ubuntu-24.04")
LINKS = (links.checked("full report", "https://github.com/o/r/actions/runs/1/artifacts/2"),)
NEXT = {"batch": "next", "role": "train", "photos": 250, "quarantined": 2, "reasons": {"empty": 2}}

GOLDEN = """\
## ✅ Yes: the model may be merged

**The model was retrained.** Accuracy 92.0% → **96.0%**: **better**, +4.0 points (+2.0 to +6.0), \
on 450 photos that neither model learned from.

**Changed:** `train.epochs` `16` → `20`.

### Figures

| figure | base | this change | difference |  |
|:---|---:|---:|---:|---:|
| accuracy | 92.0%<br><sub>90.0% to 94.0%</sub> | **96.0%**<br><sub>94.0% to 98.0%</sub> \
| +4.0 points<br><sub>+2.0 to +6.0, paired</sub> | **better** |
| F1 | 96.0%<br><sub>94.0% to 98.0%</sub> | **96.0%**<br><sub>94.0% to 98.0%</sub> \
| +0.0 points<br><sub>-2.8 to +2.8</sub> | no measurable gain |
| ROC-AUC | 0.990<br><sub>0.985 to 0.995</sub> | **0.990**<br><sub>0.985 to 0.995</sub> \
| +0.000<br><sub>-0.007 to +0.007</sub> | no measurable gain |
| calibration error | 4.0%<br><sub>2.0% to 6.0%</sub> | **4.0%**<br><sub>2.0% to 6.0%</sub> \
| +0.0 points<br><sub>-2.8 to +2.8</sub> | no measurable gain |
| recall gap between labels | 0.0%<br><sub>0.0% to 2.0%</sub> | **0.0%**<br><sub>-3.0% to 3.0%</sub> \
| +0.0 points<br><sub>-3.6 to +3.0</sub> | no measurable gain |
| cost per 1,000 photos | 80.0<br><sub>60.0 to 100.0</sub> | **40.0**<br><sub>22.0 to 58.0</sub> \
| -40.0<br><sub>-60.0 to -20.0, paired</sub> | **better** |
| size of the file | 1.0 kB | 1.0 kB |  |  |
| milliseconds per photo | 1.00 (int8) | 1.00 (int8) |  |  |

| label, the worst first | recall | precision | predicted |
|:---|---:|---:|---:|
| `ash`<br><sub>150 photos</sub> | 92.0% → **96.0%** **better**<br><sub>+4.0 points (+0.4 to +7.6)</sub> \
| 92.0% → **96.0%** **better**<br><sub>+4.0 points (+1.2 to +6.8)</sub> | as often as it occurs |
| `beech`<br><sub>150 photos</sub> | 92.0% → **96.0%** **better**<br><sub>+4.0 points (+0.4 to +7.6)</sub> \
| 92.0% → **96.0%** **better**<br><sub>+4.0 points (+1.2 to +6.8)</sub> | as often as it occurs |
| `cedar`<br><sub>150 photos</sub> | 92.0% → **96.0%** **better**<br><sub>+4.0 points (+0.4 to +7.6)</sub> \
| 92.0% → **96.0%** **better**<br><sub>+4.0 points (+1.2 to +6.8)</sub> | as often as it occurs |

No kind of photos moved beyond its interval, of 1 that both sides know.

<details><summary>How training went</summary>

Grey: loss on the training side. Orange: on the validation side. Blue: on the validation side, in the training of the \
base.

```mermaid
%%{init: {"xyChart": {"width": 720, "height": 300}, "themeVariables": {"xyChart": {"plotColorPalette": "#8492a0, \
#3e8ed0, #d55e00"}}}}%%
xychart-beta
  x-axis "epoch" 1 --> 3
  y-axis "loss" 0.3 --> 0.9
  line [0.9, 0.5, 0.3]
  line [0.8, 0.45, 0.35]
  line [0.8, 0.45, 0.35]
```

</details>

<details><summary>Every kind of photos, 1 in all</summary>

| photos | how many | accuracy |
|:---|---:|---:|
| brightness: `dark (under 0.31)` | 60 | 93.0% → **93.0%**<br><sub>+0.0 points (-7.1 to +7.1)</sub> |

</details>

<details><summary>All batches, and the photos of each label</summary>

| batch | photos | in quarantine |
|:---|---:|---:|
| `one`<br><sub>train</sub> | 1,800 | 3<br><sub>damaged 2, empty 1</sub> |
| `park`<br><sub>acceptance</sub> | 100 | 0 |

| label | train | validation | test |
|:---|---:|---:|---:|
| `ash` | 400 | 40 | 150 |
| `beech` | 400 | 40 | 150 |
| `cedar` | 400 | 40 | 150 |

</details>

### What it took

2.7 minutes (train 2.5 minutes, evaluate 12 s), 1,200 photos trained on, 1.2 MB fetched, on `ubuntu-24.04`

[full report](https://github.com/o/r/actions/runs/1/artifacts/2) · judged by the policy of `0123456789ab`

<sub>Intervals are of 95%. Paired: both models answered the same photos. Other differences are taken from those of \
both sides: small ones may be real and not be seen.</sub>

<!-- petpark: report of the pull request -->
"""


def helped() -> BuildEvidence:
    """A model that is better than the base's by four points, on the same photos."""
    return new(
        {
            "comparison.photos": 450,
            "comparison.seen": 0,
            "comparison.champion_accuracy": 0.92,
            "comparison.accuracy_gain": {"value": 0.04, "low": 0.02, "high": 0.06},
            "comparison.cost_gain": {"value": 40.0, "low": 20.0, "high": 60.0},
        }
    )


def before() -> BuildEvidence:
    """The base's model, with 36 mistakes."""
    cost = {"value": 80.0, "low": 60.0, "high": 100.0}
    kept = {"evaluation.slices.0.photos": 60, "evaluation.cost": cost, "comparison": None}
    return old(counted(FOUND) | kept)


def written(report: Report) -> str:
    return limits.fit(report.blocks, limits.COMMENT)


def text(tmp_path: Path, now: BuildEvidence, then: BuildEvidence | None, pending: str = "", **of_head: Any) -> str:
    return written(compose(*pair(tmp_path, now, then, **of_head), pending))


def test_a_small_report_reads_like_this(tmp_path: Path) -> None:
    base, head = pair(tmp_path, helped(), before(), params=PARAMS.replace("epochs: 16", "epochs: 20"))
    report = compose(base, head, run=RUN, links=LINKS)
    assert written(report) == GOLDEN
    assert report.verdict.passed


def test_the_first_lines_tell_it_all_for_who_reads_no_further(tmp_path: Path) -> None:
    worse = gain(-0.03, -0.04, -0.02)
    found = text(tmp_path, new(worse), old(), policy="build: {champion: {max_drop: 1.0}}\n")
    assert (
        found.partition("### Figures")[0]
        == """\
## ❌ No, for 1 reason

- the model is worse than the champion of `0123456789ab` on 440 photos: accuracy changes by -3.0% (-4.0% to -2.0%); \
allowed: -1.0%

**The model was retrained.** Accuracy 99.0% → **96.0%**: **worse**, -3.0 points (-4.0 to -2.0), on 440 photos that \
neither model learned from.

**Changed:** 1 entry of the policy.

**The policy changed,** and this verdict is by that of the base. By the changed one the answer would be no too.

"""
    )


def test_a_loosened_policy_that_would_admit_the_model_is_said_and_shown(tmp_path: Path) -> None:
    base = sides.base(lay(tmp_path / "base", old(), policy="build: {min_test_photos: 1000}\n"))
    head = sides.head(lay(tmp_path / "head", new(), policy="build: {min_test_photos: 100}\n"))
    found = written(compose(base, head))
    assert found.startswith("## ❌ No, for 1 reason\n\n- the model was judged on 450 photos and 1000 are wanted")
    assert "By the changed one the answer would be yes.\n" in found
    assert (
        "### Policy\n\n| entry | base | this change |\n|:---|:---|:---|\n| `build.min_test_photos` | `1000` | `100` |"
        in found
    )


def test_a_policy_change_alone_is_green_and_shown(tmp_path: Path) -> None:
    found = text(tmp_path, old(), old(), policy="build: {min_recall: 0.5}\n")
    assert found.startswith("## ✅ Yes: the model may be merged\n\n**The model is that of the base.** Accuracy 96.0%")
    assert "| `build.min_recall` | not set | `0.5` |" in found
    assert "By the changed one the answer would be yes too." in found


def test_a_change_of_nothing_that_counts_is_short(tmp_path: Path) -> None:
    report = compose(*pair(tmp_path, old(), old()))
    folded = [block.title for block in report.blocks if isinstance(block, Details)]
    assert folded == ["The figures, which are those of the base", "All batches, and the photos of each label"]
    assert "Settings, data and policy are those of the base." in written(report)
    assert len(report.blocks) == 7
    assert "→" not in written(report)


def test_a_tie_is_said_in_words(tmp_path: Path) -> None:
    assert "**no measurable gain**, +0.5 points (-0.5 to +1.5)" in text(tmp_path, new(), old())


def test_a_verdict_that_does_not_count_yet_says_why(tmp_path: Path) -> None:
    found = text(tmp_path, new(), old(), "a maintainer adopts this")
    assert found.startswith(
        "## ⏳ Pending: a maintainer adopts this\n\nBy this evidence the answer would be yes, the model may be merged."
    )
    few = text(tmp_path, new({"validation.leaked": 3}), old(), "a maintainer adopts this")
    assert "the answer would be no, for 1 reason:\n\n- 3 photos to learn from" in few


def test_a_first_model_has_figures_and_nothing_to_compare_with(tmp_path: Path) -> None:
    found = text(tmp_path, new({"comparison": None}), None)
    assert "**Nothing to compare with:** the base has no evaluation. Accuracy 96.0% (94.0% to 98.0%)" in found
    assert "| figure | this change |" in found
    assert "better" not in found


def test_a_base_that_cannot_be_read_as_a_whole_is_no_silence(tmp_path: Path) -> None:
    folder = lay(tmp_path / "base", old())
    (folder / layout.EVALUATION).write_text("{")
    found = written(compose(sides.base(folder), sides.head(lay(tmp_path / "head", new()))))
    assert "**The base could not be read as a whole:** reports/evaluation.json of the base" in found


def test_a_champion_that_is_not_the_bases_model_is_told_apart(tmp_path: Path) -> None:
    found = text(tmp_path, new(), old({"evaluation.model.sha256": "7" * 64, "package.sha256": "7" * 64}))
    assert "as the models were not compared on the same photos." in found
    assert (
        "Against the champion of `0123456789ab` on 440 photos: 95.5% → 96.0%, **no measurable gain**, "
        "+0.5 points (-0.5 to +1.5).\n"
    ) in found
    assert "paired" not in found


def test_a_comparison_of_another_model_is_a_reason_and_no_gain(tmp_path: Path) -> None:
    forged = gain(0.1, 0.09, 0.11) | {"comparison.challenger_accuracy": 0.999, "comparison.champion_accuracy": 0.899}
    found = text(tmp_path, new(forged), old())
    assert found.startswith("## ❌ No, for 1 reason\n\n- who compared it with the champion compared another model")
    assert "+10.0 points" not in found


def test_data_that_came_is_counted_batch_by_batch(tmp_path: Path) -> None:
    batches = [each.model_dump(mode="json") for each in new().validation.batches]
    now = new({"validation.batches": [*batches, NEXT], "validation.duplicates": 9, "validation.corrected": 6})
    lines = "".join(f"{photo(place)},{label}\n" for place, label in enumerate(("ash", "ash", "excluded")))
    found = text(tmp_path, now, old(), corrections=f"id,label\n{lines}")
    assert "**Changed:** batch `next` new (+250 photos), 3 lines of `corrections.csv`." in found
    assert "| `next`<br><sub>train, new</sub> | 250 | 2<br><sub>empty 2</sub> |" in found
    assert "2 batches as before; in all 2,150 photos in 3 batches, 5 of them in quarantine." in found
    assert "`corrections.csv`: new 2 as `ash`, 1 as `excluded`." in found
    assert "| corrected labels | 4 | 6 |\n| duplicates dropped | 7 | 9 |\n" in found


def test_many_settings_are_counted_first_and_listed_below(tmp_path: Path) -> None:
    params = PARAMS.replace("16", "20").replace("0.002", "0.01").replace("mixup: 0.0", "ema: 0.9")
    found = text(tmp_path, new(), old(), params=params)
    assert "**Changed:** 4 settings." in found
    assert "| `train.mixup` | `0` | not set |" in found


def test_kinds_of_photos_that_moved_are_named_with_what_chance_does(tmp_path: Path) -> None:
    dark = {"evaluation.slices.0.accuracy": {"value": 0.80, "low": 0.76, "high": 0.84}}
    found = text(tmp_path, new(dark), old())
    assert "### Kinds of photos that moved\n" in found
    assert "| brightness: `dark (under 0.31)` | 60 | 93.0% → **80.0%** **worse**" in found


def test_of_many_labels_those_that_got_worse_come_first_and_all_are_folded(tmp_path: Path) -> None:
    names = made.labels(9)
    base, head = pair(tmp_path, new(), old())
    then, now = made.evaluation(names, 3000, 3.5, 1), made.evaluation(names, 3000, 3.5, 1)
    last = max(now.classes, key=lambda each: each.recall.value)
    fell = last.precision.model_copy(update={"value": 0.1, "low": 0.05, "high": 0.15})
    worse = tuple(each.model_copy(update={"precision": fell}) if each is last else each for each in now.classes)
    now = now.model_copy(update={"classes": worse, "model": now.model.model_copy(update={"sha256": "5" * 64})})
    evidence = head.evidence.model_copy(update={"evaluation": now})
    found = written(compose(side.Side(**{**vars(base), "evaluation": then}), side.Head(head.side, evidence)))
    rows = found.partition("6 labels of 9, first what got worse")[2].splitlines()[2:8]
    assert rows[0].startswith(f"| `{last.label}`<br>")
    assert all(row.startswith("| `") for row in rows)
    assert "<summary>All 9 labels</summary>" in found


def test_the_loss_of_the_base_is_drawn_where_it_is_as_long(tmp_path: Path) -> None:
    longer = {name: (*values, values[-1]) for name, values in LOSSES.items()}
    names = []
    for place, curves in enumerate((LOSSES, longer, {}, {"loss": (1.0, 0.5)})):
        blocks = compose(*pair(tmp_path / str(place), new(), old(), curves=curves)).blocks
        charts = [each for block in blocks if isinstance(block, Details) for each in block.blocks]
        names.append([series.name for chart in charts if isinstance(chart, Chart) for series in chart.series])
    assert names == [["training", "validation, base", "validation"], ["training", "validation"], [], []]


def test_a_long_training_is_drawn_from_its_first_epoch_to_its_last(tmp_path: Path) -> None:
    long = {name: tuple(1 - place / 2000 for place in range(1000)) for name in LOSSES}
    blocks = compose(*pair(tmp_path, new(), old(), curves=long)).blocks
    (chart,) = (
        each for block in blocks if isinstance(block, Details) for each in block.blocks if isinstance(each, Chart)
    )
    assert chart.ends == (1, 1000)
    assert {len(series.values) for series in chart.series} == {60}
    assert (chart.series[0].values[0], chart.series[0].values[-1]) == (1, 0.5005)


def test_precision_and_recall_are_drawn_for_the_weakest_labels(tmp_path: Path) -> None:
    base, head = pair(tmp_path, new(), old())
    then, now = made.evaluation(made.labels(5), seed=1), made.evaluation(made.labels(5), seed=2)
    now = now.model_copy(update={"model": now.model.model_copy(update={"sha256": "5" * 64})})
    evidence = head.evidence.model_copy(update={"evaluation": now})
    blocks = compose(side.Side(**{**vars(base), "evaluation": then}), side.Head(head.side, evidence)).blocks
    (folded,) = (each for each in blocks if isinstance(each, Details) and each.title.startswith("Precision and recall"))
    assert folded.title == "Precision and recall of the 3 weakest labels"
    charts = [each for each in folded.blocks if isinstance(each, Chart)]
    assert [[series.name for series in chart.series] for chart in charts] == 3 * [["base", "this change"]]
    for chart in charts:
        for series in chart.series:
            assert len(series.values) == 21
            assert list(series.values) == sorted(series.values, reverse=True), "precision at that recall or more"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (Run(), None),
        (Run(minutes={"a": 0.5, "b": 130}), "2.2 hours (a 30 s, b 2.2 hours)"),
        (Run(photos_ingested=1, bytes_pushed=999), "1 photo ingested, 999 bytes pushed"),
        (Run(started="2026-11-25T10:00:00Z", runner="a|b"), "on <code>a&#124;b</code>"),
    ],
)
def test_of_what_it_took_the_known_is_told(run: Run, said: str | None, tmp_path: Path) -> None:
    found = written(compose(*pair(tmp_path, new(), old()), run=run))
    assert ("### What it took" in found) is (said is not None)
    assert (f"### What it took\n\n{said}\n" in found) is (said is not None)


@pytest.mark.tree
def test_the_committed_evidence_compared_with_itself_is_green() -> None:
    report = compose(side.read_base(reader(ROOT), "here"), side.read_head(reader(ROOT), "here"))
    assert report.verdict.passed
    assert "**The model is that of the base.** Accuracy 9" in written(report)


def test_the_same_sides_give_the_same_text(tmp_path: Path) -> None:
    assert text(tmp_path, helped(), before()) == text(tmp_path, helped(), before())
