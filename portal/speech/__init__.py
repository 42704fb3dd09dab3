"""What can speak here: providers, models, voices, and how words are pronounced."""

from typing import cast

from flask import Flask, current_app

from portal.config import Settings
from portal.speech.catalog import Catalog, catalog_of
from portal.speech.configured import read_file


def init_app(app: Flask, settings: Settings) -> None:
    """Read the voices of configured providers. Raises BadSetting."""
    configured = read_file(settings.provider_voices) if settings.provider_voices else ([], [])
    app.extensions["portal.voices"] = catalog_of(*configured)


def catalog() -> Catalog:
    """The voices of this portal."""
    return cast(Catalog, current_app.extensions["portal.voices"])
