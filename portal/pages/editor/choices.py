"""What a node may be set to in a workspace: the voices and scripts that are there, and its locales."""

from uuid import UUID

from portal import speech
from portal.definitions.editing.choices import VoiceChoices, VoiceOption
from portal.definitions.editing.fields import Choices
from portal.definitions.pipeline import Pipeline
from portal.definitions.shape import Json
from portal.definitions.site import locales_reaching
from portal.speech.catalog import Voice
from portal.workflows.uploads.listing import list_scripts


def choices_in(workspace_id: UUID, definition: Json, number: int) -> Choices:
    """The choices of one node of a definition, by its number."""
    node_id = definition["graph"]["nodes"][number]["id"]
    reaching = locales_reaching(Pipeline.of(definition)).get(node_id, set())
    voices = [option for voice in speech.catalog().active() for option in _options(voice)]
    return Choices(
        voices=VoiceChoices(locales=sorted(reaching), voices=voices), uploads=list_scripts(workspace_id)
    )


def _options(voice: Voice) -> list[VoiceOption]:
    return [
        VoiceOption(
            provider=voice.provider,
            model=model,
            voice_id=voice.provider_voice_id,
            name=voice.name,
            locales=voice.languages,
            catalog_id=str(voice.id),
            sample=next((each.url for each in voice.samples if each.model == model), None),
        )
        for model in voice.models
    ]
