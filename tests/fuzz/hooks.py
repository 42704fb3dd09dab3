"""What schemathesis cannot know: rules that JSON Schema cannot say, and ids of objects that are there."""

import json
import os
import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import available_timezones

import schemathesis

from portal.definitions.shape import complete, offences

MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
UPLOAD_ID = re.compile("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
STARTS_OR_STEERS = re.compile("/(runs|preview|estimate|cancel|pause|resume)$")
KNOWN_IDS: dict[str, str] = json.loads(os.environ.get("PORTAL_TEST_FUZZ_IDS", "{}"))
NOTHING = "00000000-0000-4000-8000-000000000000"
ZONES = available_timezones()
WINDOWS = (("from", "to"), ("last_run_after", "last_run_before"))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    if isinstance(case.path_parameters, dict):
        if case.method == "GET" and case.path.endswith("/estimate"):  # other templates may run nowhere
            case.path_parameters["template_id"] = "00000000"
        elif case.method == "GET":
            _often_what_is_there(case.path_parameters)
        elif case.method == "POST" and STARTS_OR_STEERS.search(case.path):
            _what_is_there_or_nothing(case.path_parameters)
        else:
            _leave_the_workflow_as_it_is(case.path_parameters)
    if isinstance(case.body, dict):
        _end_in_the_future(case.body)
        _spell_what_would_be_recorded(case.body, case.method)
        _take_references_out_of_definitions(case.body)
        _end_a_filename_as_its_category_takes_it(case.body)
    if isinstance(case.query, dict):
        for earliest, latest in WINDOWS:
            _in_order(case.query, earliest, latest)
        _one_kind_of_window(case.query)
        _steps_of_lines_only(case.query)
        _one_order_for_each_sort(case.query)
        _in_a_time_zone(case.query)


def _often_what_is_there(arguments: dict[str, Any]) -> None:
    """Put a known id where any other one stands, every second time."""
    for name in KNOWN_IDS.keys() & arguments.keys():
        try:
            known = UUID(str(arguments[name])).int % 2
        except ValueError:
            continue
        if known:
            arguments[name] = KNOWN_IDS[name]


def _what_is_there_or_nothing(arguments: dict[str, Any]) -> None:
    """Put a known id or one of nothing: whether a workflow of other cases could run, no schema can say."""
    for name in KNOWN_IDS.keys() & arguments.keys():
        try:
            number = UUID(str(arguments[name])).int
        except ValueError:
            continue
        arguments[name] = KNOWN_IDS[name] if number % 2 else NOTHING


def _leave_the_workflow_as_it_is(arguments: dict[str, Any]) -> None:
    """It must go on to be one that can run."""
    if str(arguments.get("workflow_id")).lower() == KNOWN_IDS.get("workflow_id"):
        arguments["workflow_id"] = NOTHING


def _end_in_the_future(body: dict[str, Any]) -> None:
    ends = _moment(body.get("expires_at"))
    if ends is not None and ends < datetime(2999, 1, 1, tzinfo=UTC):
        body["expires_at"] = "2999" + body["expires_at"][4:]


def _spell_what_would_be_recorded(body: dict[str, Any], method: str) -> None:
    """A recording must be there, and a pronunciation of what is spelled: no schema can say so."""
    if UPLOAD_ID.fullmatch(str(body.get("upload_id"))):
        del body["upload_id"]
        if body.get("method") == "recorded":
            body |= {"method": "spelled", "pronunciation": body.get("pronunciation") or "x"}
    elif method == "PUT" and body.get("method") == "recorded":
        body["method"] = "spelled"
    if method == "PUT" and body.get("pronunciation", "") is None:
        body["pronunciation"] = "x"


def _take_references_out_of_definitions(body: dict[str, Any]) -> None:
    """What names other nodes, and nodes whose ids could be the same."""
    definition = body.get("definition")
    if definition is None:
        return
    found = offences(definition)
    if found and all("NUL" in message for _, message in found):  # somewhere below: no schema can say so
        definition = {}
    elif found:
        return
    body["definition"] = complete(definition)
    graph, execution = body["definition"]["graph"], body["definition"]["execution"]
    graph["nodes"], graph["edges"], execution["steps"] = graph["nodes"][:1], [], []


def _end_a_filename_as_its_category_takes_it(body: dict[str, Any]) -> None:
    ending = {"script": "txt", "dictionary": "mp3"}.get(str(body.get("category")))
    if ending and isinstance(body.get("filename"), str) and body["filename"]:
        body["filename"] = f"a.{ending}"


def _in_order(query: dict[str, Any], earliest: str, latest: str) -> None:
    begin, end = _moment(query.get(earliest)), _moment(query.get(latest))
    if begin is not None and end is not None and begin > end:
        query[earliest], query[latest] = query[latest], query[earliest]


def _one_kind_of_window(query: dict[str, Any]) -> None:
    if "within" in query and ("from" in query or "to" in query):
        del query["within"]


def _steps_of_lines_only(query: dict[str, Any]) -> None:
    if query.get("format") != "jsonl":
        query.pop("steps", None)


def _one_order_for_each_sort(query: dict[str, Any]) -> None:
    sorts, orders = query.get("sort", []), query.get("order", [])
    if isinstance(sorts, list) and isinstance(orders, list):
        del orders[len(sorts) :]


def _in_a_time_zone(query: dict[str, Any]) -> None:
    zone = query.get("timezone")
    if isinstance(zone, str) and len(zone) <= 64 and zone not in ZONES:
        query["timezone"] = "Asia/Kolkata"


def _moment(text: Any) -> datetime | None:
    if not isinstance(text, str) or not MOMENT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None
