"""`flask` with nothing kept beside the runs, to see what that costs: `python -m scripts.bench.uncounted import FILE`."""

from flask.cli import main

from portal.runs import counts


def nothing(*_: object) -> None:
    """Stands in for what keeps the counts."""


if __name__ == "__main__":
    counts.Changes.count = counts.apply = nothing  # type: ignore[assignment]
    main()
