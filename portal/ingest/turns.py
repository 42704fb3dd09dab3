"""How many pushes a process takes at once, so that threads are left for people who read.

A push waits for the locks of those before it, on its thread. A program that is refused comes again; pings are
never refused, since what sends them may not.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from portal.errors import Busy

AT_ONCE = 4
"""One that writes and some that wait for it: half of the threads that a worker of the server has."""

_turns = threading.BoundedSemaphore(AT_ONCE)


@contextmanager
def turn() -> Iterator[None]:
    """Raises Busy where others have all turns."""
    if not _turns.acquire(blocking=False):
        raise Busy
    try:
        yield
    finally:
        _turns.release()
