"""Signed links to the audio of takes, for the answers that carry them."""

from collections.abc import Callable
from uuid import UUID

from portal import moments
from portal.runs.results.takes import TakeRow
from portal.storage.signed_links import Grant, sign

AudioUrl = Callable[[TakeRow], str | None]


def audio_urls(workspace_id: UUID, run_id: UUID) -> AudioUrl:
    """A function that signs a link to a take's audio for 15 minutes; it gives None if no file is stored."""
    now = moments.now()

    def url(take: TakeRow) -> str | None:
        if not take.has_audio:
            return None
        return sign(Grant("audio", workspace_id, run_id, take.audio_id), now).url

    return url
