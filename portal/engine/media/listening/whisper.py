"""Speech recognition in a child process: loads the model once, then listens to one file after the other."""

from collections.abc import Iterator, Sequence


def transcripts(folder: str, files: Sequence[tuple[str, str]]) -> Iterator[list[str | None]]:
    """What is heard in each file of a language such as `en`, and None; or None, and why nothing is."""
    from faster_whisper import WhisperModel

    model = WhisperModel(
        folder,
        device="cpu",
        compute_type="int8",
        cpu_threads=1,  # the other processors are for other steps
        local_files_only=True,
    )
    for path, language in files:
        if language != "en" and not model.model.is_multilingual:
            yield [None, "The speech recognition model understands English only."]
            continue
        try:
            segments, _ = model.transcribe(
                *(path, language),
                temperature=0.0,
                condition_on_previous_text=False,
                without_timestamps=True,
            )
            yield ["".join(segment.text for segment in segments).strip(), None]
        except (ArithmeticError, EOFError, LookupError, OSError, RuntimeError, ValueError):
            yield [None, "The speech recognition model cannot listen to this audio."]
