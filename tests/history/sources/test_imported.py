"""Every sample goes in with no line lost, and API and page show what its source says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from portal.database.engine import db
from portal.database.models import Run, Step, Workflow, Workspace
from portal.history import identity
from portal.history.importer import import_files
from portal.history.summary import ImportSummary
from tests.factories import NOON
from tests.history.sources.expected import RECORDINGS, SAMPLES
from tests.history.sources.expected import Run as Expected
from tests.history.sources.reading import HERE, reading, read_files
from tests.history.sources.test_samples import files_of
