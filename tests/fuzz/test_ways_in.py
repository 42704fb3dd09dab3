"""Whatever is sent to the ways in is taken or refused, line by line, and nothing breaks."""

import gzip
import json
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.factories import make_ingest_key, make_workspace
from tests.history.parsing.test_schema import a_line

FEW = settings(max_examples=max(20, settings().max_examples // 4))
"""An example is a request or two."""
TYPES = st.sampled_from(
    ["application/x-ndjson", "application/json", "application/jsonl", "text/plain", "", "é"]
)
ENCODINGS = st.sampled_from(["", "identity", "gzip", "GZIP", "br", "gzip, gzip"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
TAKEN_OR_REFUSED = {200, 400, 413, 415, 422}


def lines_of(bodies: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return st.lists(bodies, max_size=5).map(lambda lines: "\n".join(map(json.dumps, lines)).encode())


BODIES = (
    st.binary(max_size=300)
    | lines_of(JSON)
    | lines_of(a_line())
    | st.lists(a_line(), max_size=5).map(lambda lines: json.dumps({"lines": lines}).encode())
)


@st.composite
def packed(draw: st.DrawFn) -> bytes:
    """A body that is packed, whole or cut off, or with something behind it."""
    body = gzip.compress(draw(BODIES), mtime=0)
    return (
        body[: draw(st.integers(0, len(body)))] if draw(st.booleans()) else body + draw(st.binary(max_size=9))
    )


def pushed(app: Flask, key: str, body: bytes, content_type: str, encoding: str) -> Any:
    headers = {"Authorization": f"Bearer {key}", "Content-Encoding": encoding}
    return app.test_client().post("/api/v1/history", data=body, headers=headers, content_type=content_type)


def test_whatever_is_pushed_is_taken_or_refused(app: Flask) -> None:
    workspace = make_workspace()
    keys = [make_ingest_key(workspace, **fields) for fields in ({}, {"source": "ci"})]

    @FEW
    @given(BODIES | packed(), TYPES, ENCODINGS, st.sampled_from(keys))
    def check(body: bytes, content_type: str, encoding: str, key: str) -> None:
        answer = pushed(app, key, body, content_type, encoding)
        assert answer.status_code in TAKEN_OR_REFUSED, answer.text
        if answer.status_code == 200:
            again = pushed(app, key, body, content_type, encoding).get_json()
            first = answer.get_json()
            assert again["refused"] == first["refused"]
            assert again["accepted"] + again["unchanged"] == first["accepted"] + first["unchanged"]

    check()


def test_whatever_is_pinged_is_taken_or_refused(app: Flask) -> None:
    workspace = make_workspace()
    own = [make_ingest_key(workspace, "ping", **fields) for fields in ({}, {"slug": "job"})]
    words = st.text(max_size=20) | st.sampled_from(
        ["job", "start", "fail", "log", "0", "1", "255", "256", "..", ""]
    )
    ids = st.sampled_from(["", str(uuid4()), "0" * 32, "\0"]) | st.text(max_size=40)

    @FEW
    @given(
        st.sampled_from(own) | st.text(max_size=45),
        st.lists(words, max_size=3),
        ids,
        st.sampled_from(["", "1", "0", "yes"]),
        st.sampled_from(["GET", "HEAD", "POST"]),
        st.binary(max_size=300),
    )
    def check(key: str, parts: list[str], rid: str, create: str, method: str, body: bytes) -> None:
        path = "/".join(quote(part, safe="") for part in ("ping", key, *parts))
        answer = app.test_client().open(
            f"/{path}", method=method, query_string={"rid": rid, "create": create}, data=body
        )
        assert answer.status_code in {200, 201, 302, 308, 400, 404, 422, 429}, answer.text

    check()
