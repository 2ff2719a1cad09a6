"""Processes and signals without a task: the kernel and its process objects."""

from __future__ import annotations

import pytest

from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import (
    CONTINUED_STATUS,
    WCONTINUED,
    WNOHANG,
    WUNTRACED,
    Kernel,
    exit_status,
)
from asyncipc.kernel.process import Process, State
from asyncipc.kernel.signals import (
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGPIPE,
    SIGSTOP,
    SIGTERM,
    SIGTSTP,
    Disposition,
)
from tests.kernel.helpers import failure, refused, sleep_in


@pytest.fixture
def kernel() -> Kernel:
    return Kernel(processes_max=20)


@pytest.fixture
def parent(kernel: Kernel) -> Process:
    console = Console(kernel, lambda data: None)
    console.hold()
    return kernel.first_process("main", console)


def test_the_first_process_is_pid_2_and_inits_child(kernel: Kernel, parent: Process) -> None:
    assert (kernel.init.pid, parent.pid, parent.parent) == (1, 2, kernel.init)
    assert [entry.fd for entry in parent.table] == [0, 1, 2]


def test_a_child_inherits_group_and_dispositions_and_no_pending_signal(
    kernel: Kernel, parent: Process
) -> None:
    kernel.set_disposition(parent, SIGTERM, Disposition.IGNORE)
    parent.pending.add(SIGTSTP)
    child = kernel.fork(parent, "child")
    assert (child.parent, child.group) == (parent, parent.group)
    assert child.disposition(SIGTERM) is Disposition.IGNORE
    assert not child.pending


def test_an_end_closes_the_table_in_that_moment_and_leaves_a_zombie(
    kernel: Kernel, parent: Process
) -> None:
    child = kernel.fork(parent, "child")
    r, w = kernel.pipe(0)
    child.table.open(r, w, cloexec=False)
    kernel.end(child, exit_status(7))
    assert (r.holders, w.holders, len(child.table)) == (0, 0, 0)
    assert child.state is State.ZOMBIE
    kernel.kill(parent, child.pid, 0)
    assert kernel.waitpid(parent, child.pid, 0) == (child.pid, 7 << 8)
    assert child.state is State.REAPED
    assert failure(kernel.kill, parent, child.pid, 0) == "ESRCH"


