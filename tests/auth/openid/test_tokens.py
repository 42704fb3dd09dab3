"""Bearer JWTs: which are taken, and that no other ever is."""

import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import ECKey, OctKey, RSAKey

from portal.auth.openid.tokens import LEEWAY, BadToken, subject_of_token
from portal.config import TokenSettings
from tests.auth.provider_keys import (
    ISSUER,
    PARTY,
    claims,
    header,
    key_set,
    rsa_key,
    segment,
    sign,
    sign_raw,
)
from tests.factories import NOON

KEY, STRANGER = rsa_key("a"), rsa_key("a")
SETTINGS = TokenSettings(issuer=ISSUER, jwks_url="", authorized_parties=(PARTY,), audience=None)
AT = NOON.timestamp()


class Keys:
    """The provider's only key."""

    def key(self, kid: str) -> RSAKey | None:
        return KEY if kid == "a" else None


def subject(token: str, now: datetime = NOON, settings: TokenSettings = SETTINGS) -> str:
    return subject_of_token(token, settings, Keys(), now)


def test_a_good_token_names_its_subject() -> None:
    assert subject(sign(KEY, claims(AT))) == "user_2x"
    for kind in ("JWT", "jwt", "at+jwt", ...):
        assert subject(sign_raw(KEY, json.dumps(header(typ=kind)).encode(), body(claims(AT)))) == "user_2x"
    assert subject(sign(KEY, claims(AT, nbf=..., sts="active"))) == "user_2x"
    assert subject(sign(KEY, claims(AT, exp=AT + 0.5))) == "user_2x"


@pytest.mark.parametrize("seconds", [-29, -20, 0, 20, 29])
def test_clocks_may_differ_by_half_a_minute_either_way(seconds: int) -> None:
    short = claims(AT, exp=AT + 1)
    assert subject(sign(KEY, short), NOON + timedelta(seconds=seconds)) == "user_2x"


@pytest.mark.parametrize(("seconds", "said"), [(-120, "from now"), (121, "120 s ago"), (-31, "from now")])
def test_a_larger_difference_is_refused_and_the_log_says_by_how_much(seconds: int, said: str) -> None:
    with pytest.raises(BadToken, match=f"{said}.* clock"):
        subject(sign(KEY, claims(AT, exp=AT + 1)), NOON + timedelta(seconds=seconds))


_VALUES = (
    st.none()
    | st.booleans()
    | st.integers(int(AT) - 200, int(AT) + 200)
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([ISSUER, PARTY, f"{ISSUER}/", "user_2x", str(int(AT) + 60)])
    | st.lists(st.sampled_from([ISSUER, PARTY]), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["iss", "sub", "azp", "exp", "nbf", "iat", "aud", "sts"]), _VALUES))
def test_whatever_a_signed_token_claims_it_is_taken_only_if_every_claim_is_in_order(
    said: dict[str, Any],
) -> None:
    all_claims = claims(AT) | said
    try:
        taken = subject(sign(KEY, all_claims))
    except BadToken:
        return
    assert taken == all_claims["sub"]
    assert (all_claims["iss"], all_claims["azp"]) == (ISSUER, PARTY)
    assert taken.strip()
    assert all_claims["exp"] > AT - LEEWAY
    assert max(all_claims["nbf"], all_claims["iat"]) < AT + LEEWAY + 1
    assert type(all_claims["exp"]) in (int, float)


def test_an_audience_is_checked_where_one_is_configured() -> None:
    settings = TokenSettings(issuer=ISSUER, jwks_url="", authorized_parties=(), audience="portal")
    for audience in ("portal", ["other", "portal"]):
        assert subject(sign(KEY, claims(AT, aud=audience)), settings=settings) == "user_2x"
    for audience in (..., "other", ["other"], [], {"portal": 1}, 1, None, "portal ", ["PORTAL"]):
        with pytest.raises(BadToken):
            subject(sign(KEY, claims(AT, aud=audience)), settings=settings)


def body(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload).encode()


ODD: list[Any] = [None, True, False, "", " ", 0, 1.5, -1, [], {}, ["x"], {"x": 1}, "x", "\0", "9" * 300]


