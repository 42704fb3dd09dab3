"""What a node handler is given and what it gives back (docs/handlers.md).

A handler is pure: it gets items, does its work, and returns what came of it. It writes no row, so that a step
which was begun twice leaves nothing behind but files that nothing names.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from portal.definitions.catalog import NodeType
from portal.engine.environment import Environment

Json = Mapping[str, Any]

MAX_RESULT_BYTES = 64_000
"""Bytes of the result of a step as JSON; a longer one is replaced by a note."""


@dataclass(frozen=True)
class StoredFile:
    """A file in the artifact store."""

    sha256: str
    """In lower-case hex."""
    size_bytes: int
    content_type: str


@dataclass(frozen=True, kw_only=True)
class Take:
    """Audio that speaks an item."""

    audio: StoredFile
    duration_ms: int
    voice: str
    """What people call the voice."""
    provider: str
    model: str
    position: int | None = None
    """Its number among the takes of its line, from 0; given when the step that made it ends."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """A line on its way through the graph. Equal items that arrive by two ways are one."""

    source: str
    """The id of the source node that read it."""
    line: int
    """Its number in that source, from 0."""
    locale: str
    """One of `definitions.locales`."""
    text: str
    """What people read."""
    markup: str | None = None
    """What a voice speaks instead of the text: SSML of `engine.media.markup`, without its `speak` element."""
    normalized: bool | None = None
    """Whether a normalizer could write the text as it is spoken; None if none has seen it."""
    take: Take | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a validator says of one item."""

    passed: bool | None
    """None where it cannot judge; `score` is None then too, and `reason` says why."""
    score: float | None = None
    reason: str | None = None
    wer: float | None = None
    cer: float | None = None
    transcript: str | None = None
    scored_on: str | None = None
    """What was measured, such as a model."""
    segments: Sequence[Json] | None = None
    error_counts: Json | None = None


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a step used. The engine adds the processor time of its thread."""

    provider_calls: int = 0
    characters: int = 0
    """Characters that were spoken, translated or rewritten."""
    audio_ms: int = 0
    """Audio that was made or judged."""
    processor_seconds: float = 0.0
    """Of child processes."""


@dataclass(frozen=True, kw_only=True)
class OutputFile:
    """A file that belongs to the run, beside the audio of its takes."""

    name: str
    file: StoredFile


@dataclass(frozen=True, kw_only=True)
class StepInput:
    """One step: a node that works on the items that have arrived."""

    node_id: str
    node_type: NodeType
    config: Json
    """As the definition has it; `setting` knows the defaults."""
    iteration: int
    """From 1; greater where items came back through a `fail` port."""
    items: Sequence[Item]
    """Ordered by source, line, locale and sending node. A source has none."""

    def setting(self, key: str) -> Any:
        """A setting of the node, or its default."""
        return self.node_type.value(self.config, key)


@dataclass(frozen=True, kw_only=True)
class StepOutput:
    """What came of a step. Sources and operators give items, validators verdicts, sinks what they deliver."""

    items: Sequence[Item] = ()
    """What leaves through the port `lines`."""
    verdicts: Sequence[Verdict] = ()
    """One for each item of the input, in its order: the engine sends it on through `pass` or `fail`."""
    delivered: Sequence[Item] = ()
    """The items of the input whose takes this sink delivers."""
    files: Sequence[OutputFile] = ()
    result: Json = field(default_factory=dict)
    """What people may read about the step, as JSON of at most MAX_RESULT_BYTES."""
    usage: Usage = Usage()


@dataclass(frozen=True, kw_only=True)
class Script:
    """An uploaded script."""

    upload_id: str
    filename: str
    format: str
    """`txt` or `pdf`."""
    content: bytes


@dataclass(frozen=True, kw_only=True)
class Pronunciation:
    """What the workspace's dictionary says of a word."""

    word: str
    ipa: str | None
    alias: str | None
    """The word as it is spelled to sound right."""


class Context(Protocol):
    """What a handler may use while it works."""

    @property
    def deadline(self) -> datetime:
        """When the step has taken too long: the run is paused then."""

    @property
    def folder(self) -> Path:
        """An empty folder of this step, removed after it."""

    @property
    def environment(self) -> Environment:
        """What this worker can use."""

    def cancelled(self) -> bool:
        """Whether the run was cancelled, or the step was given to another worker."""

    def check(self) -> None:
        """Raise Cancelled if `cancelled`, and TimedOut after the deadline; call it between items."""

    def progress(self, done: int, total: int) -> None:
        """Say how far the step is; shown to people, at most once a second."""

    def log(self, message: str) -> None:
        """Add a line to the log of the step; secrets are masked, and long lines are cut."""

    def key(self, part: str) -> str:
        """An idempotency key for a request to a provider: the same in each attempt at this step."""

    def store(self, content: BinaryIO, content_type: str) -> StoredFile:
        """Store a file. The same content is stored once."""

    def open(self, file: StoredFile) -> BinaryIO:
        """Read a stored file. The caller closes it."""

    def scripts(self, upload_ids: Sequence[str]) -> list[Script]:
        """The uploaded scripts with these ids; without ids, the workflow's newest. Raises Refused."""

    def pronunciations(self, locale: str) -> Mapping[str, Pronunciation]:
        """The workspace's dictionary in a locale, by word in lower case."""


@dataclass(frozen=True, kw_only=True)
class Ability:
    """What a worker can do with nodes of one type."""

    unavailable: str | None = None
    """Why it cannot work at all, and what to install or set, as a sentence; None if it can."""
    locales: frozenset[str] | None = None
    """The locales for which it chooses a voice by itself; None if locales do not matter."""
    voices: frozenset[tuple[str, str, str]] | None = None
    """Provider, model and voice id of the voices that may be assigned; None if none are."""


class Handler(Protocol):
    """Does the work of one node type."""

    @property
    def node_type(self) -> NodeType:
        """The type: its slug, ports and settings."""

    def ability(self, environment: Environment) -> Ability:
        """What it can do on this machine with these settings; quick, and without a request to a provider."""

    def run(self, step: StepInput, context: Context) -> StepOutput:
        """Do the work. Raises StepError, Cancelled; anything else is a bug and fails the run."""


class Cancelled(Exception):
    """The step is no longer wanted."""


class StepError(Exception):
    """Why a step did not succeed, in words for people."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        """Seconds after which another attempt makes sense, if the provider said so."""


class Refused(StepError):
    """It cannot succeed: the run fails with this message."""


class Outage(StepError):
    """A provider does not work at the moment: tried again, then the run is paused."""


class RateLimited(StepError):
    """A provider wants fewer requests: tried again, then the run is paused."""


class Billing(StepError):
    """A provider wants to be paid: the run is paused until a person resumes it."""


class TimedOut(StepError):
    """The step took longer than it may: the run is paused until a person resumes it."""
