"""A place to measure in: the database loaded once, the servers started as the README says, a key, a session."""

import json
import os
import re
import resource
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SERVER = "gunicorn --workers {workers} --bind 127.0.0.1:{port} {app}"
"""As the README says; the rest stands in gunicorn.conf.py."""
EMAIL = "bench@acme.example"


@dataclass(frozen=True)
class Place:
    folder: Path
    database: str
    port: int

    @property
    def environment(self) -> dict[str, str]:
        key = self.folder / "secret-key"
        if not key.exists():
            key.write_text(secrets.token_hex(32))
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
        return ours | {
            "PORTAL_SECRET_KEY_FILE": str(key),
            "PORTAL_DATABASE_URL": self.database,
            "PORTAL_BASE_URL": f"http://127.0.0.1:{self.port}",
            "FLASK_APP": "app.py",
        }

    def flask(self, *arguments: str) -> str:
        return self.run(str(BIN / "flask"), *arguments)

    def run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def load(self, history: Path, runs: int) -> None:
        """Bring the database to this release and import the history, unless it is there."""
        self.flask("db", "upgrade")
        done = self.folder / "loaded"
        if not done.exists():
            done.write_text(f"imported {runs:,} runs, {self.bring_in(history, runs)}, counts included")
            self._tidy()
        print(done.read_text())

    def bring_in(self, history: Path, runs: int, *flask: str) -> str:
        """Import into a new workspace; says how fast that was, and what it took of a processor."""
        self.flask("workspaces", "add", "Bench")
        self.flask("users", "add", EMAIL, "--first-name", "Bench")
        self.flask("members", "set", "bench", EMAIL, "admin")
        begin, used = time.monotonic(), _children_seconds()
        self.run(*(flask or (str(BIN / "flask"),)), "import", "--workspace", "bench", str(history))
        took, used = time.monotonic() - begin, _children_seconds() - used
        return f"{runs / took:,.0f}/s ({took:.0f} s, of them {used:.0f} s of a processor)"

    def _tidy(self) -> None:
        """What PostgreSQL does by itself within minutes, where that is not switched off."""
        if not self.database.startswith("sqlite:"):
            engine = sa.create_engine(driver_url(self.database), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.exec_driver_sql("VACUUM (ANALYZE)")
            engine.dispose()

    def change_workflows(self) -> None:
        """Give all workflows another version, as a write to their runs does."""
        engine = sa.create_engine(driver_url(self.database))
        with engine.begin() as connection:
            connection.exec_driver_sql("UPDATE workflows SET version = version + 1")
        engine.dispose()

    def size_mb(self) -> float:
        if self.database.startswith("sqlite:"):
            return sum(file.stat().st_size for file in self.folder.glob("portal.sqlite3*")) / 1e6
        engine = sa.create_engine(driver_url(self.database))
        with engine.connect() as connection:
            size = connection.execute(sa.text("SELECT pg_database_size(current_database())")).scalar_one()
        engine.dispose()
        return float(size) / 1e6

    def key(self) -> str:
        made = self.flask("keys", "create", "--workspace", "bench", "--user", EMAIL, "--name", "bench",
                          "--scope", "workflows:read", "--json")  # fmt: skip
        return str(json.loads(made)["api_key"])

    def cookie(self) -> str:
        """A signed-in browser's cookie."""
        link = self.flask("signin-link", EMAIL).strip().splitlines()[-1]
        link = link[link.index("http") :]
        request = urllib.request.Request(link, method="POST", headers={"Sec-Fetch-Site": "same-origin"})

        class Stay(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, *_: object) -> None:
                return None

        try:
            urllib.request.build_opener(Stay).open(request)
        except urllib.error.HTTPError as answer:
            [cookie] = re.findall(r"[^;,\s]+=[^;]+", answer.headers["Set-Cookie"])[:1]
            return str(cookie)
        raise SystemExit("the sign-in link did not sign in")

    @contextmanager
    def serving(self, app: str, workers: int, port: int, **more: str) -> Iterator[int]:
        """The application served on the port; gives the server's process id."""
        command = SERVER.format(workers=workers, port=port, app=app).split()
        log = (self.folder / f"{app.replace(':', '-')}.log").open("w")
        process = subprocess.Popen(
            [str(BIN / command[0]), *command[1:]],
            cwd=ROOT,
            env=self.environment | more,
            stdout=log,
            stderr=log,
        )
        try:
            _wait_for(port, process)
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise SystemExit("the server ended; its log lies beside the database")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the server does not listen")


def _children_seconds() -> float:
    """Processor time of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def memory_mb(pid: int) -> float:
    """Proportional memory of a process and its children, in MB."""
    family = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
    sizes = [
        re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{each}/smaps_rollup").read_text(), re.M) for each in family
    ]
    return sum(int(size[1]) for size in sizes if size) / 1024


def ready_folder(folder: Path, fresh: bool) -> Path:
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def history_of(runs: int, users: int) -> Path:
    """The history to load, written once."""
    file = ROOT / ".bench" / f"history-{runs}-{users}.jsonl"
    if not file.exists():
        file.parent.mkdir(exist_ok=True)
        script, part = ROOT / "scripts" / "generate_history.py", file.with_suffix(".part")
        size = ["--runs", str(runs), "--users", str(users)]
        subprocess.run([sys.executable, str(script), *size, str(part)], check=True)
        part.rename(file)
    return file


def driver_url(database: str) -> str:
    """The URL as SQLAlchemy takes it."""
    return database.replace("postgresql://", "postgresql+psycopg://")
