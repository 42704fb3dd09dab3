"""Work ahead: the next items are made while the last one is used, in a thread or in a process."""

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

Item = TypeVar("Item")


class Ended(Exception):
    """The process that made items ended before its time."""


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made in a thread of its own while the one before is used.

    What making one raises is raised in its place.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def apart(make: Callable[..., Iterable[Item]], *arguments: Any) -> Generator[Item, None, None]:
    """What `make(*arguments)` gives, made in a process of its own: all of it must be able to be pickled.

    Starting a process takes most of a second. Raises Ended where the process fails; its traceback is on
    standard error then.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, make, arguments), daemon=True)
    process.start()
    sender.close()
    try:
        with receiver:
            while (item := receiver.recv()) is not None:
                yield item
    except (EOFError, OSError):  # at the end of an item, or within one
        process.join()  # or its traceback would be cut off
        raise Ended from None
    finally:
        process.terminate()
        process.join()


def _send(sender: "Connection[Any, Any]", make: Callable[..., Iterable[Any]], arguments: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this was interrupted too, and ends it
    with sender, suppress(BrokenPipeError):  # nobody takes them any more
        for item in make(*arguments):
            sender.send(item)
        sender.send(None)
