"""Charts of a search for settings, as inline SVG: trials in, markup out."""

from collections.abc import Iterator

from markupsafe import Markup

from petpark.report import svg
from petpark.report.panel import HEIGHT, WIDTH, Panel
from petpark.report.scales import Even, Log, Names, Scale, said
from petpark.report.trials import Search, Trial


def history(search: Search) -> Markup:
    """The loss of every trial in the order in which they began, and the lowest so far as a line."""
    tried = [trial for trial in search.trials if trial.losses]
    order = {trial.number: place for place, trial in enumerate(search.trials, 1)}
    panel = Panel(Even.over([1, len(search.trials)]), _losses(tried))
    parts = list(panel.axes("trial", "validation loss"))
    lowest: list[tuple[float, float]] = []
    for trial in tried:
        if not trial.stopped:
            here = panel.at(order[trial.number], trial.loss)
            lowest += [(here[0], lowest[-1][1]), (here[0], max(here[1], lowest[-1][1]))] if lowest else [here]
    if lowest:
        parts.append(svg.path("curve c1", [*lowest, (panel.at(len(search.trials), 1)[0], lowest[-1][1])]))
    parts += _dots(panel, search, tried, [order[trial.number] for trial in tried])
    return svg.picture("chart", WIDTH, HEIGHT, "Validation loss of every trial, and the lowest so far", parts)


def against(search: Search, name: str) -> Markup:
    """The loss of every trial against one setting."""
    tried = [trial for trial in search.trials if trial.losses]
    panel = Panel(_scale(search, name), _losses(tried))
    parts = list(panel.axes(name, "validation loss"))
    parts += _dots(panel, search, tried, [trial.values[name] for trial in tried])
    return svg.picture("chart", WIDTH, HEIGHT, f"Validation loss against {name}", parts)


def learning(search: Search) -> Markup:
    """The loss of every trial, epoch by epoch; grey where it was stopped."""
    tried = [trial for trial in search.trials if trial.losses]
    longest = max(len(trial.losses) for trial in tried)
    lowest, highest = min(min(trial.losses) for trial in tried), max(max(trial.losses) for trial in tried)
    panel = Panel(Even.over([1, longest]), Log.over([lowest, highest]))
    parts = list(panel.axes("epoch", "validation loss"))
    for trial in sorted(tried, key=lambda trial: (not trial.stopped, trial is search.best)):
        kind = "best" if trial is search.best else "faint" if trial.stopped else "other"
        places = [panel.at(epoch, loss) for epoch, loss in enumerate(trial.losses, 1)]
        parts.append(svg.path(f"curve {kind}", places, _hint(trial)))
        parts.append(svg.shape("circle", f"end {kind}", _hint(trial), cx=places[-1][0], cy=places[-1][1], r=3))
    return svg.picture("chart", WIDTH, HEIGHT, "Validation loss of every trial after each epoch", parts)


def _losses(tried: list[Trial]) -> Scale:
    return Log.over([trial.loss for trial in tried])


def _scale(search: Search, name: str) -> Scale:
    if name in search.listed:
        return Names(search.listed[name])
    values = [trial.values[name] for trial in search.trials]
    return Log.over(values, 1e-300) if name in search.logarithmic else Even.over(values)


def _dots(panel: Panel, search: Search, tried: list[Trial], xs: list[object]) -> Iterator[Markup]:
    """A dot for every trial; those that were stopped lie under the others, and the best on top."""
    pairs = sorted(zip(tried, xs, strict=True), key=lambda pair: (not pair[0].stopped, pair[0] is search.best))
    for trial, x in pairs:
        across, down = panel.at(x, trial.loss)
        kind = "mark" if trial is search.best else "stopped" if trial.stopped else "dot"
        yield svg.shape("circle", kind, _hint(trial), cx=across, cy=down, r=6 if kind == "mark" else 4)


def _hint(trial: Trial) -> str:
    values = ", ".join(f"{name} {said(value)}" for name, value in trial.values.items())
    return f"trial {trial.number}: loss {trial.loss:.4f}, accuracy {trial.accuracy:.1%} ({values})"
