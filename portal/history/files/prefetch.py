"""Prefetching: the next item is produced while the last one is used, by a thread or by a process."""

import multiprocessing
import signal
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TypeVar

Item = TypeVar("Item")


class ProcessEnded(Exception):
    """The producing process ended before its last item."""


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each produced by a thread while the one before is used.

    An exception of the producer is raised where its item would have come.
    """
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = thread.submit(next, items, None)
            yield item


def produce_in_process(
    produce: Callable[..., Iterable[Item]], *arguments: object
) -> Generator[Item, None, None]:
    """The items of `produce(*arguments)`, produced by a process: everything must be picklable.

    Starting a process takes most of a second. Raises ProcessEnded if it fails; its traceback is on standard
    error then.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, produce, arguments), daemon=True)
    process.start()
    sender.close()
    try:
        with receiver:
            while (item := receiver.recv()) is not None:
                yield item
    except (EOFError, OSError):  # at the end of an item, or within one
        process.join()  # or its traceback would be cut off
        raise ProcessEnded from None
    finally:
        process.terminate()
        process.join()


def _send(
    sender: "Connection[object, object]",
    produce: Callable[..., Iterable[object]],
    arguments: Iterable[object],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process is interrupted too, and ends this one
    with sender, suppress(BrokenPipeError):  # the parent takes no more items
        for item in produce(*arguments):
            sender.send(item)
        sender.send(None)
