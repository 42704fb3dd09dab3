"""Speech recognition: by a Whisper model on this machine (`PORTAL_ASR_MODEL`), else by the provider."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from portal.engine.contract import Context, Item, Refused, Take, Usage
from portal.engine.environment import Environment, ProviderSettings
from portal.engine.media.children import ChildFailed, Children, Limits
from portal.engine.media.listening import whisper
from portal.engine.media.providers.openai import Provider

NOT_SET_UP = (
    "No speech recognition is set up: set PORTAL_ASR_MODEL to the folder of a model, "
    "or PORTAL_PROVIDER_URL and PORTAL_PROVIDER_STT_MODEL."
)
MAX_TRANSCRIPT = 20_000
"""Characters of a transcript; the rest is cut off."""
MODEL_FILE = "model.bin"
_SUFFIXES = {"audio/ogg": ".ogg", "audio/flac": ".flac"}


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What was heard in one take; `reason` says why it cannot be said, and `text` is None then."""

    text: str | None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """What was heard in several takes, in their order."""

    heard: Sequence[Heard]
    model: str | None
    """What listened; None if nothing could."""
    usage: Usage = field(default_factory=Usage)


def why_not(environment: Environment) -> str | None:
    """Why nothing can be recognised here, and what to install or set; None if it can."""
    folder, provider = environment.recogniser, environment.provider
    if folder is None:
        return None if provider is not None and provider.transcription_model else NOT_SET_UP
    if find_spec("faster_whisper") is None:
        return "PORTAL_ASR_MODEL needs the package faster-whisper, which is not installed."
    if not (folder / MODEL_FILE).is_file():
        return f"PORTAL_ASR_MODEL must name a folder with the file {MODEL_FILE} of a Whisper model."
    return None


def listen(items: Sequence[Item], context: Context) -> Hearing:
    """What is said in the takes of these items. Raises StepError, Cancelled."""
    environment: Environment = context.environment
    reason = why_not(environment)
    if reason is not None:
        return _nothing(items, reason)
    if environment.recogniser is not None:
        return _here(items, environment.recogniser, context)
    assert environment.provider is not None  # noqa: S101  (why_not)
    return _there(items, environment.provider, context)


def _nothing(items: Sequence[Item], reason: str) -> Hearing:
    return Hearing(heard=[Heard(text=None, reason=reason)] * len(items), model=None)


def _here(items: Sequence[Item], model: Path, context: Context) -> Hearing:
    children = Children(context)
    limits = Limits(
        seconds=context.environment.node_seconds,
        memory_bytes=4 * 2**30 + 3 * (model / MODEL_FILE).stat().st_size,
    )
    found: list[Heard] = []
    with children.folder() as folder:
        files = [
            (str(_copied(take_of(item), folder / str(number), context)), language_of(item))
            for number, item in enumerate(items)
        ]
        try:
            for text, reason in children.stream(
                whisper.transcripts, str(model), files, folder=folder, limits=limits
            ):
                found.append(_heard(text, reason))
                context.progress(len(found), len(items))
        except ChildFailed as error:
            context.log(f"speech recognition {error}: {error.complaint}")
            reason = f"The speech recognition {error} on this line or one before it."
            found += [Heard(text=None, reason=reason)] * (len(items) - len(found))
    usage = Usage(audio_ms=_duration(items), processor_seconds=children.processor_seconds)
    return Hearing(heard=found, model=f"faster-whisper {model.name}"[:100], usage=usage)


def _there(items: Sequence[Item], settings: ProviderSettings, context: Context) -> Hearing:
    provider, model = Provider(settings, context), settings.transcription_model or ""
    found = []
    for number, item in enumerate(items):
        context.check()
        found.append(_heard(*_answered(item, provider, model, f"transcription:{number}", context)))
        context.progress(len(found), len(items))
    usage = Usage(provider_calls=len(items), audio_ms=_duration(items))
    return Hearing(heard=found, model=model[:100], usage=usage)


def _answered(
    item: Item, provider: Provider, model: str, key: str, context: Context
) -> tuple[str | None, str | None]:
    """The transcript of one take, or why the provider refused to write it."""
    take = take_of(item)
    with context.open(take.audio) as content:
        audio = content.read()
    try:
        return provider.transcribe(
            audio, take.audio.content_type, language=language_of(item), model=model, key=key
        ), None
    except Refused as error:
        return None, error.message


def take_of(item: Item) -> Take:
    """The take of an item that came through a port with audio."""
    assert item.take is not None  # noqa: S101  (the rules of ports)
    return item.take


def language_of(item: Item) -> str:
    """The language of an item without its region, such as `en`."""
    return item.locale.partition("-")[0]


def _heard(text: str | None, reason: str | None) -> Heard:
    return Heard(text=None if text is None else text[:MAX_TRANSCRIPT], reason=reason)


def _duration(items: Sequence[Item]) -> int:
    return sum(take_of(item).duration_ms for item in items)


def _copied(take: Take, path: Path, context: Context) -> Path:
    """The audio of a take in a file of the step's folder."""
    context.check()
    path = path.with_suffix(_SUFFIXES.get(take.audio.content_type, ".wav"))
    with context.open(take.audio) as content, path.open("wb") as file:
        shutil.copyfileobj(content, file)
    return path
