#!/usr/bin/env python3
"""Runs a command, passes everything through, and records the run in Run Portal.

One file without dependencies, for Python 3.9 and newer on Linux and macOS, so that it can be copied to any
machine; `run-portal --help` says how to use it. A portal that does not answer never changes when the command
starts, what it writes or how it ends: what cannot be sent is kept in a folder and sent with the next run.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import json
import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import NoReturn

VERSION = "0.1.0"
Line = dict[str, object]

TAIL_BYTES = 65_536
MOST_PIPED = 1_048_576
"""The largest pipe that Linux makes: more than that was written after the command had ended."""
REQUEST_SECONDS, FLUSH_SECONDS = 5.0, 30.0
TRIES = 3
LONGEST_PAUSE = 300.0
MOST_ANSWER_BYTES = 1_000_000
BATCH_LINES, BATCH_BYTES = 100, 500_000
BATCHES_AT_THE_END = 2
"""How many requests with runs kept earlier may make the end of a run later."""
TEMPORARY = (408, 425, 429)
PASSED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)

ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def printable(text: str) -> str:
    """The text as a terminal would leave it on the screen, without escape sequences."""
    lines = ESCAPE.sub("", text).split("\n")
    return CONTROL.sub("\ufffd", "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines))


def argument(text: str) -> str:
    """An argument of the command line as Unicode, whatever bytes it has."""
    return os.fsencode(text).decode("utf-8", "replace").replace("\0", "\ufffd")


def masked(text: str, key: str) -> str:
    return text.replace(key, "[key]") if key else text


def written(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


# The command


class Tail:
    """The last 64 kB of what the command wrote, to whichever stream."""

    def __init__(self) -> None:
        self.total = 0
        self._bytes = bytearray()
        self._lock = threading.Lock()

    def add(self, chunk: bytes) -> None:
        with self._lock:
            self.total += len(chunk)
            self._bytes += chunk
            del self._bytes[:-TAIL_BYTES]

    def text(self) -> str:
        with self._lock:
            kept, cut = bytes(self._bytes), self.total > len(self._bytes)
        if cut:
            kept = re.sub(rb"\A[\x80-\xbf]{1,3}", b"", kept)
            first, newline, rest = kept.partition(b"\n")
            kept = rest if newline and len(first) < 4096 else kept
        return printable(kept.decode("utf-8", "replace"))


class Stream(threading.Thread):
    """Passes on what comes out of a pipe, until its end or that of the command.

    Processes that the command left behind may hold the pipe: from then on `cat` reads it, and nobody waits.
    """

    def __init__(self, source: int, target: int, tail: Tail, ended: int) -> None:
        super().__init__(daemon=True)
        self._source, self._target, self._tail, self._ended = source, target, tail, ended

    def run(self) -> None:
        if self._copy():
            signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
            with contextlib.suppress(OSError):
                subprocess.Popen(["cat"], stdin=self._source, stdout=self._target, start_new_session=True)  # noqa: S607
        os.close(self._source)

    def _copy(self) -> bool:
        """Whether somebody still holds the pipe."""
        ready = select.poll()
        ready.register(self._source, select.POLLIN)
        ready.register(self._ended, select.POLLIN)
        left = None
        while left is None or left > 0:
            found = {descriptor for descriptor, _ in ready.poll(None if left is None else 0)}
            if self._ended in found:
                ready.unregister(self._ended)
                left = MOST_PIPED
            elif self._source not in found:
                return True
            if self._source not in found:
                continue
            chunk = os.read(self._source, TAIL_BYTES)
            if not chunk:
                return False
            self._tail.add(chunk)
            left = None if left is None else left - len(chunk)
            try:
                _write(self._target, chunk)
            except BrokenPipeError:
                return False  # nobody reads us: neither does anybody read the command
            except OSError:
                continue  # such as a full disk: the command may have more to do than to write
        return True


def _write(target: int, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        try:
            left = left[os.write(target, left) :]
        except BlockingIOError:
            select.select([], [target], [])


class Job:
    """The command: it starts at once, with our standard input; its output and our signals are passed on."""

    def __init__(self, command: Sequence[str]) -> None:
        _open_missing_streams()
        self.tail = Tail()
        self.exit_code = 0
        self.error = ""
        self.not_started = False
        self.hurried = False
        """Whether a signal came after the end of the command: then nothing is waited for."""
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {*PASSED_ON, signal.SIGCHLD})
        # Where both streams go to the same place, one pipe keeps their order.
        pipes = [os.pipe()] if os.path.sameopenfile(1, 2) else [os.pipe(), os.pipe()]
        self.started_at = datetime.now(timezone.utc)
        self._began = time.monotonic()
        self._process = self._start(list(command), pipes[0][1], pipes[-1][1])
        self._ended, self._ending = os.pipe()
        self._streams = [
            Stream(source, target, self.tail, self._ended) for (source, _), target in zip(pipes, (1, 2))
        ]
        for _, sink in pipes:
            os.close(sink)
        for stream in self._streams:
            stream.start()

    def _start(self, command: list[str], stdout: int, stderr: int) -> subprocess.Popen[bytes] | None:
        def unblock() -> None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

        def popen(command: list[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(  # noqa: S603 - the command of who called us
                command, stdout=stdout, stderr=stderr, close_fds=False, preexec_fn=unblock
            )

        try:
            try:
                return popen(command)
            except OSError as error:
                if error.errno != errno.ENOEXEC:
                    raise
                script = shutil.which(command[0]) or command[0]  # without `#!`: the shell's, as for cron
                return popen(["/bin/sh", script, *command[1:]])
        except OSError as error:
            self.not_started = True
            self.exit_code = 127 if isinstance(error, FileNotFoundError) else 126
            self.error = f"{argument(command[0])[:500]} cannot be started: {error.strerror or error}"
            say(self.error)
            return None

    def wait(self) -> datetime:
        """Wait for the end of the command, passing signals on; gives when that was."""
        process = self._process
        while process and process.poll() is None:
            number, from_terminal = _next_signal()
            # Those from the terminal went to the command too: it is in our process group.
            if number != signal.SIGCHLD and not from_terminal:
                with contextlib.suppress(OSError):
                    process.send_signal(number)
        completed_at = self.started_at + timedelta(seconds=time.monotonic() - self._began)
        if process and process.returncode > 0:
            self.exit_code, self.error = process.returncode, f"Exit status {process.returncode}"
        elif process and process.returncode < 0:
            self.exit_code, self.error = (
                128 - process.returncode,
                f"Killed by {_signal_name(-process.returncode)}",
            )
        self._hurry_on_signals()
        if self._ending >= 0:
            os.close(self._ending)
            self._ending = -1
        for stream in self._streams:
            while stream.is_alive() and not self.hurried:
                stream.join(0.05)
        return completed_at

    def _hurry_on_signals(self) -> None:
        def hurry(*_: object) -> None:
            self.hurried = True

        for number in PASSED_ON:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, hurry)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask - set(PASSED_ON))

    def wait_for(self, event: threading.Event, until: float) -> None:
        while not (event.is_set() or self.hurried) and (left := until - time.monotonic()) > 0:
            event.wait(min(left, 0.05))


def _next_signal() -> tuple[int, bool]:
    """The next signal, and whether the kernel sent it, as it does for keys pressed in a terminal."""
    watched = {*PASSED_ON, signal.SIGCHLD}
    if hasattr(signal, "sigwaitinfo"):
        found = signal.sigwaitinfo(watched)
        return found.si_signo, found.si_code > 0
    return signal.sigwait(watched), False  # macOS does not say


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _open_missing_streams() -> None:
    """Keep pipes from taking the numbers of closed standard streams."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)


