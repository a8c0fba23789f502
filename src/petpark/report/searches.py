"""The page of a search for settings: one self-contained HTML file that loads nothing, and needs no script."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from petpark.report import charts, plots, scales, words
from petpark.report.trials import Search


def render(search: Search) -> str:
    """Draw the page of a search in which at least one trial came to its end.

    Returns:
        an HTML document.
    """
    return (
        _environment()
        .get_template("search.html.j2")
        .render(search=search, best=search.best, present=search.present, names=list(search.best.values))
    )


def _environment() -> Environment:
    folders = ("report/search", "report/templates")
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("petpark", folder) for folder in folders]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    formats = (words.percent, words.number, words.count, words.points, words.span, scales.said)
    environment.filters.update({form.__name__: form for form in formats})
    environment.globals.update(charts=charts, plots=plots)
    return environment
