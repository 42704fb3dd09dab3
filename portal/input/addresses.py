"""Normalising hosts, URLs and paths as browsers do for Host and Origin (WHATWG URL Standard).

Normalised addresses compare as text. What the standard allows and no portal needs, such as a backslash for
a slash, is refused.
"""

import ipaddress
import re
import socket
from urllib.parse import quote, unquote

import idna

DEFAULT_PORTS = {"http": 80, "https": 443}
MAX_HOST = 253
MAX_LINK = 2000
LINK_PATTERN = "[Hh][Tt][Tt][Pp][Ss]?://[^\\x00-\\x20\\x7f]+"
"""An address that a page may link to: no script, no file."""

_URL = re.compile(r"(https?)://([^/?#@\\]+)(/[^?#\\]*)?", re.IGNORECASE | re.ASCII)
_AUTHORITY = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]+)(?::([0-9]{0,9}))?")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_LINK = re.compile(LINK_PATTERN)
_RESERVED = frozenset("/\\?#%")
"""Characters with a meaning in URLs that no path segment of ours contains."""
_UNQUOTED = "!$&'()*+,;=:@~"


class BadAddress(ValueError):
    """A malformed address; the message says what it must be."""


def is_link(text: str) -> bool:
    """Whether a page may link to this address."""
    return len(text) <= MAX_LINK and _LINK.fullmatch(text) is not None


def normal_url(text: str) -> str:
    """Normalise a URL such as `https://portal.example.com/team`; no trailing slash. Raises BadAddress."""
    parts = _URL.fullmatch(text)
    if parts is None or any(character.isspace() or character < " " for character in text):
        raise BadAddress("must look like https://portal.example.com")
    scheme = parts[1].lower()
    return f"{scheme}://{normal_authority(parts[2], scheme)}{normal_path(parts[3] or '')}"


def normal_authority(text: str, scheme: str) -> str:
    """Normalise a host and port; the scheme's default port is dropped. Raises BadAddress."""
    parts = _AUTHORITY.fullmatch(text)
    if parts is None:
        raise BadAddress("must be a host, optionally with a colon and a port")
    host, port = normal_host(parts[1]), int(parts[2] or DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise BadAddress("must have a port from 1 to 65535")
    return host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"


def normal_host(text: str) -> str:
    """Normalise a host name to lower-case Punycode, or an IP address to its short form. Raises BadAddress."""
    if text.startswith("["):
        return _ipv6(text[1:-1])
    try:
        name = idna.uts46_remap(unquote(text, errors="strict"), std3_rules=False, transitional=False)
        labels = [_in_ascii(label) for label in name.split(".")]
    except UnicodeError:
        raise BadAddress("must have a host name that can be written in Punycode (xn--…)") from None
    ends_in_a_dot = len(labels) > 1 and not labels[-1]
    labels = labels[:-1] if ends_in_a_dot else labels
    host = ".".join(labels)
    if len(host) > MAX_HOST or not all(map(_LABEL.fullmatch, labels)):
        raise BadAddress("must have a host of letters, digits, hyphens and underscores between single dots")
    if _NUMBER.fullmatch(labels[-1]):
        return _ipv4(host)
    return f"{host}." if ends_in_a_dot else host


def normal_path(text: str) -> str:
    """Normalise a path: percent-encoded, no trailing slash, empty for the root.

    Raises BadAddress for segments that are empty, dots or contain reserved characters.
    """
    start, *names = text.rstrip("/").split("/")
    try:
        plain = [unquote(name, errors="strict") for name in names]
    except UnicodeError:
        raise BadAddress("must have a path in UTF-8") from None
    if start or not all(map(_is_plain_name, plain)):
        raise BadAddress("must have a path of plain names between single slashes, without . and ..")
    return "".join(f"/{quote(name, safe=_UNQUOTED)}" for name in plain)


def normal_ip(text: str) -> str:
    """Normalise an IP address; a port, which some proxies append, is dropped. Raises BadAddress."""
    parts = _AUTHORITY.fullmatch(text)
    try:
        address = ipaddress.ip_address(parts[1].strip("[]") if parts else text)
    except ValueError:
        raise BadAddress("must be an IP address") from None
    return str(address).partition("%")[0]


def normal_host_pattern(text: str) -> str:
    """Normalise a trusted host; a leading dot includes its subdomains. Raises BadAddress.

    A port is ignored, and the brackets of an IPv6 address are optional.
    """
    name = text.removeprefix(".")
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    host = split_host(normal_authority(name, "https"))
    return f".{host}" if text.startswith(".") else host


def matches(host: str, pattern: str) -> bool:
    """Whether a host matches the pattern, whose leading dot includes subdomains."""
    return host == pattern.removeprefix(".") or (pattern.startswith(".") and host.endswith(pattern))


def split_host(authority: str) -> str:
    """The host without its port; IPv6 keeps its brackets."""
    return re.sub(r":[0-9]+\Z", "", authority)


def split_origin(url: str) -> tuple[str, str]:
    """Split a normalised URL into its origin and its path."""
    scheme, _, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return f"{scheme}://{authority}", slash + path


def _in_ascii(label: str) -> str:
    return label if label.isascii() else idna.alabel(label).decode()


def _ipv6(text: str) -> str:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        address = None
    if address is None or address.scope_id is not None:
        raise BadAddress("must have an IPv6 address between its brackets, without a zone")
    if address.ipv4_mapped is not None:  # Python versions differ in how they write the last 32 bits
        last = address.packed[12:].hex()
        return f"[::ffff:{int(last[:4], 16):x}:{int(last[4:], 16):x}]"
    return f"[{address.compressed}]"


def _ipv4(text: str) -> str:
    """Browsers accept the forms of inet_aton, such as 127.1 and 0x7f.1."""
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        raise BadAddress("must not have a host that ends in a number and is no IPv4 address") from None


def _is_plain_name(name: str) -> bool:
    return name.isprintable() and name not in ("", ".", "..") and not _RESERVED & set(name)
