"""A PostgreSQL cluster of the test's own, run as an unprivileged user, and a wire to it that can hang."""

import contextlib
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

USERS = ("postgres", "nobody")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def missing() -> str | None:
    """Why no cluster can be made here; None if one can."""
    if not binaries():
        return "PostgreSQL's programs are not under /usr/lib/postgresql"
    if os.geteuid() == 0 and _unprivileged() is None:
        return "no unprivileged user to run PostgreSQL as"
    return None


def binaries() -> Path | None:
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    return Path(found[-1]) if found else None


def _unprivileged() -> str | None:
    for name in USERS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


@dataclass
class Cluster:
    """A server that can be stopped in every way, and started again."""

    folder: Path
    port: int

    def run(self, program: str, *words: str) -> None:
        where = binaries()
        assert where is not None
        user = _unprivileged() if os.geteuid() == 0 else None
        subprocess.run(
            [str(where / program), *words],
            user=user,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            check=True,
            capture_output=True,
            timeout=60,
        )

    def start(self) -> None:
        options = f"-p {self.port} -c unix_socket_directories='' -c listen_addresses=127.0.0.1 -c fsync=off"
        log = str(self.folder / "log")
        self.run("pg_ctl", "-D", str(self.folder / "data"), "-l", log, "-w", "-o", options, "start")

    def stop(self, how: str) -> None:
        """Stop `fast` or `immediate`, or kill it off as a machine that fails would."""
        if how != "kill":
            self.run("pg_ctl", "-D", str(self.folder / "data"), "-m", how, "-w", "stop")
            return
        pid = (self.folder / "data" / "postmaster.pid").read_text().split()[0]
        os.kill(int(pid), signal.SIGSTOP)  # so that it makes no more children while they are counted
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *children):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)
        # Whoever starts it anew waits until the old one's memory is free.
        while any(
            Path(f"/proc/{process}").exists() and not _is_dead(process) for process in (pid, *children)
        ):
            threading.Event().wait(0.02)
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def url(self, port: int | None = None) -> str:
        return f"postgresql+psycopg://portal@127.0.0.1:{port or self.port}/postgres"


def _is_dead(process: str) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    return True


@contextmanager
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="portal-postgres-"))
    user = _unprivileged() if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    made = Cluster(folder, free_port())
    try:
        made.run(
            "initdb", "-D", str(folder / "data"), "-U", "portal", "-A", "trust", "--no-sync", "-E", "UTF8"
        )
        made.start()
        yield made
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            made.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Wire:
    """What carries every connection to the server, until it is told to hang."""

    port: int
    hanging: threading.Event = field(default_factory=threading.Event)


@contextmanager
def wire_to(target: int) -> Iterator[Wire]:
    """A way to the server that passes everything on, or nothing while it hangs: no answer and no refusal."""
    listener = socket.create_server(("127.0.0.1", 0))
    wire = Wire(listener.getsockname()[1])
    over = threading.Event()
    sockets: list[socket.socket] = [listener]

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                if wire.hanging.is_set():
                    over.wait()
                sink.sendall(part)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = listener.accept()
                sockets.append(near)
                try:
                    far = socket.create_connection(("127.0.0.1", target))
                except OSError:
                    near.close()
                    continue
                sockets.append(far)
                for pair in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield wire
    finally:
        over.set()
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
