"""Begins as a child process: sets its limits, then becomes a program, or calls a function.

It is run as a file, and imports nothing of the portal, whose import takes a second. Its first argument is
JSON of `children.Limits` and the parent; a program and its arguments may follow. Without them, standard input
says which function to call, and each value that it yields is a line of standard output.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Mapping
from typing import Any

_PR_SET_PDEATHSIG = 1


def _limit(limits: Mapping[str, Any]) -> None:
    for kind, size in (
        (resource.RLIMIT_AS, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        most = size if hard == resource.RLIM_INFINITY else min(size, hard)
        resource.setrlimit(kind, (most, most))


def _die_with(parent: int) -> None:
    """Be killed when the parent ends, however it ends: Linux knows how."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _call() -> None:
    from importlib.util import module_from_spec, spec_from_file_location

    path, module_name, file, name, arguments = json.load(sys.stdin)
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no result
    sys.path[:] = path
    spec = spec_from_file_location(module_name, file)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018
    module = module_from_spec(spec)
    sys.modules[module_name] = module
    spec.loader.exec_module(module)
    for value in getattr(module, name)(*arguments):
        print(json.dumps(value), file=results, flush=True)


def _main() -> None:
    limits, program = json.loads(sys.argv[1]), sys.argv[2:]
    _die_with(limits["parent"])
    _limit(limits)
    if program:
        os.execve(program[0], program, {})  # noqa: S606
    _call()


if __name__ == "__main__":
    _main()
