"""How addresses are spelled: as browsers do, which Node's URL agreed to for each line here."""

from pathlib import Path

import pytest

from portal.config import read_settings
from portal.input.addresses import BadAddress, normal_ip, normal_url
from portal.input.setting_values import BadSetting
from tests.conftest import SECRET_KEY

GOOD = {"PORTAL_SECRET_KEY": SECRET_KEY}
SPELLINGS = {
    "https://portal.example": "https://portal.example",
    "HTTPS://Portal.Example:443/": "https://portal.example",
    "http://portal.example:80": "http://portal.example",
    "http://portal.example:443": "http://portal.example:443",
    "https://portal.example:": "https://portal.example",
    "https://portal.example:08443": "https://portal.example:8443",
    "https://portal.example.": "https://portal.example.",
    "https://my_portal:8000": "https://my_portal:8000",
    "https://bücher.example": "https://xn--bcher-kva.example",
    "https://BÜCHER.example": "https://xn--bcher-kva.example",
    "https://bu\u0308cher.example": "https://xn--bcher-kva.example",
    "https://b%C3%BCcher.example": "https://xn--bcher-kva.example",
    "https://XN--BCHER-KVA.example": "https://xn--bcher-kva.example",
    "https://faß.example": "https://xn--fa-hia.example",
    "https://日本。例え": "https://xn--wgv71a.xn--r8jz45g",
    "https://Ｐortal.example": "https://portal.example",
    "http://127.0.0.1:8000": "http://127.0.0.1:8000",
    "http://127.1:8000": "http://127.0.0.1:8000",
    "http://0x7f.0.0.1": "http://127.0.0.1",
    "http://127.0.0.1.": "http://127.0.0.1",
    "http://[::1]:8000": "http://[::1]:8000",
    "http://[0:0:0:0:0:0:0:1]:80": "http://[::1]",
    "http://[2001:DB8::0:1]": "http://[2001:db8::1]",
    "http://[1:0:2:3:4:5:6:7]": "http://[1:0:2:3:4:5:6:7]",
    "http://[::FFFF:1.2.3.4]": "http://[::ffff:102:304]",
    "https://portal.example/team": "https://portal.example/team",
    "https://portal.example/team//": "https://portal.example/team",
    "https://portal.example/Téam/日本/": "https://portal.example/T%C3%A9am/%E6%97%A5%E6%9C%AC",
    "https://portal.example/t%c3%a9am": "https://portal.example/t%C3%A9am",
    "https://portal.example/%7Eada/our%20runs": "https://portal.example/~ada/our%20runs",
}
NO_ADDRESSES = [
    "portal.example",
    "//portal.example",
    "https:/portal.example",
    "https:///portal.example",
    "ftp://portal.example",
    "https://",
    "https://user@portal.example",
    "https://@portal.example",
    "https://portal.example?",
    "https://portal.example/#",
    "https://portal.example\\team",
    "https://portal example",
    "https://portal.\nexample",
    "https://portal%20example",
    "https://portal%2Fexample",
    "https://%ff.example",
    "https://portal..example",
    "https://.example",
    "https://*.example",
    "https://☕.example",
    "https://" + "a" * 64,
    "https://" + ".".join(["a" * 60] * 5),
    "https://portal.example:0",
    "https://portal.example:65536",
    "https://portal.example:eighty",
    "https://portal.example:" + "9" * 5000,
    "http://1.2.3.4.5",
    "http://1.2.3.256",
    "http://portal.09",
    "http://portal.0x",
    "http://[::1",
    "http://[::1]]",
    "http://[::1%25eth0]",
    "http://[1.2.3.4]",
    "http://[v1.x]",
    "http://::1",
    "https://portal.example/../team",
    "https://portal.example/team/.",
    "https://portal.example/%2e%2E/team",
    "https://portal.example//team",
    "https://portal.example/team%2Fours",
    "https://portal.example/team%5Cours",
    "https://portal.example/50%25",
    "https://portal.example/team%3F",
    "https://portal.example/%0a",
    "https://portal.example/%ff",
]


@pytest.mark.parametrize("setting", ["PORTAL_BASE_URL", "PORTAL_S3_ENDPOINT"])
def test_an_address_in_the_settings_is_kept_as_browsers_write_it(tmp_path: Path, setting: str) -> None:
    for typed, normal in SPELLINGS.items():
        settings = read_settings(GOOD | {"PORTAL_ARTIFACTS": "s3://audio", setting: typed}, tmp_path)
        endpoint = getattr(settings.artifacts, "endpoint", None)
        assert (settings.base_url or endpoint) == normal, typed


@pytest.mark.parametrize("setting", ["PORTAL_BASE_URL", "PORTAL_S3_ENDPOINT"])
@pytest.mark.parametrize("typed", NO_ADDRESSES)
def test_what_no_browser_can_ask_for_is_refused_in_words(tmp_path: Path, setting: str, typed: str) -> None:
    with pytest.raises(BadSetting, match=f"^{setting} must [^.]") as refusal:
        read_settings(GOOD | {"PORTAL_ARTIFACTS": "s3://audio", setting: typed}, tmp_path)
    assert len(str(refusal.value)) < 120


def test_a_normal_address_is_left_as_it_is() -> None:
    for normal in SPELLINGS.values():
        assert normal_url(normal) == normal


def test_trusted_hosts_are_kept_as_browsers_write_them(tmp_path: Path) -> None:
    typed = "Portal.Example.com, bücher.example:8000, ::1, [0:0:0:0:0:0:0:2], .Team.Example, 10.1"
    kept = read_settings(GOOD | {"PORTAL_TRUSTED_HOSTS": typed}, tmp_path).trusted_hosts
    assert kept == (
        *("portal.example.com", "xn--bcher-kva.example", "[::1]", "[::2]", ".team.example", "10.0.0.1"),
    )
    for wrong in ("https://portal.example", "*.portal.example", "portal..example", ".", "a b", "1.2.3.4.5"):
        with pytest.raises(BadSetting, match="PORTAL_TRUSTED_HOSTS"):
            read_settings(GOOD | {"PORTAL_TRUSTED_HOSTS": f"portal.example, {wrong}"}, tmp_path)


def test_an_ip_address_is_read_with_the_port_that_some_proxies_add() -> None:
    for text in ("192.0.2.7", "192.0.2.7:4711"):
        assert normal_ip(text) == "192.0.2.7"
    for text in ("2001:db8::1", "[2001:DB8::1]", "[2001:db8:0::1]:4711"):
        assert normal_ip(text) == "2001:db8::1"
    for text in ("unknown", "portal.example", "192.0.2.7, 192.0.2.8", '"192.0.2.7"', "192.0.2.777", ""):
        with pytest.raises(BadAddress):
            normal_ip(text)
