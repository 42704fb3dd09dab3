"""The rules of PORTAL_OIDC_JOIN: which users of the provider get which role in a workspace."""

import re
from dataclasses import dataclass

from portal.database.models import Role
from portal.input.setting_values import BadSetting

_RULE = re.compile(
    r"(?:(?P<kind>domain|group)\s+(?P<value>\S.*?)|(?P<anyone>anyone))"
    r"\s*->\s*(?P<workspace>[a-z0-9-]+)\s+(?P<role>admin|editor|viewer)"
)


@dataclass(frozen=True)
class JoinRule:
    """A role in a workspace for users of a domain, of a group, or for everyone."""

    kind: str
    value: str
    workspace: str
    role: str


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """A user as the provider describes them after sign-in."""

    issuer: str
    subject: str
    email: str | None
    """Lower-case and verified; None for an unverified one."""
    first_name: str
    last_name: str
    groups: frozenset[str]


def read_rules(text: str) -> tuple[JoinRule, ...]:
    """Parse the rules, separated by `;` or line breaks. Raises BadSetting."""
    rules = []
    for part in (part.strip() for part in re.split(r"[;\n]", text)):
        match = _RULE.fullmatch(part)
        if part and match is None:
            raise BadSetting(
                f"PORTAL_OIDC_JOIN: “{part}” is not a rule. Write, separated by semicolons: "
                "domain example.com -> workspace-slug viewer; group ops -> workspace-slug admin; "
                "anyone -> workspace-slug viewer."
            )
        if match is not None:
            kind = match["kind"] or "anyone"
            value = (match["value"] or "").lower() if kind == "domain" else match["value"] or ""
            rules.append(JoinRule(kind, value.removeprefix("@"), match["workspace"], match["role"]))
    return tuple(rules)


def grants(visitor: Visitor, rules: tuple[JoinRule, ...]) -> dict[str, str]:
    """The roles that the rules grant, by workspace slug: the highest if several apply."""
    ranks = {role: rank for rank, role in enumerate(Role)}  # admin first
    given: dict[str, str] = {}
    for rule in rules:
        best = given.get(rule.workspace, rule.role)
        if _applies(rule, visitor):
            given[rule.workspace] = min(rule.role, best, key=lambda role: ranks[Role(role)])
    return given


def _applies(rule: JoinRule, visitor: Visitor) -> bool:
    if rule.kind == "domain":
        return visitor.email is not None and visitor.email.rsplit("@", 1)[-1] == rule.value
    return rule.kind == "anyone" or rule.value in visitor.groups