# What is said about a run


class Record:
    """The lines of history about one run."""

    def __init__(self, options: argparse.Namespace, command: Sequence[str], job: Job, key: str) -> None:
        import uuid

        self.id = str(uuid.uuid4())
        self._job, self._key = job, key
        host = argument(os.uname().nodename)
        parameters: Line = {"host": host}
        self._step: Line = {"node_id": "command", "node_type": "command", "worker": host[:200]}
        if not options.no_command:
            parameters["command"] = masked(argument(shlex.join(command))[:4000], key)
            self._step["name"] = argument(os.path.basename(command[0]))[:200]
        self._run: Line = {
            "type": "run",
            "source": options.source or f"exec:{host}"[:200],
            "external_id": self.id,
            "workflow": {"name": options.workflow},
            "trigger": options.trigger,
            "created_at": written(job.started_at),
            "parameters": parameters,
        }
        if options.title:
            self._run["title"] = options.title
        if options.label:
            self._run["labels"] = dict(options.label)

    def start(self) -> Line:
        return self._line({"status": "running", "started_at": written(self._job.started_at)}, {})

    def end(self, completed_at: datetime) -> Line:
        job = self._job
        state: Line = {
            "status": "failed" if job.exit_code else "completed",
            "started_at": written(job.started_at),
            "completed_at": written(completed_at),
        }
        if job.error:
            state["error"] = masked(job.error, self._key)
        if job.not_started:
            state["outcome"] = "start_failed"
        step: Line = {"exit_code": job.exit_code}
        if job.tail.total:
            step["result"] = {"output": masked(job.tail.text(), self._key)}
        return self._line(state, step)

    def _line(self, state: Line, step: Line) -> Line:
        return {**self._run, **state, "steps": [{**self._step, **state, **step}]}

    def file_name(self, line: Line) -> str:
        """The name under which the line is kept: it sorts by the start of the run."""
        part = 1 if line["status"] == "running" else 2
        return f"{self._job.started_at:%Y%m%dT%H%M%S%f}-{self.id}-{part}.json"


