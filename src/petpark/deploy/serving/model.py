"""Which model file is served."""

from pathlib import Path

from petpark import embedded, layout
from petpark.config.serve import ServeSettings


def find(settings: ServeSettings) -> Path:
    """The file that the settings name, else the one inside this installation, else that of the checkout."""
    if settings.model:
        return Path(settings.model)
    return embedded.carried(embedded.MODEL) or layout.MODEL
