"""What `run-portal exec` leaves as it is: output, exit status, signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

import run_portal
from tests.exec.conftest import Machine
from tests.exec.recorder import Recorder

SIGNALS = """
import signal, sys
watched = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2}
signal.pthread_sigmask(signal.SIG_BLOCK, watched)
print("ready", flush=True)
for _ in range(int(sys.argv[1])):
    print(signal.Signals(signal.sigwait(watched)).name, flush=True)
sys.exit(9)
"""
"""A command that names each signal that it gets, and ends with 9 after so many."""


def python(program: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-IS", "-c", program, *arguments)


def pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream
    return stream


@pytest.mark.slow
def test_both_streams_and_the_exit_status_are_those_of_the_command(
    machine: Machine, portal: Recorder
) -> None:
    ran = machine.exec("sh", "-c", "cat; echo out; echo err >&2; exit 77", stdin=subprocess.PIPE)
    assert (ran.returncode, ran.stdout, ran.stderr) == (77, b"out\n", b"err\n")
    [end] = portal.ends
    assert (end["status"], end["error"], end["steps"][0]["exit_code"]) == ("failed", "Exit status 77", 77)
    assert sorted(end["steps"][0]["result"]["output"].splitlines()) == ["err", "out"]


@pytest.mark.slow
def test_the_command_reads_our_standard_input(machine: Machine) -> None:
    with machine.start_exec("cat", stdin=subprocess.PIPE) as process:
        assert process.communicate(b"from outside", timeout=60)[0] == b"from outside"


@pytest.mark.slow
def test_streams_that_go_to_one_place_keep_their_order(machine: Machine, portal: Recorder) -> None:
    program = "i=0; while [ $i -lt 200 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done"
    ran = machine.exec("sh", "-c", program, stderr=subprocess.STDOUT)
    said = "".join(f"out {i}\nerr {i}\n" for i in range(200))
    assert ran.stdout.decode() == said
    assert portal.ends[0]["steps"][0]["result"]["output"] == said


@pytest.mark.slow
def test_output_passes_while_the_command_runs(machine: Machine) -> None:
    with machine.start_exec("sh", "-c", "echo asks; read word; echo $word", stdin=subprocess.PIPE) as process:
        assert pipe(process.stdout).readline() == b"asks\n"
        assert process.communicate(b"answer\n", timeout=60)[0] == b"answer\n"


@pytest.mark.slow
def test_a_command_that_a_signal_kills_ends_as_in_a_shell(machine: Machine, portal: Recorder) -> None:
    assert machine.exec("sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    [end] = portal.ends
    assert (end["status"], end["error"], end["steps"][0]["exit_code"]) == ("failed", "Killed by SIGTERM", 143)


@pytest.mark.slow
def test_every_signal_reaches_the_command(machine: Machine, portal: Recorder) -> None:
    with machine.start_exec(*python(SIGNALS, "6")) as process:
        assert pipe(process.stdout).readline() == b"ready\n"
        for name in (b"SIGTERM", b"SIGINT", b"SIGHUP", b"SIGQUIT", b"SIGUSR1", b"SIGUSR2"):
            process.send_signal(signal.Signals[name.decode()])
            assert pipe(process.stdout).readline() == name + b"\n"
        process.communicate(timeout=60)
    assert process.returncode == 9
    assert portal.ends[0]["steps"][0]["exit_code"] == 9


@pytest.mark.slow
def test_ctrl_c_in_a_terminal_reaches_the_command_once(machine: Machine) -> None:
    master, terminal = os.openpty()
    arguments = ("exec", "--workflow", "Backup", "--", *python(SIGNALS, "2"))
    script = Path(run_portal.__file__)
    process = subprocess.Popen(
        ["setsid", "--ctty", sys.executable, "-IS", script, *arguments],
        stdin=terminal,
        stdout=subprocess.PIPE,
        env=machine.environment,
    )
    with process:
        os.close(terminal)
        assert pipe(process.stdout).readline() == b"ready\n"
        os.write(master, b"\x03")
        assert pipe(process.stdout).readline() == b"SIGINT\n"
        process.send_signal(signal.SIGTERM)
        assert process.communicate(timeout=60)[0] == b"SIGTERM\n"
    os.close(master)


@pytest.mark.slow
def test_a_command_that_cannot_be_started_fails_as_in_a_shell(machine: Machine, portal: Recorder) -> None:
    plain = machine.home / "plain"
    plain.write_text("not a program")
    for command, status in (("/nowhere/at/all", 127), (str(plain), 126)):
        ran = machine.exec(command)
        assert (ran.returncode, ran.stdout) == (status, b"")
        assert ran.stderr.startswith(f"run-portal: {command} cannot be started".encode())
    assert [(end["outcome"], end["steps"][0]["exit_code"]) for end in portal.ends] == [
        ("start_failed", 127),
        ("start_failed", 126),
    ]


@pytest.mark.slow
def test_a_script_without_its_first_line_runs_in_the_shell(machine: Machine) -> None:
    script = machine.home / "script"
    script.write_text("echo $1\n")
    script.chmod(0o755)
    assert machine.exec(str(script), "as cron does").stdout == b"as cron does\n"


@pytest.mark.slow
def test_what_the_command_leaves_running_is_not_waited_for_and_still_heard(machine: Machine) -> None:
    program = "exec 3<&0; (read word; echo later $word) <&3 & echo now"
    with machine.start_exec("sh", "-c", program, stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=60) == 0
        assert pipe(process.stdout).readline() == b"now\n"
        assert process.communicate(b"on\n", timeout=60)[0] == b"later on\n"


@pytest.mark.slow
def test_the_command_has_the_descriptors_that_we_were_given(machine: Machine) -> None:
    reader, writer = os.pipe()
    ran = machine.exec("ls", "/proc/self/fd", pass_fds=[reader])
    os.close(reader)
    os.close(writer)
    descriptors = set(ran.stdout.decode().split())
    assert len(descriptors - {"0", "1", "2"}) == 2  # that of the folder, which `ls` opened, and
    assert str(reader) in descriptors


@pytest.mark.slow
def test_when_nobody_reads_the_command_ends_as_in_a_pipeline(machine: Machine, portal: Recorder) -> None:
    with machine.start_exec("yes") as process:
        assert pipe(process.stdout).readline() == b"y\n"
        pipe(process.stdout).close()
        assert process.wait(timeout=60) == 128 + signal.SIGPIPE
    assert portal.ends[0]["error"] == "Killed by SIGPIPE"


@pytest.mark.slow
def test_a_full_disk_does_not_stop_the_command(machine: Machine, portal: Recorder) -> None:
    with open("/dev/full", "wb") as full:
        assert machine.exec("sh", "-c", "echo lost; exit 4", stdout=full).returncode == 4
    assert portal.ends[0]["steps"][0]["result"] == {"output": "lost\n"}


@pytest.mark.slow
def test_closed_streams_do_no_harm(machine: Machine, portal: Recorder) -> None:
    script = Path(run_portal.__file__)
    line = f"{sys.executable} -IS {script} exec --workflow Backup -- sh -c 'echo out; exit 5' <&- >&- 2>&-"
    assert subprocess.run(["sh", "-c", line], env=machine.environment, timeout=60).returncode == 5
    assert portal.ends[0]["steps"][0]["result"] == {"output": "out\n"}


@pytest.mark.slow
def test_much_output_passes_whole_in_little_memory(machine: Machine, portal: Recorder) -> None:
    size = 60_000_000
    program = f"head -c {size} /dev/zero; echo end >&2; read word"
    with machine.start_exec("sh", "-c", program, stdin=subprocess.PIPE) as process:
        count = 0
        while count < size:
            count += len(pipe(process.stdout).read1(1_000_000))
        assert pipe(process.stderr).readline() == b"end\n"
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.communicate(b"\n", timeout=60)
    [peak] = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")]
    assert peak < 50_000  # kB
    assert len(portal.ends[0]["steps"][0]["result"]["output"]) <= run_portal.TAIL_BYTES


@pytest.mark.slow
def test_bytes_pass_as_they_are_and_are_sent_as_text(machine: Machine, portal: Recorder) -> None:
    program = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 2)"
    assert machine.exec(*python(program)).stdout == bytes(range(256)) * 2
    output = portal.ends[0]["steps"][0]["result"]["output"]
    assert "\x00" not in output
    assert "ABCDEFG" in output
    assert "\ufffd" in output


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        (
            "\x1b[31;1mred\x1b[0m \x1b]0;title\x07and\x1b]8;;http://a.example\x1b\\ plain\x1b(B",
            "red and plain",
        ),
        ("10 %\r50 %\r100 %\nend\r\n", "100 %\nend\n"),
        ("still at 10 %\r", "still at 10 %"),
        ("tab\tbell\x07nul\x00", "tab\tbell\ufffdnul\ufffd"),
        ("an open \x1b]0;title\nthat never ends", "an open 0;title\nthat never ends"),
        ("grüße 🎧", "grüße 🎧"),
    ],
)
def test_output_is_sent_as_a_terminal_leaves_it(written: str, sent: str) -> None:
    assert run_portal.printable(written) == sent


def test_a_tail_begins_with_a_whole_line_or_at_least_a_whole_character() -> None:
    tail = run_portal.Tail()
    for number in range(20_000):
        tail.add(f"line {number}\n".encode())
    lines = tail.text().splitlines()
    assert lines[0].startswith("line ")
    assert lines[-1] == "line 19999"
    endless = run_portal.Tail()
    endless.add(b"x" + "ü".encode() * 40_000)
    assert set(endless.text()) == {"ü"}