# The portal


class NotDelivered(Exception):
    """Why the portal did not take the lines."""

    def __init__(self, reason: str, status: int = 0, again: bool = True, after: float = 0.0) -> None:
        super().__init__(reason)
        self.status, self.again, self.after = status, again, after


class Portal:
    """The address of a portal, and an ingest key of one of its workspaces."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._key = key

    def deliver(self, lines: Sequence[Line], seconds: float) -> list[str]:
        """Send the lines; gives why the portal will never take some of them. Raises NotDelivered."""
        try:
            return self._post(lines, seconds)
        except NotDelivered as refusal:
            if refusal.status not in (413, 422):
                raise
            if len(lines) > 1:
                return [reason for line in lines for reason in self.deliver([line], seconds)]
            shorter = without_output(lines[0])
            if refusal.status == 413 and shorter != lines[0]:
                return self.deliver([shorter], seconds)
            return [str(refusal)]

    def _post(self, lines: Sequence[Line], seconds: float) -> list[str]:
        import http.client
        import urllib.request

        # Without handlers of errors and redirects, answers come as they are. Plain http goes to no proxy.
        opener = urllib.request.OpenerDirector()
        proxy = urllib.request.ProxyHandler({} if self.url.startswith("http:") else None)
        for handler in (proxy, urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()):
            opener.add_handler(handler)
        request = urllib.request.Request(  # noqa: S310 - _fault_of_address lets through http and https only
            f"{self.url}/api/v1/history",
            data=json.dumps({"lines": lines}, ensure_ascii=False).encode("utf-8", "replace"),
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": "application/json",
                "Accept": "application/json",
                "User-Agent": f"run-portal/{VERSION}",
            },
            method="POST",
        )
        try:
            with opener.open(request, timeout=seconds) as answer:
                status, headers, text = answer.status, answer.headers, answer.read(MOST_ANSWER_BYTES)
        except (OSError, http.client.HTTPException, ValueError) as failure:
            reason = getattr(failure, "reason", None) or failure
            raise NotDelivered(self._said(f"cannot be reached: {reason or type(failure).__name__}")) from None
        return self._read(status, headers, text)

    def _read(self, status: int, headers: Mapping[str, str], text: bytes) -> list[str]:
        body = _json_object(text)
        data = body.get("data")
        summary = data if isinstance(data, dict) else body
        refused = summary.get("refused")
        reasons = [self._said(_refused_line(each)) for each in refused] if isinstance(refused, list) else []
        if 200 <= status < 300 and ("accepted" in summary or "unchanged" in summary):
            return reasons
        error = body.get("error")
        message = error.get("message") if isinstance(error, dict) else ""
        if status == 422 and body:
            raise NotDelivered("; ".join(reasons) or self._said(f"answered 422: {message}"), 422, again=False)
        if 200 <= status < 300:
            raise NotDelivered(self._said(f"answered {status}, but not as a portal does"))
        if 300 <= status < 400:
            target = headers.get("Location", "")
            raise NotDelivered(self._said(f"redirects to {target}, which is not followed"), again=False)
        after = headers.get("Retry-After", "")
        raise NotDelivered(
            self._said(f"answered {status}: {message}" if message else f"answered {status}"),
            413 if status == 413 else 0,
            again=status >= 500 or status in TEMPORARY,
            after=float(after) if re.fullmatch("[0-9]{1,6}", after) else 0.0,
        )

    def _said(self, what: str) -> str:
        """A sentence for a terminal, without the key."""
        return masked(printable(f"{self.url} {what}").replace("\n", " ")[:500], self._key)


def _json_object(text: bytes) -> Line:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused_line(refusal: object) -> str:
    said = refusal if isinstance(refusal, dict) else {}
    return f"refused a line for good: {said.get('field', '')} {said.get('reason', '')}".rstrip()


def without_output(line: Line) -> Line:
    steps = line.get("steps")
    if not isinstance(steps, list):
        return line
    return {
        **line,
        "steps": [{name: value for name, value in step.items() if name != "result"} for step in steps],
    }


class Settings:
    """Where to send, and where to keep what cannot be sent; `fault` says what is wrong with them."""

    def __init__(self, options: argparse.Namespace, environ: Mapping[str, str]) -> None:
        self.url = (options.url or environ.get("RUN_PORTAL_URL", "")).strip().rstrip("/")
        key_file = options.key_file or environ.get("RUN_PORTAL_KEY_FILE", "")
        self.key, self.fault = _read_key(key_file, environ)
        self.fault = _fault_of_address(self.url, options.insecure_http) or self.fault
        self.portal = Portal(self.url, self.key)
        import hashlib

        # Another key may open another workspace. A file stands for the same one when its key is replaced.
        place = f"{self.url}\n{os.path.abspath(key_file) if key_file else self.key}"
        self.folder = os.path.join(state_folder(environ), hashlib.sha256(os.fsencode(place)).hexdigest()[:16])


def _read_key(key_file: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The key and what is wrong with it, of which one is empty."""
    key = environ.get("RUN_PORTAL_KEY", "").strip()
    if key_file:
        try:
            with open(key_file, encoding="ascii", errors="replace") as file:
                key = file.read(1000).strip()
        except OSError as error:
            return "", f"The key file {argument(key_file)} cannot be read: {error.strerror}."
    if not key:
        return "", "There is no ingest key: name its file with --key-file or RUN_PORTAL_KEY_FILE."
    if not re.fullmatch("[!-~]+", key):
        return "", "The ingest key has characters that no key has."
    return key, ""


