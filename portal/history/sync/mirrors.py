"""The mirrors that there are: adding, listing and removing them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.orm import Session

from portal import moments
from portal.auth.audit import trail
from portal.database.columns import JsonObject
from portal.database.engine import db
from portal.database.models import Mirror, MirroredRun, MirroredWorkflow, Workspace
from portal.database.transactions import writing
from portal.errors import Conflict, FieldError, InvalidQuery, NotFound
from portal.history.sync import schedule
from portal.input.addresses import BadAddress, normal_url
from portal.input.setting_values import is_loopback

if TYPE_CHECKING:
    from portal.history.sync.source import Source

MAX_NAME, MAX_URL, MAX_KEY, MAX_DETAILS = 80, 500, 1000, 1_000_000
DEFAULT_DETAILS = 500
"""Runs an hour whose details are fetched; each takes two requests."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_SCOPE = "workflows:read"

OpenSource = Callable[[str, str, UUID | None], "Source"]
"""Opens the workspace at a base URL, with a key."""


def open_source(base_url: str, key: str, workspace_id: UUID | None = None) -> "Source":
    from portal.history.sync.source import Source  # loads the SDK, which few processes need

    return Source(base_url, key, workspace_id)


@dataclass(frozen=True)
class MirrorSpec:
    """What an operator says of a new mirror."""

    base_url: str
    key: str
    key_file: Path
    details: int
    name: str

    @classmethod
    def parse(cls, url: str, key_file: Path, details: int, name: str | None) -> "MirrorSpec":
        """Raises InvalidQuery with all that is wrong."""
        errors = []
        base_url = key = ""
        try:
            base_url = check_address(url)
        except ValueError as error:
            errors.append(FieldError("url", str(error)))
        try:
            key = read_key(str(key_file.absolute()))
        except ValueError as error:
            errors.append(FieldError("key-file", str(error)))
        if not 0 <= details <= MAX_DETAILS:
            errors.append(FieldError("details", f"must be from 0 to {MAX_DETAILS:,}."))
        chosen = name if name is not None else urlsplit(base_url).netloc[:MAX_NAME]
        if base_url and not (len(chosen) <= MAX_NAME and _NAME.fullmatch(chosen)):
            said = f"must be up to {MAX_NAME} letters, digits, dots, colons, hyphens and underscores."
            errors.append(FieldError("name", said))
        if errors:
            raise InvalidQuery(errors)
        return cls(base_url, key, key_file.absolute(), details, chosen)


@dataclass(frozen=True)
class AddedMirror:
    row: Mirror
    other_scopes: tuple[str, ...]
    """What the key may do beyond reading workflows."""


@dataclass(frozen=True)
class MirrorView:
    """A mirror as lists show it."""

    name: str
    workspace_slug: str
    base_url: str
    source: str
    details_per_hour: int
    workflows: int
    runs: int
    """Copied runs that are still there."""
    gone: int
    """Copied runs that were deleted there."""
    refused: int
    """Runs there that are not copied."""
    without_details: int
    """Copied runs whose steps and results have not been fetched."""
    passed_at: datetime | None
    next_pass_at: datetime
    under_way: bool
    last_error: str | None
    last_summary: JsonObject | None

    def to_json(self) -> dict[str, object]:
        moments_of = {
            "passed_at": self.passed_at and moments.format_moment(self.passed_at),
            "next_pass_at": moments.format_moment(self.next_pass_at),
        }
        return {name: value for name, value in vars(self).items() if name != "workspace_slug"} | {
            "workspace": self.workspace_slug,
            **moments_of,
        }


def check_address(text: str) -> str:
    """The normalised base URL of a portal: https, or plain http on this machine. Raises ValueError."""
    try:
        url = normal_url(text).removesuffix("/api/v1")
    except BadAddress as refusal:
        raise ValueError(f"{refusal}.") from None
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https://; plain http is for this machine only.")
    if len(url) > MAX_URL:
        raise ValueError(f"must have at most {MAX_URL} characters.")
    return url


def read_key(file: str) -> str:
    """The key in a file. Raises ValueError."""
    try:
        with Path(file).open(encoding="utf-8") as stream:
            key = stream.read(MAX_KEY + 1).strip()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}.") from None
    except ValueError:
        raise ValueError("must be a text file with an API key.") from None
    if not 0 < len(key) <= MAX_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("must hold one API key and nothing else.")
    return key


