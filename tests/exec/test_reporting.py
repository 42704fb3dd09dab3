"""What `run-portal exec` sends, and what it does if the portal does not take it."""

import json
import re
import signal
import subprocess
from argparse import Namespace
from datetime import datetime

import pytest

import run_portal
from tests.exec.conftest import KEY, Machine
from tests.exec.recorder import Answer, Recorder, Sent, recording

FAILS = ("sh", "-c", "echo out; echo err >&2; exit 3")


def left_alone(ran: subprocess.CompletedProcess[bytes]) -> bool:
    """Whether the command went as it goes by itself."""
    return (ran.returncode, ran.stdout, ran.stderr) == (3, b"out\n", b"err\n")


def settings(environ: dict[str, str]) -> run_portal.Settings:
    return run_portal.Settings(Namespace(url=None, key_file=None, insecure_http=False), environ)


@pytest.mark.slow
def test_a_run_is_sent_when_it_starts_and_when_it_has_ended(machine: Machine, portal: Recorder) -> None:
    with machine.start_exec("cat", stdin=subprocess.PIPE) as process:
        portal.wait_for(lambda: bool(portal.requests))
        process.communicate(b"done\n", timeout=60)
    start, end = portal.lines
    host = start["parameters"]["host"]
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", start["external_id"])
    common = {
        "type": "run",
        "source": f"exec:{host}",
        "external_id": start["external_id"],
        "workflow": {"name": "Backup"},
        "trigger": "other",
        "created_at": start["started_at"],
        "started_at": start["started_at"],
        "parameters": {"host": host, "command": "cat"},
    }
    step = {"node_id": "command", "node_type": "command", "worker": host, "name": "cat"}
    moments = {"started_at": start["started_at"], "completed_at": end["completed_at"]}
    assert start == common | {
        "status": "running",
        "steps": [step | {"status": "running", "started_at": start["started_at"]}],
    }
    assert end == common | {"status": "completed", "completed_at": end["completed_at"]} | {
        "steps": [step | {"status": "completed", "exit_code": 0, "result": {"output": "done\n"}} | moments]
    }
    assert datetime.fromisoformat(start["started_at"]) <= datetime.fromisoformat(end["completed_at"])
    [request, _] = portal.requests
    assert request.path == "/api/v1/history"
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.headers["Content-Type"] == "application/json"
    assert machine.kept == []


@pytest.mark.slow
def test_options_say_more_about_a_run(machine: Machine, portal: Recorder) -> None:
    options = ("--source", "cron:db1", "--trigger", "schedule", "--title", "Nightly", "--no-command")
    machine.exec("echo", "secret", options=(*options, "--label", "team=data", "--label", "size=a=b"))
    end = portal.ends[0]
    assert (end["source"], end["trigger"], end["title"]) == ("cron:db1", "schedule", "Nightly")
    assert end["labels"] == {"team": "data", "size": "a=b"}
    assert end["parameters"].keys() == {"host"}
    assert "name" not in end["steps"][0]


@pytest.mark.slow
def test_the_key_is_never_sent_as_content(machine: Machine, portal: Recorder) -> None:
    machine.exec("sh", "-c", f"echo {KEY}; env")
    assert portal.ends[0]["parameters"]["command"] == "sh -c 'echo [key]; env'"
    assert "RUN_PORTAL_KEY=[key]" in portal.ends[0]["steps"][0]["result"]["output"]
    assert KEY not in json.dumps(portal.lines)


@pytest.mark.slow
def test_the_key_may_come_from_a_file(machine: Machine, portal: Recorder) -> None:
    file = machine.home / "key"
    file.write_text("op_ing_of_the_file\n")
    other = machine.home / "other"
    other.write_text("op_ing_of_the_option\n")
    environment = machine.environment | {"RUN_PORTAL_KEY_FILE": str(file)}
    machine.exec("true", env=environment)
    machine.exec("true", env=environment, options=("--key-file", str(other)))
    keys = {sent.headers["Authorization"] for sent in portal.requests}
    assert keys == {"Bearer op_ing_of_the_file", "Bearer op_ing_of_the_option"}


