"""Proofs of deliveries: signatures of bodies, and tokens."""

import pytest

from portal.ingest.hooks.signatures import has_token, is_signed

SECRET = "It's a Secret to Everybody"
BODY = b"Hello, World!"
SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
"""The example that GitHub publishes."""


def test_the_published_example_is_right() -> None:
    assert is_signed(BODY, SIGNATURE, [SECRET])
    assert is_signed(BODY, SIGNATURE, ["another", SECRET])


@pytest.mark.parametrize(
    ("body", "signature", "secrets"),
    [
        (b"Hello, World", SIGNATURE, [SECRET]),
        (BODY, SIGNATURE, ["another"]),
        (BODY, SIGNATURE, []),
        (BODY, SIGNATURE.removeprefix("sha256="), [SECRET]),
        (BODY, SIGNATURE.replace("sha256", "sha1"), [SECRET]),
        (BODY, SIGNATURE.upper(), [SECRET]),
        (BODY, SIGNATURE + " ", [SECRET]),
        (BODY, "", [SECRET]),
        (BODY, "sha256=é", [SECRET]),
    ],
)
def test_any_other_signature_is_wrong(body: bytes, signature: str, secrets: list[str]) -> None:
    assert not is_signed(body, signature, secrets)


def test_a_token_is_compared_as_a_whole() -> None:
    assert has_token("abc", ["xyz", "abc"])
    assert not any(has_token(token, ["abc"]) for token in ("", "ab", "abcd", "ABC", "é"))
