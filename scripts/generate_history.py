"""Write a long history to measure with: one workflow, many people, about three years; the same each time.

    python scripts/generate_history.py --runs 1000000 history.jsonl

Runs are in the order of their creation, have no steps, and their moments are whole milliseconds.
"""

import argparse
import gzip
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import IO
from uuid import UUID, uuid5

NAMESPACE = UUID("5a0f54f6-7d0e-5d8b-9a51-0d5f4a3d1c77")
WORKFLOW = uuid5(NAMESPACE, "workflow")
BEGIN = datetime(2023, 1, 2, tzinfo=UTC)
DAYS = 1095
FIRST_NAMES = (
    "Ada Grace Åsa Katherine Alan Minsu Edsger Barbara Dennis Radia Ken Frances Linus Hedy Tim Sophie"
)
LAST_NAMES = (
    "Lovelace Hopper Öberg Johnson Turing Kim Dijkstra Liskov Ritchie Perlman Thompson Allen Berners Wilson"
)
ENDED = ("completed",) * 932 + ("failed",) * 38 + ("cancelled",) * 30
ERRORS = (
    "the provider did not answer within 60 s",
    "the text is longer than the model takes",
    "out of memory",
)


def people(number: int) -> list[str]:
    """Who triggers runs, as JSON: names repeat with a number behind them."""
    names = [f"{first} {last}" for last in LAST_NAMES.split() for first in FIRST_NAMES.split()]
    found = []
    for position in range(number):
        again = position // len(names)
        name = names[position % len(names)] + (f" {again + 1}" if again else "")
        found.append(
            f'{{"id": "u{position + 1}", "name": "{name}", "email": "u{position + 1}@acme.example"}}'
        )
    return found


def moment(milliseconds: int) -> str:
    at = BEGIN + timedelta(milliseconds=milliseconds)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


def lines(runs: int, users: int) -> Iterator[str]:
    chance = random.Random(2026)  # noqa: S311
    yield f'{{"type": "workflow", "id": "{WORKFLOW}", "name": "Nightly dub of everything"}}\n'
    who = people(users)
    shares = list(accumulate(1 / (position + 20) for position in range(users)))
    pace = DAYS * 86_400_000 / runs
    created = 0.0
    for number in range(1, runs + 1):
        hour = created / 3_600_000 % 24
        created += chance.expovariate(1) * pace * (0.8 if 7 <= hour < 19 else 1.33)
        active = runs - number
        status = chance.choice(ENDED) if active > 6 else ("running", "pending", "paused")[active % 3]
        yield run(chance, number, int(created), status, chance.choices(who, cum_weights=shares)[0])


def run(chance: random.Random, number: int, created: int, status: str, person: str) -> str:
    started = created + int(chance.expovariate(1) * 4_000)
    took = int(chance.lognormvariate(11.5, 0.9))
    total = chance.randint(4, 120)
    done = total if status == "completed" else chance.randint(0, total)
    fields = [
        f'"type": "run", "id": "{UUID(int=chance.getrandbits(128), version=4)}", "workflow_id": "{WORKFLOW}"',
        f'"status": "{status}", "run_number": {number}, "created_at": "{moment(created)}"',
        f'"total_nodes": {min(total, 12)}, "total_steps": {total}, "finished_steps": {done}',
        f'"usage_summary": {{"cpu_seconds": {took // 400}, "memory_mb": 512, "api_calls": {done}}}',
    ]
    if status != "pending":
        fields.append(f'"started_at": "{moment(started)}"')
    if status in ("completed", "failed", "cancelled"):
        fields.append(f'"completed_at": "{moment(started + took)}", "credits": {took // 1000}')
    if status == "completed":
        fields.append(f'"delivered_audio_ms": {took * 3}')
    if status == "failed":
        fields.append(f'"error": "{chance.choice(ERRORS)}"')
    if chance.random() < 0.97:
        fields.append(f'"triggered_by": {person}')
    return f"{{{', '.join(fields)}}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("file", type=Path, help="where to; packed if the name ends in .gz")
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=1_000)
    asked = parser.parse_args()
    packed = asked.file.suffix == ".gz"
    out: IO[str]
    with gzip.open(asked.file, "wt", 6, "utf-8") if packed else asked.file.open("w", encoding="utf-8") as out:
        out.writelines(lines(asked.runs, asked.users))


if __name__ == "__main__":
    main()
