"""Signed addresses of takes' audio, as several answers carry them."""

from collections.abc import Callable
from uuid import UUID

from portal import moments
from portal.runs.results.takes import TakeRow
from portal.storage.signed_links import Grant, sign

AudioUrl = Callable[[TakeRow], str | None]


def audio_urls(workspace_id: UUID, run_id: UUID) -> AudioUrl:
    """Gives each take of a run its address for 15 minutes; None where no file is stored."""
    now = moments.now()

    def url(take: TakeRow) -> str | None:
        if not take.has_audio:
            return None
        return sign(Grant("audio", workspace_id, run_id, take.audio_id), now).url

    return url