def foreign_algorithms() -> Iterator[str]:
    """Every way to sign that is not RS256 with the provider's key; what is public used as a secret, too."""
    public = KEY.as_pem(private=False)
    secrets = [public, public.strip(), KEY.as_der(private=False), KEY.as_dict(private=False)["n"].encode()]
    for secret in [*secrets, b"secret-of-thirty-two-bytes-or-more!", key_set(KEY)]:
        for algorithm in ("HS256", "HS384", "HS512"):
            signed = f"{segment(body(header(alg=algorithm)))}.{segment(body(claims(AT)))}"
            digest = hmac.digest(secret, signed.encode(), f"sha{algorithm[2:]}")
            yield f"{signed}.{segment(digest)}"
    curve = ECKey.generate_key("P-256", {"kid": "a"})
    yield sign(curve, claims(AT), header(alg="ES256"))
    for algorithm in ("RS384", "RS512", "PS256", "PS384", "PS512"):
        for key in (KEY, STRANGER):
            yield sign(key, claims(AT), header(alg=algorithm))
    good = sign(KEY, claims(AT)).split(".")
    names: list[Any] = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "rs256",
        "RS256 ",
        "HS256",
        "ES256",
        "EdDSA",
        ...,
        *ODD,
    ]
    for name in names:
        head = segment(json.dumps(header(alg=name)).encode())
        for signature in ("", good[2], "AA"):
            yield f"{head}.{good[1]}.{signature}"
        yield sign_raw(KEY, json.dumps(header(alg=name)).encode(), body(claims(AT)))


def other_keys() -> Iterator[str]:
    """Tokens that bring or name a key of their own, signed with it and with the right one."""
    curve, shared = ECKey.generate_key("P-256"), OctKey.generate_key(128)
    brought: dict[str, list[Any]] = {
        "jwk": [
            STRANGER.as_dict(private=False),
            curve.as_dict(private=False),
            shared.as_dict(private=True),
            {},
            None,
        ],
        "jku": ["https://evil.example/jwks", "http://127.0.0.1/", "", None],
        "x5u": ["https://evil.example/cert.pem", "", None],
        "x5c": [["MIIB"], [], "MIIB", None],
        "x5t": ["AAAA", None],
        "x5t#S256": ["AAAA", None],
        "crit": [["exp"], ["b64"], [], "exp", None],
        "b64": [False, True, None],
        "zip": ["DEF", None],
    }
    for name, values in brought.items():
        for value in values:
            head = json.dumps(header(**{name: value})).encode()
            for key in (KEY, STRANGER):
                yield sign_raw(key, head, body(claims(AT)))
    kids = ["A", "a ", " a", "a\0", "../a", "' or 1=1 --", "a" * 5000, *ODD, ...]
    for kid in kids:
        for key in (KEY, STRANGER):
            yield sign_raw(key, json.dumps(header(kid=kid)).encode(), body(claims(AT)))
    yield sign(STRANGER, claims(AT))


def bad_types() -> Iterator[str]:
    for kind in ("JWE", "JOSE", "JWT+x", "dpop+jwt", "logout+jwt", "application/jwt", "JWT\0", *ODD):
        yield sign_raw(KEY, json.dumps(header(typ=kind)).encode(), body(claims(AT)))