@pytest.mark.slow
def test_a_command_starts_while_the_portal_hangs(machine: Machine, portal: Recorder) -> None:
    portal.let_go.clear()
    with machine.start_exec("sh", "-c", "echo works; read word", stdin=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stdout.readline() == b"works\n"
        assert not portal.let_go.is_set()
        portal.let_go.set()
        process.communicate(timeout=60)
    assert machine.kept == []


@pytest.mark.slow
def test_the_end_waits_no_longer_than_it_may(machine: Machine, portal: Recorder) -> None:
    portal.let_go.clear()
    ran = machine.exec(*FAILS, options=("--wait", "0.1"))
    assert not portal.let_go.is_set()
    assert left_alone(ran)
    assert len(machine.kept) == 1


@pytest.mark.slow
def test_a_signal_cuts_the_wait_for_the_portal_short(machine: Machine, portal: Recorder) -> None:
    portal.let_go.clear()
    with machine.start_exec(*FAILS, options=("--wait", "600")) as process:
        portal.wait_for(lambda: bool(portal.ends))
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60) == (b"out\n", b"err\n")
    assert process.returncode == 3
    assert len(machine.kept) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Answer(401, b'{"error": {"message": "No."}}'),
        Answer(503, b"", {"Retry-After": "3600"}),
        Answer(200, b"<html>Please sign in to the network"),
        Answer(raw=b"\x00\xff garbage\n\n"),
    ],
    ids=["refusal", "busy", "another page", "garbage"],
)
@pytest.mark.slow
def test_whatever_the_portal_answers_the_command_goes_on_and_the_run_is_kept(
    machine: Machine, portal: Recorder, answer: Answer
) -> None:
    portal.answer = lambda _: answer
    assert left_alone(machine.exec(*FAILS, options=("--wait", "0.4")))
    [kept] = machine.kept
    assert json.loads(kept.read_text())["status"] == "failed"
    assert KEY.encode() not in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("answer", "said", "again"),
    [
        (Answer(400, b""), "answered 400", False),
        (Answer(401, b'{"error": {"message": "No."}}'), "answered 401: No.", False),
        (
            Answer(403, b'{"error": {"message": "Not\\u001b[2J\\n yours."}}'),
            "answered 403: Not  yours.",
            False,
        ),
        (Answer(404, b"<html>"), "answered 404", False),
        (Answer(415, b"[]"), "answered 415", False),
        (Answer(422, b"<html>"), "answered 422", False),
        (Answer(301, b"", {"Location": "/x"}), "redirects to /x, which is not followed", False),
        (Answer(429, b"", {"Retry-After": "7"}), "answered 429", True),
        (Answer(500, b"{}"), "answered 500", True),
        (Answer(200, b"<html>"), "answered 200, but not as a portal does", True),
        (Answer(204, b""), "answered 204, but not as a portal does", True),
        (Answer(200, b"[" * 100_000), "answered 200, but not as a portal does", True),
        (Answer(200, b'{"data": []}'), "answered 200, but not as a portal does", True),
        (Answer(raw=b""), "cannot be reached: ", True),
        (Answer(raw=b"\x00\xff\n\n"), "cannot be reached: ", True),
        (Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"), "answered 200, but not as a", True),
    ],
)
def test_an_answer_that_takes_nothing_says_why_and_whether_to_try_again(
    portal: Recorder, answer: Answer, said: str, again: bool
) -> None:
    portal.answer = lambda _: answer
    with pytest.raises(run_portal.NotDelivered) as refusal:
        run_portal.Portal(portal.url, KEY).deliver([{"type": "run"}], 60)
    assert str(refusal.value).startswith(f"{portal.url} {said}")
    assert refusal.value.again is again
    assert refusal.value.after == (7 if answer.status == 429 else 0)


@pytest.mark.slow
def test_a_portal_that_is_not_there_changes_nothing(machine: Machine) -> None:
    ran = machine.exec(*FAILS, options=("--wait", "0.5", "--url", "http://127.0.0.1:1"))
    assert left_alone(ran)
    assert len(machine.kept) == 1


@pytest.mark.slow
def test_a_redirect_is_not_followed(machine: Machine, portal: Recorder) -> None:
    with recording() as other:
        portal.answer = lambda sent: Answer(307, b"", {"Location": f"{other.url}{sent.path}"})
        assert left_alone(machine.exec(*FAILS))
        said = machine.flush()
        assert (said.returncode, other.requests) == (1, [])
        assert f"redirects to {other.url}/api/v1/history, which is not followed".encode() in said.stderr