def _fault_of_address(url: str, insecure_http: bool) -> str:
    import ipaddress
    from urllib.parse import urlsplit

    if not url:
        return "There is no address of a portal: --url or RUN_PORTAL_URL."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not host or not re.fullmatch("[!-~]+", url):
        return "The address of the portal must be like https://runs.example.com."
    if parts.username is not None or parts.query or parts.fragment:
        return "The address of the portal must have no user, query or fragment."
    if parts.scheme == "https" or insecure_http or host == "localhost":
        return ""
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).is_loopback:
            return ""
    return (
        f"The key is not sent to {host} over plain http: use https, or --insecure-http on a trusted network."
    )


# What could not be sent


def state_folder(environ: Mapping[str, str]) -> str:
    """The folder of what could not be sent; relative if this user has no home."""
    base = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(base, "run-portal", "spool")


class Kept:
    """A line in a file, which is locked as long as this process has it."""

    def __init__(self, path: str, descriptor: int, line: Line) -> None:
        self.path, self.line = path, line
        self._descriptor = descriptor

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.release()

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1


class Spool:
    """A folder of lines that were not delivered, a file each.

    A file appears whole, or not at all. Who holds its lock may send it; a lock ends with its process.
    """

    def __init__(self, folder: str, most_files: int = 5_000, most_bytes: int = 50_000_000) -> None:
        self.folder = folder
        self._most_files, self._most_bytes = most_files, most_bytes

    def keep(self, name: str, line: Line) -> Kept:
        """Write the line, locked. Raises OSError."""
        root = os.path.dirname(self.folder)
        os.makedirs(os.path.dirname(os.path.dirname(root)), exist_ok=True)
        for folder in (os.path.dirname(root), root, self.folder):
            with contextlib.suppress(FileExistsError):
                os.mkdir(folder, 0o700)
        path = os.path.join(self.folder, name)
        unfinished = f"{path}.tmp"
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _lock(descriptor)
            _write(descriptor, json.dumps(line, ensure_ascii=False).encode("utf-8", "replace"))
            os.fsync(descriptor)
            os.rename(unfinished, path)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            raise
        with contextlib.suppress(OSError):
            _sync_folder(self.folder)
            self._prune()
        return Kept(path, descriptor, line)

    def batches(self) -> Iterator[list[Kept]]:
        """The lines that nobody else is sending, oldest first. Release or remove them."""
        batch: list[Kept] = []
        size = 0
        for name in _names(self.folder, ".json"):
            kept = self._take(os.path.join(self.folder, name))
            if kept is None:
                continue
            with contextlib.suppress(OSError):
                size += os.path.getsize(kept.path)
            batch.append(kept)
            if len(batch) >= BATCH_LINES or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def send(self, portal: Portal, seconds: float) -> Iterator[tuple[int, list[str]]]:
        """Deliver what is kept: how many lines at a time, and why some were refused. Raises NotDelivered."""
        for batch in self.batches():
            try:
                reasons = portal.deliver([kept.line for kept in batch], seconds)
                for kept in batch:
                    kept.remove()
            finally:
                for kept in batch:
                    kept.release()
            yield len(batch), reasons

    def count(self) -> int:
        return len(_names(self.folder, ".json"))

    def _take(self, path: str) -> Kept | None:
        try:
            descriptor = os.open(path, os.O_RDWR)
        except OSError:
            return None
        try:
            if _lock(descriptor) and os.fstat(descriptor).st_nlink:
                with open(descriptor, "rb", closefd=False) as file:
                    kept = Kept(path, descriptor, _json_object(file.read()))
                if kept.line:
                    return kept
                kept.remove()
                return None
        except OSError:
            pass
        os.close(descriptor)
        return None

    def _prune(self) -> None:
        """Remove the oldest files of all folders beyond the bounds, and what crashes left half-written."""
        root = os.path.dirname(self.folder)
        places = [os.path.join(root, name) for name in _names(root)]
        for place in places:
            for name in _names(place, ".tmp"):
                if os.path.getmtime(os.path.join(place, name)) < time.time() - 3600:
                    os.unlink(os.path.join(place, name))
        files = [(name, os.path.join(place, name)) for place in places for name in _names(place, ".json")]
        sizes = {path: os.path.getsize(path) for _, path in files}
        number, total = len(files), sum(sizes.values())
        for _, path in sorted(files):
            if number <= self._most_files and total <= self._most_bytes:
                return
            if kept := self._take(path):
                kept.remove()
                number, total = number - 1, total - sizes[path]