def bad_claims() -> Iterator[str]:
    changes: dict[str, list[Any]] = {
        "iss": [
            ISSUER + "/",
            ISSUER.upper(),
            ISSUER.replace("https", "http"),
            [ISSUER],
            ISSUER + "\0",
            *ODD,
            ...,
        ],
        "azp": [PARTY + "/", PARTY.upper(), PARTY + ".evil.example", [PARTY], PARTY + " ", *ODD, ...],
        "sub": ["é", "x" * 256, "a\nb", "\ud800", *[odd for odd in ODD if odd not in (" ", "x")], ...],
        "exp": [AT - 30, AT - 3600, str(int(AT) + 60), [AT + 60], "NaN", "Infinity", *ODD, ...],
        "iat": [AT + 31, AT + 3600, str(AT), "yesterday", *[o for o in ODD if o not in (0, 1.5, -1)], ...],
        "nbf": [AT + 31, AT + 3600, str(AT), "tomorrow", *[o for o in ODD if o not in (0, 1.5, -1)]],
        "sts": ["pending", "revoked", *ODD],
    }
    for name, values in changes.items():
        for value in values:
            yield sign(KEY, claims(AT, **{name: value}))
    good = body(claims(AT))
    for number in (b"NaN", b"Infinity", b"-Infinity", b"1e400", b"9" * 4000, b"1" + b"0" * 400):
        for name in (b'"exp": ', b'"iat": ', b'"nbf": '):
            start = good.index(name) + len(name)
            yield sign_raw(KEY, body(header()), good[:start] + number + good[good.index(b",", start) :])
    for name in ("iss", "sub", "azp", "exp", "x"):
        twice = json.dumps({name: claims(AT).get(name, 1)})[1:-1].encode()
        yield sign_raw(KEY, body(header()), good[:-1] + b", " + twice + b", " + twice + b"}")
        yield sign_raw(KEY, b"{" + twice + b", " + twice + b", " + body(header())[1:], good)
    for payload in (
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"1",
        b"{",
        b"\xff",
        b"[" * 5000,
        good.decode().encode("utf-16"),
    ):
        yield sign_raw(KEY, body(header()), payload)
        yield sign_raw(KEY, payload, good)


def broken_texts() -> Iterator[str]:
    """A good token, damaged: every part, at many places."""
    good = sign(KEY, claims(AT))
    head, payload, signature = good.split(".")
    for end in range(0, len(good), 4):
        yield good[:end]
    for place in range(0, len(good), 3):
        letter = "B" if good[place] != "B" else "C"
        yield good[:place] + letter + good[place + 1 :]
    for part in ("", "A", "=", "+", "/", "\0", "é", " ", ".", "%2e"):
        yield from (
            good + part,
            part + good,
            f"{head}{part}.{payload}.{signature}",
            f"{head}.{payload}{part}.{signature}",
        )
    yield from (
        "",
        ".",
        "..",
        "...",
        "....",
        head,
        f"{head}.{payload}",
        f"{head}..{signature}",
        f".{payload}.{signature}",
    )
    yield f"{head}.{payload}.{signature}.{signature}"
    yield f"{head}.{payload}.{payload}.{signature}.{signature}"
    yield json.dumps({"payload": payload, "protected": head, "signature": signature})
    yield sign(KEY, claims(AT, padding="x" * 8192))
    yield f"{segment(b' ' * 6100 + body(header()))}.{payload}.{signature}"


def corpus() -> list[str]:
    makers = (foreign_algorithms, other_keys, bad_types, bad_claims, broken_texts)
    good = sign(KEY, claims(AT))
    return [token for maker in makers for token in maker() if token != good]


@pytest.mark.slow
def test_of_more_than_eight_hundred_bad_tokens_none_is_taken() -> None:
    tokens = corpus()
    taken = []
    for token in tokens:
        try:
            taken.append((token, subject(token)))
        except BadToken:
            continue
    assert taken == []
    assert len(set(tokens)) >= 800
    assert subject(sign(KEY, claims(AT))) == "user_2x"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"iss": 5}, "Claim 'iss' must be a StringOrURI value"),
        ({"exp": True}, "Claim 'exp' must be a NumericDate value"),
        ({"exp": 10**30}, "Invalid claim: 'exp'"),
        ({"exp": ..., "iat": ...}, "Missing claim: 'exp,iat'"),
        ({"azp": [PARTY]}, "Invalid claim: 'azp'"),
        ({"sts": ["active"]}, "Invalid claim: 'sts'"),
        ({"nbf": AT + 90}, "its nbf lies 90 s from now by this machine's clock"),
    ],
)
def test_the_log_says_which_claim_is_wrong(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadToken) as refusal:
        subject(sign(KEY, claims(AT, **changes)))
    assert str(refusal.value) == reason


def test_claims_that_are_not_used_may_hold_anything() -> None:
    assert subject(sign(KEY, claims(AT, aud=None, jti=7, sub="user_2x"))) == "user_2x"