def test_ending_twice_is_ending_once(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    kernel.end(child, exit_status(1))
    kernel.end(child, exit_status(2))
    assert kernel.waitpid(parent, -1, 0) == (child.pid, 1 << 8)
    assert failure(kernel.waitpid, parent, -1, 0) == "ECHILD"


def test_init_adopts_orphans_and_reaps_them(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    living, dead = kernel.fork(child, "living"), kernel.fork(child, "dead")
    kernel.end(dead, 0)
    kernel.end(child, 0)
    assert living.parent is kernel.init
    assert dead.state is State.REAPED
    kernel.end(living, 0)
    assert living.state is State.REAPED
    assert set(kernel.processes) == {1, 2, child.pid}


def test_wait_takes_zombies_in_order_of_birth(kernel: Kernel, parent: Process) -> None:
    children = [kernel.fork(parent, "child") for _ in range(3)]
    for child in reversed(children):
        kernel.end(child, 0)
    waited = [kernel.waitpid(parent, -1, 0) for _ in children]
    assert waited == [(child.pid, 0) for child in children]


def test_wait_refuses_while_no_child_has_news(kernel: Kernel, parent: Process) -> None:
    assert failure(kernel.waitpid, parent, -1, 0) == "ECHILD"
    child = kernel.fork(parent, "child")
    assert kernel.waitpid(parent, -1, WNOHANG) == (0, 0)
    assert failure(kernel.waitpid, parent, parent.pid, 0) == "ECHILD"
    assert failure(kernel.waitpid, parent, -1, 1 << 20) == "EINVAL"
    waiters = [sleep_in(kernel.waitpid, parent, -1, 0)[0] for _ in range(2)]
    kernel.end(child, 0)
    assert [waiter.wakes for waiter in waiters] == [1, 1]


def test_wait_for_a_group(kernel: Kernel, parent: Process) -> None:
    child, other = kernel.fork(parent, "child"), kernel.fork(parent, "other")
    other.group = other.pid
    kernel.end(other, 0)
    assert refused(kernel.waitpid, parent, 0, 0)
    assert kernel.waitpid(parent, -other.pid, 0) == (other.pid, 0)
    kernel.end(child, 0)
    assert kernel.waitpid(parent, 0, 0) == (child.pid, 0)


def test_stop_and_continue_are_each_told_once(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    kernel.signal(child, SIGSTOP)
    assert refused(kernel.waitpid, parent, child.pid, 0)
    assert kernel.waitpid(parent, -1, WUNTRACED) == (child.pid, SIGSTOP << 8 | 0x7F)
    assert kernel.waitpid(parent, -1, WUNTRACED | WNOHANG) == (0, 0)
    kernel.signal(child, SIGCONT)
    assert kernel.waitpid(parent, -1, WCONTINUED) == (child.pid, CONTINUED_STATUS)
    assert kernel.waitpid(parent, -1, WCONTINUED | WNOHANG) == (0, 0)


def test_a_stopped_process_keeps_fatal_signals_but_sigkill_for_later(
    kernel: Kernel, parent: Process
) -> None:
    children = [kernel.fork(parent, "child") for _ in range(2)]
    for child in children:
        kernel.signal(child, SIGSTOP)
        kernel.signal(child, SIGTERM)
        assert child.state is State.STOPPED
    kernel.signal(children[0], SIGKILL)
    kernel.signal(children[1], SIGCONT)
    assert [child.status for child in children] == [SIGKILL, SIGTERM]


def test_ignoring_a_signal_discards_a_pending_one(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    kernel.signal(child, SIGSTOP)
    kernel.signal(child, SIGTERM)
    kernel.set_disposition(child, SIGTERM, Disposition.IGNORE)
    kernel.signal(child, SIGCONT)
    assert child.state is State.RUNNING


def test_the_terminals_stop_does_nothing_in_an_orphaned_group(
    kernel: Kernel, parent: Process
) -> None:
    kernel.signal(parent, SIGTSTP)
    assert parent.state is State.RUNNING
    kernel.signal(parent, SIGSTOP)
    assert parent.state is State.STOPPED


def test_the_terminals_stop_works_where_a_parent_can_continue(
    kernel: Kernel, parent: Process
) -> None:
    child = kernel.fork(parent, "child")
    child.group = child.pid
    kernel.signal(child, SIGTSTP)
    assert child.state is State.STOPPED


def test_kill_finds_its_targets(kernel: Kernel, parent: Process) -> None:
    child, other = kernel.fork(parent, "child"), kernel.fork(parent, "other")
    other.group = other.pid
    kernel.kill(parent, -other.pid, SIGKILL)
    assert (child.alive, other.alive) == (True, False)
    kernel.kill(parent, -1, SIGKILL)
    assert (parent.alive, child.alive, kernel.init.alive) == (True, False, True)
    kernel.kill(parent, 0, SIGTERM)
    assert not parent.alive


def test_kill_errors(kernel: Kernel, parent: Process) -> None:
    assert failure(kernel.kill, parent, 99, 0) == "ESRCH"
    assert failure(kernel.kill, parent, -99, 0) == "ESRCH"
    assert failure(kernel.kill, parent, parent.pid, 65) == "EINVAL"
    kernel.kill(parent, parent.pid, 0)
    kernel.kill(parent, 1, SIGKILL)
    assert kernel.init.alive


def test_a_group_of_zombies_still_exists(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    child.group = child.pid
    kernel.end(child, 0)
    kernel.kill(parent, -child.pid, SIGTERM)


def test_who_ignores_sigchld_has_no_zombies(kernel: Kernel, parent: Process) -> None:
    kernel.set_disposition(parent, SIGCHLD, Disposition.IGNORE)
    child, other = kernel.fork(parent, "child"), kernel.fork(parent, "other")
    waiter, _ = sleep_in(kernel.waitpid, parent, -1, 0)
    kernel.end(child, 0)
    assert child.state is State.REAPED
    assert waiter.wakes == 1
    assert refused(kernel.waitpid, parent, -1, 0)
    kernel.end(other, 0)
    assert failure(kernel.waitpid, parent, -1, 0) == "ECHILD"


def test_sigkill_and_sigstop_cannot_be_ignored(kernel: Kernel, parent: Process) -> None:
    for number in (SIGKILL, SIGSTOP, 0, 65):
        assert failure(kernel.set_disposition, parent, number, Disposition.IGNORE) == "EINVAL"
    former = kernel.set_disposition(parent, SIGPIPE, Disposition.DEFAULT)
    assert former is Disposition.IGNORE


def test_a_fork_bomb_meets_eagain_and_makes_no_process(kernel: Kernel, parent: Process) -> None:
    while len(kernel.processes) < 20:
        kernel.fork(parent, "child")
    assert failure(kernel.fork, parent, "child") == "EAGAIN"
    assert len(kernel.processes) == 20
    assert len(parent.children) == 18


def test_pids_are_not_used_again_while_there_are_others(kernel: Kernel, parent: Process) -> None:
    first = kernel.fork(parent, "child")
    kernel.end(first, 0)
    kernel.waitpid(parent, -1, 0)
    assert kernel.fork(parent, "child").pid == first.pid + 1


def test_exec_closes_what_is_marked_and_keeps_ignored_signals(
    kernel: Kernel, parent: Process
) -> None:
    parent.table.open(*kernel.pipe(0), cloexec=True)
    kernel.set_disposition(parent, SIGTERM, Disposition.IGNORE)
    kernel.execute(parent, "other")
    assert [entry.fd for entry in parent.table] == [0, 1, 2]
    assert (parent.name, parent.disposition(SIGTERM)) == ("other", Disposition.IGNORE)


def test_exit_keeps_eight_bits() -> None:
    assert [exit_status(code) for code in (0, 7, 256, 300, -1)] == [0, 1792, 0, 11264, 65280]