def _names(folder: str, ending: str = "") -> list[str]:
    try:
        return sorted(name for name in os.listdir(folder) if name.endswith(ending))
    except OSError:
        return []


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks: at worst a line is sent twice, which changes nothing
    return True


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Delivery:
    """Sends lines about one run, and what earlier runs left."""

    def __init__(self, settings: Settings, record: Record) -> None:
        self.record = record
        self.settings = settings
        self.notes: list[str] = []
        """What went wrong."""
        self._spool = Spool(settings.folder)
        self._earlier = threading.Lock()

    def keep(self, line: Line) -> Kept | None:
        if not (self.settings.url and os.path.isabs(self._spool.folder)):
            return None
        try:
            return self._spool.keep(self.record.file_name(line), line)
        except OSError as failure:
            self.notes.append(f"The run cannot be kept in {self._spool.folder}: {failure.strerror}")
            return None

    def send(self, line: Line, seconds: float) -> NotDelivered | None:
        try:
            self.notes += self.settings.portal.deliver([line], seconds)
        except NotDelivered as failure:
            self.notes.append(str(failure))
            return failure
        return None

    def send_until(self, line: Line, until: float) -> bool:
        """Send with a few tries; whether it was delivered."""
        for number in range(1, TRIES + 1):
            left = until - time.monotonic()
            if left <= 0:
                return False
            failure = self.send(line, min(left, REQUEST_SECONDS))
            if failure is None:
                return True
            pause = max(number * number / 2, failure.after)
            if not failure.again or number == TRIES or pause >= until - time.monotonic():
                return False
            time.sleep(pause)
        return False

    def send_earlier(self, most: int) -> bool:
        """Send so many batches of what earlier runs left; whether there was one."""
        count = 0
        with self._earlier:
            try:
                for _, reasons in self._spool.send(self.settings.portal, REQUEST_SECONDS):
                    self.notes += reasons
                    count += 1
                    if count == most:
                        break
            except NotDelivered as failure:
                self.notes.append(str(failure))
                return False
        return count > 0


