"""Fields that say where a run comes from and what it is about, beside those that have columns.

They are checked, and stored with the fields that the portal does not know.
"""

from collections.abc import Mapping

from portal import moments
from portal.database.models import Outcome, Trigger
from portal.engine.control.schedules.expectations import MAX_SECONDS, MIN_PERIOD, Expectation
from portal.engine.control.schedules.expressions import MAX_EXPRESSION
from portal.errors import InvalidQuery
from portal.history.parsing import readers
from portal.history.parsing.readers import BadField, Reader, Values, accepts
from portal.input import addresses

MAX_ARTIFACTS = 200
MAX_SOURCE = 200
MAX_EXTERNAL_ID = 255
MAX_EXIT_CODE = 2**31


@accepts(type="string", maxLength=addresses.MAX_LINK, pattern=f"^{addresses.LINK_PATTERN}$")
def link(value: object) -> str:
    """An address that a page may link to: no script, no file."""
    said = readers.text(value)
    if not addresses.is_link(said):
        raise ValueError(
            f"must be an address that begins with http:// or https://, up to {addresses.MAX_LINK} characters."
        )
    return said


@accepts(type="string", format="date-time", pattern=f"^{moments.PATTERN}$")
def written_moment(value: object) -> str | None:
    """A moment as UTC text; None for a zero time."""
    found = readers.moment(value)
    return None if found is None else moments.format_moment(found)


@accepts(type="integer", minimum=-MAX_EXIT_CODE, maximum=MAX_EXIT_CODE)
def exit_code(value: object) -> int:
    if type(value) is not int or abs(value) > MAX_EXIT_CODE:
        raise ValueError("must be a whole number, as a process ends with it.")
    return value


def _some(fields: Mapping[str, Reader], needed: tuple[str, ...] = ()) -> Reader:
    """A reader of an object of these fields; others stay as they are."""

    @accepts(
        **readers.record_schema({name: readers.schema_of(read) for name, read in fields.items()}, needed)
    )
    def read(value: object) -> Values:
        known = readers.Fields(readers.object_(value))
        found = {name: each for name, each in known.take_all(fields).items() if each is not None}
        for name in needed:
            if name not in found:
                raise BadField(name, "is missing.")
        return known.rest | found

    return read


def _list(read: Reader, most: int) -> Reader:
    every = readers.items(read)

    @accepts(**readers.schema_of(every), maxItems=most)
    def read_list(value: object) -> object:
        found = every(value)
        if len(found) > most:
            raise ValueError(f"must have at most {most} members.")
        return found

    return read_list


source = readers.text_of(1, MAX_SOURCE)
external_id = readers.text_of(1, MAX_EXTERNAL_ID)
outcome = readers.word({str(each): str(each) for each in Outcome})
trigger = readers.word({str(each): str(each) for each in Trigger})
word_of_source = readers.text_of(0, 50)
path = readers.items(readers.text_of(1, 500))


@accepts(**readers.schema_of(readers.uuid))
def written_uuid(value: object) -> str:
    """A UUID as text."""
    return str(readers.uuid(value))


_related = _some(
    {
        "id": written_uuid,
        "source": source,
        "external_id": external_id,
        "attempt": readers.number,
        "step": readers.text_of(1, 1000),
    }
)


def _one_of(way: str, **kinds: str) -> Values:
    """The schema of an object that has one, or any, of these members."""
    return {way: [{"required": [name], "properties": {name: {"type": kind}}} for name, kind in kinds.items()]}


@accepts(**readers.schema_of(_related), **_one_of("anyOf", id="string", external_id="string"))
def related(value: object) -> object:
    """Another run, named by `external_id` (in the same source if no other is given) or by `id`."""
    found = _related(value)
    if isinstance(found, dict) and not found.keys() & {"id", "external_id"}:
        raise BadField("external_id", "is missing, and so is id.")
    return found


_EXPECTED: Values = {
    "cron": {"type": "string", "minLength": 1, "maxLength": MAX_EXPRESSION},
    "zone": {"type": "string", "minLength": 1, "maxLength": 64},
    "period": {"type": "integer", "minimum": MIN_PERIOD, "maximum": MAX_SECONDS},
    "grace": {"type": "integer", "minimum": 0, "maximum": MAX_SECONDS},
}


@accepts(**readers.record_schema(_EXPECTED), **_one_of("oneOf", cron="string", period="integer"))
def expected(value: object) -> Values:
    """When runs are expected: a cron expression in a zone, or a period of seconds; and how late is late."""
    try:
        return Expectation.parse(readers.object_(value)).to_json()
    except InvalidQuery as refusal:
        raise BadField(refusal.errors[0].field, refusal.errors[0].message) from None


RUN_FACTS: Mapping[str, Reader] = {
    "external_id": external_id,
    "trigger_name": readers.text_of(0, 200),
    "url": link,
    "log_url": link,
    "ref": _some(
        {
            "branch": readers.text_of(0, 500),
            "tag": readers.text_of(0, 500),
            "commit": readers.text_of(0, 200),
            "pull_request": readers.text_of(0, 200),
            "url": link,
        }
    ),
    "parameters": readers.object_,
    "environment": readers.text_of(0, 100),
    "source_status": word_of_source,
    "waiting_for": readers.text_of(0, 200),
    "scheduled_for": written_moment,
    "last_heard_at": written_moment,
    "expires_after": readers.count,
    "duration_ms": readers.count,
    "artifacts": _list(
        _some(
            {
                "name": readers.text_of(1, 255),
                "url": link,
                "size_bytes": readers.count,
                "expires_at": written_moment,
            },
            needed=("name",),
        ),
        MAX_ARTIFACTS,
    ),
}
STEP_FACTS: Mapping[str, Reader] = {
    "parent_node_id": readers.node,
    "path": path,
    "outcome": outcome,
    "source_status": word_of_source,
    "url": link,
    "log_url": link,
    "exit_code": exit_code,
    "worker": readers.text_of(0, 200),
    "map_index": readers.count,
    "duration_ms": readers.count,
    "allowed_to_fail": readers.boolean,
}
WORKFLOW_FACTS: Mapping[str, Reader] = {
    "source": source,
    "external_id": external_id,
    "url": link,
    "path": readers.text_of(0, 500),
}
