"""`flask` with nothing kept beside the runs, to see what that costs: `python -m scripts.bench.uncounted import FILE`."""

from flask.cli import main

from portal.runs import rollup


def nothing(*_: object) -> None:
    """Stands in for what keeps the counts."""


if __name__ == "__main__":
    rollup.Changes.count = rollup.apply = nothing
    main()
