"""What a run would do: the snapshot of a definition and its plan, or why it cannot run.

Start, preview and estimate prepare a run alike, so they refuse the same.
"""

from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import Field
from pydantic_core import CoreSchema, core_schema
from sqlalchemy.orm import Session

from portal.database.columns import JsonObject
from portal.database.models import Run, RunDetail, Workflow
from portal.database.sql.excerpts import small_json
from portal.definitions.catalog import MAX_SCRIPT
from portal.definitions.locales import FAMILIES, LOCALES
from portal.definitions.preflight import preflight_definition
from portal.definitions.shape import read_stored
from portal.definitions.site import Site
from portal.definitions.structure import refuse
from portal.engine.flow import Plan
from portal.errors import FieldError, InvalidQuery, NotFound
from portal.input import sentences
from portal.input.bodies import Body, Rule, refused
from portal.input.text import NOT_BLANK_PATTERN, is_storable
from portal.workflows.validation import surroundings

SCRIPT = "source_script"
"""The type of the node that overrides are for; they need exactly one."""
MAX_DEFINITION = 1_000_000
"""Characters of a definition as JSON: what a request may have."""
_CASES = {"-": "[-_]"} | {letter: f"[{letter}{letter.upper()}]" for letter in ascii_lowercase}
_LANGUAGES = "^({})?$".format(
    "|".join("".join(_CASES[letter] for letter in name) for name in [*LOCALES, *FAMILIES])
)
"""Matches what `canonical_source` knows, and nothing at all."""


@dataclass(frozen=True)
class _ScriptText(Rule):
    """The text of a script, kept as it is."""

    allowed = (
        f"must be text of at most {MAX_SCRIPT:,} characters that is not blank, without broken characters."
    )

    def schema(self) -> CoreSchema:
        text = core_schema.str_schema(max_length=MAX_SCRIPT, pattern=NOT_BLANK_PATTERN, strict=True)
        return core_schema.no_info_before_validator_function(self._storable, text)

    def _storable(self, value: object) -> object:
        if isinstance(value, str) and not is_storable(value):
            raise refused(self.allowed)
        return value


@dataclass(frozen=True)
class _SourceLanguage(Rule):
    """A locale, or a language that means one; an empty text is none."""

    allowed = sentences.one_of([*LOCALES, *FAMILIES])

    def schema(self) -> CoreSchema:
        text = core_schema.str_schema(pattern=_LANGUAGES, strict=True)
        return core_schema.no_info_after_validator_function(lambda value: value or None, text)


class Overrides(Body):
    """What one run has instead of what the workflow says."""

    script_text: Annotated[
        Annotated[str, _ScriptText()] | None, Field(description="The script, instead of the workflow's.")
    ] = None
    source_language: Annotated[
        Annotated[str, _SourceLanguage()] | None,
        Field(description="The language of the script: a locale such as en-us, or a language such as en."),
    ] = None

    def named(self) -> list[str]:
        return [name for name in type(self).model_fields if getattr(self, name) is not None]


@dataclass(frozen=True)
class Prepared:
    """A run that could start."""

    definition: JsonObject
    """The snapshot: complete, with the overrides."""
    plan: Plan


def prepare(
    session: Session,
    workflow: Workflow,
    overrides: Overrides,
    site: Site,
    definition: JsonObject | None = None,
) -> Prepared:
    """Prepare a run of a workflow, with another definition if one is given.

    It reads the uploads that the definition names, in this session. Raises InvalidQuery with all that keeps
    it from running.
    """
    stored = workflow.definition if definition is None else definition
    definition = _with_overrides(read_stored(stored), overrides)
    here = surroundings(workflow.workspace_id, definition, workflow.id, session=session)
    refuse(preflight_definition(definition, replace(here, site=site)).errors)
    return Prepared(definition, Plan.of(definition))


def read_earlier(session: Session, workflow_id: UUID, run_id: UUID) -> tuple[JsonObject, int | None]:
    """The definition that a run of the workflow had, and its version. Raises NotFound.

    One that is too long to be saved here, as imported ones may be, cannot run again.
    """
    earlier = session.execute(
        sa.select(small_json(RunDetail.definition_snapshot, MAX_DEFINITION), Run.workflow_version)
        .join(Run, Run.id == RunDetail.run_id)
        .where(Run.id == run_id, Run.workflow_id == workflow_id)
    ).first()
    if earlier is None or earlier[0] is None:
        raise NotFound("There is no such run here, or what it ran is not known or too long to run here.")
    return earlier[0], earlier.workflow_version


def _with_overrides(definition: JsonObject, overrides: Overrides) -> JsonObject:
    if not overrides.named():
        return definition
    nodes = definition["graph"]["nodes"]
    scripts = [number for number, node in enumerate(nodes) if node["type"] == SCRIPT]
    if len(scripts) != 1:
        said = f"needs exactly one Script Input; this workflow has {len(scripts)}."
        raise InvalidQuery([FieldError(name, said) for name in overrides.named()])
    [number] = scripts
    changed = {**nodes[number], "config": (nodes[number].get("config") or {}) | _config(overrides)}
    graph = {**definition["graph"], "nodes": [*nodes[:number], changed, *nodes[number + 1 :]]}
    return {**definition, "graph": graph}


def _config(overrides: Overrides) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if overrides.script_text is not None:
        config |= {"input_type": "text", "text": overrides.script_text, "upload_ids": []}
    if overrides.source_language is not None:
        config["source_language"] = overrides.source_language
    return config