@pytest.mark.slow
def test_a_line_that_is_too_long_is_sent_without_its_output(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda sent: Answer(413 if "result" in sent.lines[0]["steps"][0] else 200)
    assert left_alone(machine.exec(*FAILS))
    assert "result" not in portal.ends[-1]["steps"][0]
    assert machine.kept == []


@pytest.mark.parametrize("status", [200, 422])
@pytest.mark.slow
def test_a_line_that_the_portal_refuses_for_good_is_not_kept(
    machine: Machine, portal: Recorder, status: int
) -> None:
    refused = [{"line": 1, "field": "workflow.name", "reason": "must be text."}]
    body = json.dumps({"accepted": 0, "unchanged": 0, "refused": refused}).encode()
    portal.answer = lambda _: Answer(status, body)
    ran = machine.exec(*FAILS, options=("--verbose",))
    assert b"refused a line for good: workflow.name must be text." in ran.stderr
    assert machine.kept == []


@pytest.mark.slow
def test_a_short_disturbance_is_waited_out(machine: Machine, portal: Recorder) -> None:
    portal.answer = lambda sent: Answer(503 if len(portal.ends) == 1 else 200)
    assert machine.exec("true", options=("--verbose",)).stderr.splitlines()[-1].endswith(b"was sent")
    assert [line["status"] for line in portal.ends] == ["completed", "completed"]


@pytest.mark.slow
def test_errors_name_the_portal_and_hide_the_key(machine: Machine, portal: Recorder) -> None:
    def echo(sent: Sent) -> Answer:
        said = f"{sent.headers['Authorization']} is wrong\n\x1b[2Jnow"
        return Answer(401, json.dumps({"error": {"message": said}}).encode())

    portal.answer = echo
    verbose = machine.exec("true", options=("--verbose",))
    flushed = machine.flush()
    for ran in (verbose, flushed):
        assert f"run-portal: {portal.url} answered 401: Bearer [key] is wrong now\n".encode() in ran.stderr
        assert KEY.encode() not in ran.stderr + ran.stdout


@pytest.mark.slow
def test_a_key_goes_over_plain_http_only_if_told_to(machine: Machine, portal: Recorder) -> None:
    url = portal.url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - an address of this machine that is no loopback
    ran = machine.exec(*FAILS, options=("--url", url))
    assert (ran.returncode, ran.stdout) == (3, b"out\n")
    assert b"run-portal: The key is not sent to 0.0.0.0 over plain http" in ran.stderr
    assert portal.requests == []
    assert left_alone(machine.exec(*FAILS, options=("--url", url, "--insecure-http")))
    assert len({line["external_id"] for line in portal.ends}) == 2


@pytest.mark.slow
def test_plain_http_goes_to_no_proxy(machine: Machine, portal: Recorder) -> None:
    with recording() as proxy:
        names = ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY")
        machine.exec("true", env=machine.environment | dict.fromkeys(names, proxy.url))
        assert len(portal.ends) == 1
        assert proxy.requests == []


@pytest.mark.slow
def test_without_a_portal_the_command_runs_and_one_line_says_what_is_missing(machine: Machine) -> None:
    ran = machine.exec(*FAILS, options=("--key-file", "/nowhere/key"))
    assert (ran.returncode, ran.stdout) == (3, b"out\n")
    said = b"run-portal: The key file /nowhere/key cannot be read: No such file or directory.\n"
    assert ran.stderr == b"err\n" + said


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"RUN_PORTAL_URL": ""}, "There is no address of a portal"),
        ({"RUN_PORTAL_KEY": ""}, "There is no ingest key"),
        ({"RUN_PORTAL_KEY": "op_ing_é"}, "The ingest key has characters that no key has."),
        ({"RUN_PORTAL_URL": "runs.example.com"}, "The address of the portal must be like https://"),
    ],
)
def test_what_is_missing_is_named(variables: dict[str, str], fault: str) -> None:
    environ = {"RUN_PORTAL_URL": "https://runs.example.com", "RUN_PORTAL_KEY": KEY} | variables
    assert settings(environ).fault.startswith(fault)


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("https://runs.example.com", True),
        ("https://runs.example.com/team/", True),
        ("http://localhost:8000", True),
        ("http://127.1.2.3", True),
        ("http://[::1]:8000", True),
        ("http://runs.example.com", False),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://127.0.0.1@runs.example.com", False),
        ("https://user:password@runs.example.com", False),
        ("https://runs.example.com/?a=b", False),
        ("https://", False),
        ("http://[::1", False),
        ("https://runs.example.com:port", False),
        ("ftp://runs.example.com", False),
        ("file:///etc/passwd", False),
    ],
)
def test_an_address_is_https_or_of_this_machine(url: str, fits: bool) -> None:
    assert (settings({"RUN_PORTAL_URL": url, "RUN_PORTAL_KEY": KEY}).fault == "") is fits


@pytest.mark.parametrize(
    "arguments",
    [
        ("exec", "--", "true"),
        ("exec", "--workflow", "Backup"),
        ("exec", "--workflow", " ", "--", "true"),
        ("exec", "--workflow", "x" * 201, "--", "true"),
        ("exec", "--workflow", "Backup", "--trigger", "cron", "--", "true"),
        ("exec", "--workflow", "Backup", "--label", "team", "--", "true"),
        ("exec", "--workflow", "Backup", "--wait", "-1", "--", "true"),
        ("exec", "--workflow", "Backup", "--key", "op_ing_1", "--", "true"),
        ("flush", "--", "true"),
        (),
    ],
)
def test_wrong_options_are_refused_before_anything_runs(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_portal.main(arguments)
    assert ended.value.code == 2
    assert "run-portal" in capsys.readouterr().err
