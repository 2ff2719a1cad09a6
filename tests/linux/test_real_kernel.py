"""The real kernel as a machine of the replayer: it agrees, it is contained, it leaves nothing."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.linux.machine import LOST, Case
from tests.linux.operations import OPERATIONS
from tests.linux.oplang import Written
from tests.linux.real.conductor import RealKernel
from tests.linux.real.rights import why_not
from tests.linux.replay import HERE, differences, load, main

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")

SAMPLE: Final = ("pipe.", "fd.dup", "eventfd.", "unix.dgram.sendto", "signal.order", "lock.", "mq.")
"""What of the measured cases is run here; the replayer's command runs them all."""


@pytest.fixture(scope="module")
def kernel() -> Iterator[RealKernel]:
    with RealKernel() as kernel:
        yield kernel


def case(*lines: str) -> Case:
    return Case("made here", tuple((line, "") for line in lines))


def descendants(pid: int) -> set[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(") ")[2].split()[1])
        except (OSError, IndexError):
            continue
        parents.setdefault(parent, []).append(int(entry.name))
    found: set[int] = set()
    remaining = [pid]
    while remaining:
        below = parents.get(remaining.pop(), [])
        found.update(below)
        remaining += below
    return found


@pytest.mark.parametrize(
    "measured",
    [case for case in load(HERE / "observed.json") if case.id.startswith(SAMPLE)],
    ids=lambda case: case.id,
)
def test_this_kernel_does_what_the_measured_one_did(measured: Case, kernel: RealKernel) -> None:
    reason = why_not(measured, kernel.isolated)
    if reason:
        pytest.skip(reason)
    assert [str(difference) for difference in differences(measured, real=kernel)] == []


def test_both_machines_have_the_same_operations() -> None:
    from tests.linux.real.operations import OPERATIONS as REAL

    assert sorted([*REAL, "fork", "thread"]) == sorted(OPERATIONS)


def test_case_of_one_task_gives_the_same_at_once_and_line_by_line(kernel: RealKernel) -> None:
    lines = ["r w = pipe", "write w 'abc'", "read r 2", "poll r", "fdno w", "read 77 1", "getpid"]
    at_once = kernel.outcomes(case(*lines))
    by_line = kernel.outcomes(case(*lines, "fork B"))
    assert at_once == [["fd", "fd"], 3, "'ab'", "IN", 4, "EBADF", "%A"]
    assert by_line == [*at_once, "%B"]


def test_blocked_task_is_seen_and_its_end_too(kernel: RealKernel) -> None:
    lines = [
        "r w = pipe",
        "fork B",
        "B: read r 5",
        "join B",
        "kill %B SIGKILL",
        "join B",
        "B: getpid",
    ]
    expected = [["fd", "fd"], "%B", "BLOCK", "BLOCK", "ok", "DIED", "!BadCase"]
    assert kernel.outcomes(case(*lines)) == expected
    assert kernel.outcomes(case("r w = pipe", "read r 5", "fdno r")) == [
        ["fd", "fd"], "BLOCK", "!BadCase"
    ]  # fmt: skip


def test_worker_has_no_descriptors_but_its_own(kernel: RealKernel) -> None:
    lines = ["close_range 0 -1", "r w = pipe", "fdno r", "dupfd r 19998", "listdir /proc/self/fd"]
    outcomes = kernel.outcomes(case(*lines))
    assert outcomes[:3] == [0, ["fd", "fd"], 0]
    assert outcomes[4] == ["0", "1", "19998", "2"]  # 2 is the listing's own


def test_nothing_reaches_beyond_the_case(kernel: RealKernel) -> None:
    if not kernel.isolated:
        pytest.skip("needs a PID namespace")
    lines = ["fork B", "kill -1 SIGKILL", "B: getpid", "getppid", "kill 2147483647 SIGTERM"]
    assert kernel.outcomes(case(*lines)) == ["%B", "ok", "!BadCase", "%init", "ESRCH"]


def test_without_a_namespace_what_could_reach_others_is_refused() -> None:
    assert why_not(case("kill -1 SIGKILL"), isolated=True) is None
    for line in ("kill -1 SIGKILL", "kill 1 SIGTERM", "fcntl 3 F_SETOWN 1", "p = pidfd_open 1"):
        assert "namespace" in (why_not(case(line), isolated=False) or "")
    for line in ("kill %B SIGKILL", "kill 0 SIGTERM", "killpg %A SIGTERM", "kill 99999 0"):
        assert why_not(case(line), isolated=False) is None


def test_no_process_or_file_is_left() -> None:
    with RealKernel() as kernel:
        process = kernel._process
        assert process is not None
        lines = ["fork B", "B: fork C", "mq_open $N/q O_CREAT|O_RDWR", "msgget $K1 IPC_CREAT"]
        assert kernel.outcomes(case(*lines)) == ["%B", "%C", "fd", "id1"]
        waiting = threading.Thread(target=kernel.outcomes, args=[case("fork B", "sleep 60000")])
        waiting.start()
        while len(inside := descendants(process.pid)) < 2:
            time.sleep(0.01)
        process.terminate()
        waiting.join(20)
        assert not waiting.is_alive()
    until = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in inside) and time.monotonic() < until:
        time.sleep(0.01)
    assert not [pid for pid in inside if Path(f"/proc/{pid}").exists()]
    assert not [name for name in os.listdir("/dev/shm") if f"oracle{process.pid}." in name]


def test_lost_leader_is_told_and_replaced() -> None:
    with RealKernel() as kernel:
        process = kernel._process
        assert process is not None
        process.kill()
        process.wait()
        assert kernel.outcomes(case("getpid", "fdno 3")) == [LOST, LOST]
        assert kernel.outcomes(case("getpid", "fdno 3")) == ["%A", 3]


def replayed(
    tmp_path: Path, arguments: list[str], steps: list[list[Written]], **more: object
) -> tuple[int, list[str]]:
    file = tmp_path / "cases.json"
    file.write_text(json.dumps({"cases": [{"id": "one", "steps": steps, **more}]}))
    return main([str(file), *arguments]), [str(file)]


def test_replay_compares_the_real_kernel_with_the_measurement(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = replayed(tmp_path, ["--machine", "native"], [["fdno 3", 4]])
    assert status == 1
    assert capsys.readouterr().out.splitlines() == [
        "one", "  step 1: fdno 3", "  expected: 4", "  got:      3", "",
        "0 passed, 1 failed, 0 skipped",
    ]  # fmt: skip


def test_replay_on_both_shows_who_told_what(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _ = replayed(tmp_path, ["--machine", "both"], [["fdno 3", 3], ["fdno 3", 4]])
    assert status == 1
    assert capsys.readouterr().out.splitlines() == [
        "one", "  step 2: fdno 3", "  measured:  4", "  simulated: 3", "  native:    3", "",
        "0 passed, 1 failed, 0 skipped",
    ]  # fmt: skip


@pytest.mark.parametrize("machine", ["native", "both"])
def test_case_that_cannot_run_here_is_skipped_with_its_reason(
    machine: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[list[Written]] = [["fdno 3", 3]]
    status, _ = replayed(tmp_path, ["--machine", machine], steps, needs=["linux-99.0"])
    assert status == 0
    assert capsys.readouterr().out.splitlines() == [
        "skipped, needs Linux 99.0: one", "0 passed, 0 failed, 1 skipped"
    ]  # fmt: skip