class Reporter:
    """Tells the portal of the start and the end of a run, in threads of its own.

    Each is in a file until it is delivered. Nothing here holds the command up, not even reading the key.
    """

    def __init__(self, job: Job, options: argparse.Namespace, command: Sequence[str]) -> None:
        self.delivery: Delivery | None = None
        self.faults: list[str] = []
        self.delivered = False
        self._job, self._options, self._command = job, options, command
        self._start: Kept | None = None
        self._keeping = threading.Lock()
        self._prepared, self._ended = threading.Event(), threading.Event()
        self._end_kept, self._finished = threading.Event(), threading.Event()

    def begin(self) -> None:
        self._in_background(self._announce)

    def finish(self, completed_at: datetime) -> None:
        """Send the end; returns when it was delivered or given up, at the latest after the time to wait."""
        self._ended.set()
        wait = self._options.wait
        until = time.monotonic() + wait
        self._in_background(lambda: self._conclude(completed_at, until))
        self._end_kept.wait(min(max(wait, 1.0), REQUEST_SECONDS))
        self._job.wait_for(self._finished, until)

    def _in_background(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except Exception as failure:  # noqa: BLE001 - the command goes on whatever fails here
                self.faults.append(f"{type(failure).__name__}: {failure}")

        threading.Thread(target=guarded, daemon=True).start()

    def _prepare(self) -> None:
        try:
            settings = Settings(self._options, os.environ)
            record = Record(self._options, self._command, self._job, settings.key)
            self.delivery = Delivery(settings, record)
            self.faults += [settings.fault] if settings.fault else []
        finally:
            self._prepared.set()

    def _announce(self) -> None:
        self._prepare()
        delivery = self.delivery
        if delivery is None:
            return
        line = delivery.record.start()
        with self._keeping:
            if self._ended.is_set():
                return  # the end says all that the start would
            self._start = delivery.keep(line)
        pause = 1.0
        while not delivery.settings.fault and not self._ended.is_set():
            failure = delivery.send(line, REQUEST_SECONDS)
            if failure is None:
                if self._start:
                    self._start.remove()
                while not self._ended.is_set() and delivery.send_earlier(1):
                    pass
                return
            if not failure.again:
                return
            self._ended.wait(max(pause, failure.after))
            pause = min(pause * 2, LONGEST_PAUSE)

    def _conclude(self, completed_at: datetime, until: float) -> None:
        try:
            self._prepared.wait()
            delivery = self.delivery
            if delivery is None:
                return
            line = delivery.record.end(completed_at)
            with self._keeping:
                kept = delivery.keep(line)
                if kept and self._start:
                    with contextlib.suppress(OSError):
                        os.unlink(self._start.path)
            self._end_kept.set()
            self.delivered = not delivery.settings.fault and delivery.send_until(line, until)
            if self.delivered:
                if kept:
                    kept.remove()
                delivery.send_earlier(BATCHES_AT_THE_END)
        finally:
            self._end_kept.set()
            self._finished.set()


# The command line

USAGE = """run-portal exec --workflow NAME [OPTION ...] -- COMMAND [ARGUMENT ...]
       run-portal flush [--all] [OPTION ...]"""
ABOUT = """Run a command and record the run in Run Portal: when, how long, exit status, and the
last 64 kB of its output. Output, signals and exit status pass through; a portal that is
down changes nothing: the record is kept and sent with the next run.

  exec     run the command after --
  flush    send what is kept now, and say what is wrong if that fails"""
MORE = """environment: RUN_PORTAL_URL, RUN_PORTAL_KEY_FILE or RUN_PORTAL_KEY

example: run-portal exec --workflow "DB backup" --trigger schedule -- pg_dump -f db.sql app"""


def say(text: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, f"run-portal: {text}\n".encode("utf-8", "replace"))


def run(options: argparse.Namespace, command: Sequence[str]) -> NoReturn:
    job = Job(command)
    try:
        reporter = Reporter(job, options, command)
        reporter.begin()
        reporter.finish(job.wait())
        for fault in reporter.faults:
            say(fault)
        if options.verbose and reporter.delivery:
            for note in dict.fromkeys(reporter.delivery.notes):
                say(note)
            say(f"run {reporter.delivery.record.id} was {'sent' if reporter.delivered else 'not sent'}")
    except Exception as failure:  # noqa: BLE001 - whatever fails here, the exit status is that of the command
        say(f"{type(failure).__name__}: {failure}")
        job.wait()
    os._exit(job.exit_code)  # threads that still wait for an answer end here


def flush(options: argparse.Namespace) -> int:
    settings = Settings(options, os.environ)
    if settings.fault:
        say(settings.fault)
        return 1
    root = os.path.dirname(settings.folder)
    spools = (
        [Spool(os.path.join(root, place)) for place in _names(root)]
        if options.all
        else [Spool(settings.folder)]
    )
    sent, trouble = 0, []
    try:
        for spool in spools:
            for count, reasons in spool.send(settings.portal, FLUSH_SECONDS):
                sent += count
                trouble += reasons
    except (NotDelivered, OSError) as failure:
        trouble.append(str(failure))
    for reason in trouble:
        say(reason)
    left = sum(spool.count() for spool in spools)
    elsewhere = sum(Spool(os.path.join(root, place)).count() for place in _names(root)) - left
    print(
        f"{sent} sent, {left} kept" + (f", {elsewhere} kept for another address or key" if elsewhere else "")
    )
    return 1 if trouble or left else 0


def text_of(most: int) -> Callable[[str], str]:
    def read(given: str) -> str:
        found = argument(given)
        if not found.strip() or len(found) > most:
            raise argparse.ArgumentTypeError(f"must be text of 1 to {most} characters")
        return found

    return read


def label(given: str) -> tuple[str, str]:
    name, equals, value = argument(given).partition("=")
    if not name.strip() or not equals or len(name) > 200 or len(value) > 500:
        raise argparse.ArgumentTypeError("must be NAME=VALUE, with up to 200 and 500 characters")
    return name, value


def seconds(given: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3})?", given) or float(given) > 600:
        raise argparse.ArgumentTypeError("must be a number of seconds from 0 to 600")
    return float(given)