def add_mirror(
    workspace: Workspace, spec: MirrorSpec, now: datetime, *, opening: OpenSource = open_source
) -> AddedMirror:
    """Add a mirror, after asking the source whose key it is. Raises SourceFailed, Conflict."""
    with opening(spec.base_url, spec.key, None) as there:
        account = there.account()
    source = f"onepin:{urlsplit(spec.base_url).netloc}/{account.workspace_id}"
    if account.workspace_id == workspace.id:
        raise Conflict("A workspace cannot be a mirror of itself.")
    with writing() as session:
        same_name = session.scalar(sa.select(Mirror.id).where(Mirror.name == spec.name))
        if same_name is not None:
            raise Conflict(f"There is a mirror {spec.name}. Choose another name with --name.")
        same = (Mirror.workspace_id == workspace.id, Mirror.source == source)
        if (known := session.scalar(sa.select(Mirror.name).where(*same))) is not None:
            raise Conflict(f"The mirror {known} copies this workspace already.")
        mirror = Mirror(
            id=uuid4(),
            name=spec.name,
            workspace_id=workspace.id,
            base_url=spec.base_url,
            source_workspace_id=account.workspace_id,
            source=source,
            key_file=str(spec.key_file),
            details_per_hour=spec.details,
            details_fetched=0,
            created_at=now,
            next_pass_at=now,
            failures=0,
        )
        session.add(mirror)
        _record(session, "mirror.added", mirror, now)
    return AddedMirror(mirror, tuple(scope for scope in account.scopes if scope != _SCOPE))


def find_mirrors(name: str | None) -> list[Mirror]:
    """The mirror of this name, or all of them. Raises NotFound."""
    mirrors = sa.select(Mirror).order_by(Mirror.name)
    found = list(db.session.scalars(mirrors if name is None else mirrors.where(Mirror.name == name)))
    db.session.rollback()
    if not found:
        said = "There is no mirror yet." if name is None else f"There is no mirror {name}."
        raise NotFound(f"{said} Add one with: flask sync add")
    return found


def remove_mirror(name: str, now: datetime) -> Mirror:
    """Remove a mirror; what it has copied stays. Raises NotFound, and Conflict while a pass is made."""
    [found] = find_mirrors(name)
    with writing() as session:
        mirror = session.get(Mirror, found.id, with_for_update=True)
        if mirror is None:
            raise NotFound(f"There is no mirror {name}.")
        if schedule.is_held(session, mirror):
            raise Conflict(f"A pass of {name} is under way. Try again when it has ended.")
        _record(session, "mirror.removed", mirror, now)
        session.execute(sa.delete(MirroredRun).where(MirroredRun.mirror_id == mirror.id))
        session.execute(sa.delete(MirroredWorkflow).where(MirroredWorkflow.mirror_id == mirror.id))
        session.delete(mirror)
    return found


def _record(session: Session, kind: str, mirror: Mirror, now: datetime) -> None:
    trail.record(
        session,
        kind,
        trail.OPERATOR,
        now,
        workspace_id=mirror.workspace_id,
        subject=mirror.name,
        source=mirror.source,
    )


def mirrors_of(workspace_id: UUID | None = None) -> list[MirrorView]:
    """The mirrors into one workspace, or into all, by name."""
    session = db.session()
    rows = sa.select(Mirror, Workspace.slug).join(Workspace, Workspace.id == Mirror.workspace_id)
    if workspace_id is not None:
        rows = rows.where(Mirror.workspace_id == workspace_id)
    found = session.execute(rows.order_by(Mirror.name)).all()
    counts = {mirror.id: _counts(mirror.id) for mirror, _ in found}
    return [
        MirrorView(
            name=mirror.name,
            workspace_slug=slug,
            base_url=mirror.base_url,
            source=mirror.source,
            details_per_hour=mirror.details_per_hour,
            **counts[mirror.id],
            passed_at=mirror.passed_at,
            next_pass_at=mirror.next_pass_at,
            under_way=schedule.is_held(session, mirror),
            last_error=mirror.last_error,
            last_summary=mirror.last_summary,
        )
        for mirror, slug in found
    ]


def _counts(mirror_id: UUID) -> Mapping[str, int]:
    """How much a mirror has copied, and what is missing: each counted in an index of its own."""
    run, workflow = MirroredRun, MirroredWorkflow
    mine = run.mirror_id == mirror_id
    known = sa.select(sa.func.count(), sa.func.count(run.gone_at)).where(mine)
    refused = sa.select(sa.func.count(), sa.func.count(run.gone_at)).where(mine, run.refused.is_not(None))
    unfetched = sa.select(sa.func.count()).where(mine, run.detail_rank.is_not(None))
    there = sa.select(sa.func.count()).where(workflow.mirror_id == mirror_id, workflow.gone_at.is_(None))
    all_known, all_gone = db.session.execute(known).one()
    all_refused, refused_gone = db.session.execute(refused).one()
    return {
        "workflows": db.session.execute(there).scalar_one(),
        "runs": all_known - all_gone - (all_refused - refused_gone),
        "gone": all_gone - refused_gone,
        "refused": all_refused - refused_gone,
        "without_details": db.session.execute(unfetched).scalar_one(),
    }
