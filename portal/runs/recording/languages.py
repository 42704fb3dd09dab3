"""What runs spoke in each language, summarised from their takes as these are stored."""

import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from portal.database.sql.bulk import Row
from portal.runs.counts import Counted
from portal.runs.counts.histograms import moment_of_key

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


Spoken = dict[UUID, dict[str, tuple[int, int]]]
"""Lines and characters by run and language."""
NOTHING: Spoken = {}


def language_rows(
    runs: Iterable[Counted], lines: Sequence[Row], takes: Sequence[Row], before: Spoken = NOTHING
) -> list[Row]:
    """The rows of RunLanguage for these runs, whose lines and takes these are.

    Of a run in `before` the takes are as they were. A take without a text of its own speaks that of its line.
    Credits are the run's, in proportion to the characters.
    """
    scripts = {(line["run_id"], line["position"]): line["script"] for line in lines} if takes else {}
    spoken: defaultdict[UUID, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    last: dict[tuple[UUID, str], int] = {}
    for take in takes:
        run_id, line, code = take["run_id"], take["line"], canonical(take["locale_code"])
        text = scripts[run_id, line] if take["script"] is None else take["script"]
        tally = spoken[run_id][code]
        tally[0] += last.get((run_id, code)) != line  # the takes of a line follow each other
        tally[1] += len(text or "")
        last[run_id, code] = line
    found: Spoken = {
        run_id: {code: (lines, characters) for code, (lines, characters) in tally.items()}
        for run_id, tally in spoken.items()
    }
    found = before | found
    return [row for run in runs for row in _rows(run, found.get(UUID(int=run.id), {}))]


def canonical(locale_code: str | None) -> str:
    """A locale in lower case, so that spellings of one add up; empty for none."""
    return (locale_code or "").translate(_LOWER)


def _rows(run: Counted, spoken: Mapping[str, tuple[int, int]]) -> Iterable[Row]:
    whole = sum(characters for _, characters in spoken.values())
    for code, (lines, characters) in spoken.items():
        yield {
            "run_id": UUID(int=run.id),
            "locale_code": code,
            "workflow_id": run.workflow_id,
            "created_at": moment_of_key(run.created_at),
            "lines": lines,
            "characters": characters,
            "credits": run.credits * characters / whole if whole else 0.0,
        }
