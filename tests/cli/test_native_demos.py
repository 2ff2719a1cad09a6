"""Every demo on the real kernel says what it says on the simulated one, and leaves nothing."""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

import demos
from asyncipc.cli import catalog, showing
from asyncipc.cli.showing import Backend, Stage
from asyncipc.native import libc
from tests.cli.text import of_pid

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="not every demo runs elsewhere")

ON_ONE_HOST: Final = [name for name in demos.READING_ORDER if name not in demos.NETWORK]
MOMENTS: Final = 30
QUEUE: Final = b"/asyncipc-orders"
TAKES_A_MINUTE: Final = "time_wait"
REFUSED_TO_TASKS: Final = {"record_locks": 2, "lock_order": 1, "dead_owner": 1, "passing": 1}
"""How many parts need what belongs to processes of the operating system: record locks,
SEM_UNDO, setuid.
"""
REFUSED_TO_PROCESSES: Final = {"lost_update": 2, "torn_read": 2, "ring_buffer": 1, "dead_owner": 2}
"""How many parts hand anonymous memory to a child, which is another interpreter."""
UNORDERED: Final = {
    "clients": "three children answer at the same time",
    "epoll_server": "two clients speak in the same moment",
    "end_of_file": "a circle says the same for ever, so often as it is let",
    "backlog": "processes of the operating system begin when they can",
    "both_send": "two processes receive at the same time",
    "duplex": "two processes write at the same time",
    "record_locks": "processes of the operating system begin when they can",
    "lost": "the sender does not wait for the receiver",
}
"""Whose lines have no order on the real kernel, and why."""
BY_TIME: Final = {"torn_read"}
"""What the reader finds depends on when it looks, to the millisecond."""
ALONE_IN_TASKS: Final[dict[str, str]] = {
    "lock_order": "F_SETLKW is tried again by time, so nobody sees the circle",
    "stale_path": "a server that is an interpreter does not listen after half a second",
    TAKES_A_MINUTE: "TIME_WAIT takes a minute",
}
if os.getuid():
    ALONE_IN_TASKS["passing"] = "who is not root has no other user to become"


def has_queue() -> bool:
    try:
        number = libc.mq_open(QUEUE, os.O_RDONLY, 0, None)
    except FileNotFoundError:
        return False
    os.close(number)
    return True


def shared_names() -> set[str]:
    return set(os.listdir("/dev/shm"))


def left_within(before: set[str]) -> set[str]:
    """What is new for more than a moment: others' tests come and go."""
    for _ in range(MOMENTS):
        if not shared_names() - before:
            break
        time.sleep(0.1)
    return shared_names() - before


def semaphore_sets() -> set[str]:
    rows = Path("/proc/sysvipc/sem").read_text().splitlines()[1:]
    return {row.split()[1] for row in rows}


@pytest.fixture
def nothing_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No descriptor, child, temporary file or shared memory."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    descriptors, names, young = (
        set(os.listdir("/proc/self/fd")),
        shared_names(),
        children.read_text(),
    )
    yield
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) == descriptors
    assert children.read_text() == young
    assert os.listdir(tmp_path) == []
    assert left_within(names) == set()


Show = Callable[[Stage, str], str]


@pytest.fixture
def show(nothing_left: None, capfd: pytest.CaptureFixture[str]) -> Show:
    """The output of a demo: exit status 0, and nothing on stderr."""

    def output_of(stage: Stage, name: str) -> str:
        assert catalog.load(name).run(stage) == 0
        output, errors = capfd.readouterr()
        assert errors == ""
        assert name != "priorities" or not has_queue()  # a name that others may use meanwhile
        made = re.findall(r"semget\(.*\) = (\d+)", output)
        assert stage.machine == "simulated" or not semaphore_sets() & set(made)
        return output

    return output_of


def parts(output: str) -> list[str]:
    """The parts that a demo shows, one after the other."""
    return re.split(r"^(?=\S.*:\n\n)", output, flags=re.MULTILINE)


def said(part: str, name: str) -> list[str] | set[str]:
    """What the program has written; a pid is any."""
    lines = re.findall(r"^   output │ (.*)$", part, re.MULTILINE)
    lines = [re.sub(r"(process|pid) \[?\d+\]?", r"\1 N", line) for line in lines]
    if name == "end_of_file":
        return set(lines)
    return sorted(lines) if name in UNORDERED else lines


def compare(native: str, simulated: str, name: str, refused: int) -> None:
    """Part by part, but for those that are refused."""
    pairs = list(zip(parts(native), parts(simulated), strict=True))
    shown = [pair for pair in pairs if "\nRefused: " not in pair[0]]
    assert len(pairs) - len(shown) == refused
    for on_native, on_simulated in shown:
        assert said(on_native, name) == said(on_simulated, name)


@pytest.mark.parametrize("name", [n for n in ON_ONE_HOST if n != TAKES_A_MINUTE])
def test_tasks_on_the_real_kernel_say_what_they_say_on_the_simulated(
    name: str, backend: Backend, show: Show
) -> None:
    native = show(Stage(backend, machine="native"), name)
    if name in BY_TIME:
        assert "which never was" not in parts(native)[-1]
        return
    compare(native, show(Stage(backend), name), name, REFUSED_TO_TASKS.get(name, 0))


@pytest.mark.parametrize("name", demos.NETWORK)
def test_there_is_one_real_host_and_a_demo_of_several_says_so(
    name: str, backend: Backend, show: Show
) -> None:
    title, *shown = parts(show(Stage(backend, machine="native"), name))
    assert title.startswith(catalog.summary(name))
    assert shown
    for part in shown:
        assert part.partition("\n")[2] == (
            "\n\nRefused: hosts on the native machine: there is one, the real one\n\n"
        )


def test_time_wait_is_none_of_who_sets_so_reuseaddr(
    backend: Backend, nothing_left: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from demos import time_wait

    Stage(backend, machine="native").show(time_wait.corrected)
    assert capsys.readouterr().out.count("bind(3, ") == 2


@pytest.mark.parametrize("name", [n for n in ON_ONE_HOST if n not in ALONE_IN_TASKS])
def test_processes_of_the_operating_system_say_what_they_say_on_the_simulated_machine(
    name: str, show: Show
) -> None:
    native = show(Stage(machine="native", isolation="process"), name)
    compare(native, show(Stage(), name), name, REFUSED_TO_PROCESSES.get(name, 0))


def test_the_pipe_of_the_demo_crosses_from_process_to_process() -> None:
    """Nor is the demo's module known by another name to the child's interpreter."""
    arguments = ["demo", "pipe", "--machine", "native", "--isolation", "process"]
    done = subprocess.run(
        [sys.executable, "-c", "from asyncipc.cli import main; main()", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    (pid,) = map(int, re.findall(r"fork\(child, \d, \d\) = (\d+)", done.stdout))
    assert "+++ exited with 0 +++" in of_pid(done.stdout, pid)
    assert "   output │ message for parent\n" in done.stdout


def test_a_demo_that_hangs_on_the_real_kernel_is_ended_with_a_report(
    backend: Backend, nothing_left: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asyncipc import Deadlock
    from demos import unclosed

    monkeypatch.setattr(showing, "LOST_S", 1)
    with pytest.raises(Deadlock, match="read"):
        Stage(backend, machine="native").show(unclosed.main)