def read_options(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The options, and the command after `--`. Ends the process if they are wrong, or only ask for help."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "run-portal", usage=USAGE, description=ABOUT, epilog=MORE, formatter_class=plain, allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"run-portal {VERSION}")
    portal = argparse.ArgumentParser(add_help=False)
    portal.add_argument("--url", help="the portal, such as https://runs.example.com")
    portal.add_argument("--key-file", metavar="FILE", help="the file with the ingest key")
    portal.add_argument(
        "--insecure-http", action="store_true", help="send the key over plain http, which others can read"
    )
    tasks = parser.add_subparsers(dest="task", required=True, metavar="exec|flush", help=argparse.SUPPRESS)
    execute = tasks.add_parser("exec", usage=USAGE.split("\n")[0], parents=[portal], allow_abbrev=False)
    execute.add_argument(
        "--workflow", metavar="NAME", required=True, type=text_of(200), help="the workflow's name"
    )
    execute.add_argument("--source", type=text_of(200), help="the system it runs on (exec:HOSTNAME)")
    execute.add_argument(
        "--trigger", choices=("schedule", "person", "other"), default="other", help="what started it (other)"
    )
    execute.add_argument("--title", type=text_of(500), help="a title of this run")
    execute.add_argument(
        "--label", metavar="NAME=VALUE", action="append", default=[], type=label, help="a label; up to 50"
    )
    execute.add_argument("--no-command", action="store_true", help="do not send the command line")
    execute.add_argument(
        "--wait",
        metavar="SECONDS",
        type=seconds,
        default=15.0,
        help="for the portal, at most, at the end (15)",
    )
    execute.add_argument("--verbose", action="store_true", help="say on stderr whether the run was sent")
    send = tasks.add_parser(
        "flush", usage="run-portal flush [OPTION ...]", parents=[portal], allow_abbrev=False
    )
    send.add_argument(
        "--all", action="store_true", help="also what was kept for other addresses and keys, to this one"
    )
    end = list(arguments).index("--") if "--" in arguments else len(arguments)
    own, command = list(arguments[:end]), list(arguments[end + 1 :])
    options = parser.parse_args(own)
    if options.task == "exec" and not command:
        execute.error("put the command after --")
    if options.task == "exec" and len(options.label) > 50:
        execute.error("argument --label: at most 50")
    if options.task == "flush" and command:
        send.error("flush takes no command")
    return options, command


def main(arguments: Sequence[str] | None = None) -> int:
    options, command = read_options(sys.argv[1:] if arguments is None else arguments)
    return run(options, command) if options.task == "exec" else flush(options)


if __name__ == "__main__":
    sys.exit(main())
