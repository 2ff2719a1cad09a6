"""Processes and signals without a task: the kernel and its process objects."""

from __future__ import annotations

from typing import Any

import pytest

from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel, exit_status
from asyncipc.kernel.processes.children import (
    CONTINUED_STATUS,
    P_ALL,
    P_PGID,
    P_PID,
    WCONTINUED,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    WUNTRACED,
)
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import (
    CLD_EXITED,
    CLD_STOPPED,
    DEFAULT,
    IGNORE,
    SIGCHLD,
    SIGCONT,
    SIGKILL,
    SIGPIPE,
    SIGSTOP,
    SIGTERM,
    SIGTSTP,
    SignalInfo,
    bit,
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


def test_a_child_inherits_group_dispositions_and_mask_and_no_pending_signal(
    kernel: Kernel, parent: Process
) -> None:
    kernel.set_action(parent, SIGTERM, IGNORE)
    parent.main.block(bit(SIGTSTP))
    kernel.signal(parent, SIGTSTP)
    child = kernel.fork(parent, "child")
    assert (child.parent, child.group) == (parent, parent.group)
    assert child.action(SIGTERM) == IGNORE
    assert child.main.mask == parent.main.mask
    assert (parent.pending.bits, child.pending.bits) == (bit(SIGTSTP), 0)


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
    kernel.set_action(child, SIGTERM, IGNORE)
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
    kernel.set_action(parent, SIGCHLD, IGNORE)
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
        assert failure(kernel.set_action, parent, number, IGNORE) == "EINVAL"
    assert kernel.set_action(parent, SIGPIPE, DEFAULT) == IGNORE


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
    kernel.set_action(parent, SIGTERM, IGNORE)
    kernel.execute(parent, "other")
    assert [entry.fd for entry in parent.table] == [0, 1, 2]
    assert (parent.name, parent.action(SIGTERM)) == ("other", IGNORE)


def test_exit_keeps_eight_bits() -> None:
    assert [exit_status(code) for code in (0, 7, 256, 300, -1)] == [0, 1792, 0, 11264, 65280]


def test_waitid_tells_a_childs_news_as_sigchld_does(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    assert kernel.waitid(parent, P_PID, child.pid, WEXITED | WNOHANG) is None
    assert refused(kernel.waitid, parent, P_ALL, 0, WEXITED)
    kernel.signal(child, SIGSTOP)
    stopped = SignalInfo(SIGCHLD, CLD_STOPPED, child.pid, si_status=SIGSTOP)
    assert kernel.waitid(parent, P_PGID, 0, WUNTRACED) == stopped
    kernel.signal(child, SIGCONT)
    kernel.end(child, exit_status(7))
    exited = SignalInfo(SIGCHLD, CLD_EXITED, child.pid, si_status=7)
    assert kernel.waitid(parent, P_ALL, 0, WEXITED | WNOWAIT) == exited
    assert kernel.waitid(parent, P_ALL, 0, WEXITED) == exited
    assert failure(kernel.waitid, parent, P_ALL, 0, WEXITED) == "ECHILD"


def test_waitid_wants_to_know_what_for(kernel: Kernel, parent: Process) -> None:
    kernel.fork(parent, "child")
    for wrong in ((P_ALL, 0, WNOHANG), (P_PID, 0, WEXITED), (9, 0, WEXITED), (P_ALL, 0, 1 << 20)):
        assert failure(kernel.waitid, parent, *wrong) == "EINVAL"
    assert failure(kernel.waitid, parent, P_PGID, 1, WEXITED) == "ECHILD"


def test_orphans_and_zombies_go_to_the_nearest_subreaper(kernel: Kernel, parent: Process) -> None:
    parent.subreaper = True
    child = kernel.fork(parent, "child")
    living, dead = kernel.fork(child, "living"), kernel.fork(child, "dead")
    kernel.end(dead, exit_status(3))
    kernel.end(child, 0)
    assert (living.parent, dead.parent) == (parent, parent)
    assert kernel.waitpid(parent, dead.pid, 0) == (dead.pid, 3 << 8)


def test_a_death_signal_comes_from_the_parent_once_the_child_is_adopted(
    kernel: Kernel, parent: Process
) -> None:
    parent.subreaper = True
    child = kernel.fork(parent, "child")
    victim, other = kernel.fork(child, "victim"), kernel.fork(child, "other")
    victim.death_signal = 9
    assert kernel.fork(victim, "grandchild").death_signal == 0
    kernel.end(child, 0)
    assert (victim.state, victim.parent, other.state) == (State.ZOMBIE, parent, State.RUNNING)
    assert kernel.waitpid(parent, victim.pid, 0) == (victim.pid, 9)


def test_a_stopped_group_that_is_orphaned_is_hung_up_and_goes_on(
    kernel: Kernel, parent: Process
) -> None:
    shell = kernel.fork(parent, "shell")
    job, other = kernel.fork(shell, "job"), kernel.fork(shell, "other")
    for member in (job, other):
        kernel.groups.setpgid(shell, member.pid, job.pid)
    kernel.set_action(other, 1, IGNORE)  # SIGHUP
    for member in (job, other):
        kernel.signal(member, SIGTSTP)
    kernel.end(shell, 0)
    assert (job.alive, other.state) == (False, State.RUNNING)


def test_groups_and_sessions_have_linuxs_errors(kernel: Kernel, parent: Process) -> None:
    setpgid, setsid = kernel.groups.setpgid, kernel.groups.setsid
    child, other = kernel.fork(parent, "child"), kernel.fork(parent, "other")
    assert failure(setpgid, parent, 0, 0) == "EPERM"  # a session's leader
    assert failure(setpgid, parent, child.pid, -1) == "EINVAL"
    assert failure(setpgid, parent, 99, 0) == "ESRCH"
    assert failure(setpgid, child, other.pid, 0) == "ESRCH"
    assert failure(setpgid, parent, child.pid, 99) == "EPERM"
    assert setsid(other) == other.pid == other.group
    assert failure(setpgid, parent, other.pid, 0) == "EPERM"
    assert failure(setpgid, child, 0, other.pid) == "EPERM"
    setpgid(parent, child.pid, child.pid)
    assert failure(setsid, child) == "EPERM"
    kernel.execute(child, "program")
    assert failure(setpgid, parent, child.pid, parent.group) == "EACCES"
    setpgid(child, 0, parent.group)
    assert child.group == parent.group


def test_who_is_not_root_signals_its_own_only(kernel: Kernel, parent: Process) -> None:
    child, other = kernel.fork(parent, "child"), kernel.fork(parent, "other")
    child.uid = 1000
    assert failure(kernel.kill, child, other.pid, 0) == "EPERM"
    assert failure(kernel.kill, child, other.pid, SIGTERM) == "EPERM"
    kernel.kill(child, other.pid, SIGCONT)  # the same session
    kernel.groups.setsid(other)
    assert failure(kernel.kill, child, other.pid, SIGCONT) == "EPERM"
    other.uid = 1000
    kernel.kill(child, -1, SIGTERM)
    assert (parent.alive, child.alive, other.alive) == (True, True, False)


def test_waiting_costs_no_more_among_many_living_children() -> None:
    """A server with thousands of children asks for one at a time: only news is looked at."""
    kernel = Kernel(processes_max=2100)
    parent = kernel.first_process("parent", Console(kernel, lambda data: None))
    children = [kernel.fork(parent, "child") for _ in range(2000)]
    looked: list[int] = []

    class Counted(dict[int, Process]):
        def values(self) -> Any:
            looked.append(len(self))
            return super().values()

    parent.children = Counted(parent.children)
    for child in (children[1500], children[3], children[700]):
        kernel.end(child, 0)
    told = [kernel.waitpid(parent, -1, 0) for _ in range(3)]
    assert told == [(children[index].pid, 0) for index in (3, 700, 1500)]
    assert not looked


def test_news_that_has_passed_is_not_told(kernel: Kernel, parent: Process) -> None:
    first, second = (kernel.fork(parent, "child") for _ in range(2))
    kernel.signal(first, SIGSTOP)
    kernel.end(first, 5 << 8)
    kernel.end(second, 0)
    assert kernel.waitpid(parent, second.pid, 0) == (second.pid, 0)
    assert kernel.waitpid(parent, -1, WUNTRACED) == (first.pid, 5 << 8)
    assert failure(kernel.waitpid, parent, -1, WUNTRACED) == "ECHILD"


def test_a_parent_that_waits_by_number_forgets_whom_it_has_reaped(
    kernel: Kernel, parent: Process
) -> None:
    eldest = kernel.fork(parent, "eldest")  # no news of the others is ever the oldest
    kernel.signal(eldest, SIGSTOP)
    for _ in range(200):
        child = kernel.fork(parent, "child")
        kernel.end(child, 0)
        assert kernel.waitpid(parent, child.pid, 0) == (child.pid, 0)
    assert parent.newsworthy is not None
    assert len(parent.newsworthy) < 20
    assert kernel.waitpid(parent, -1, WUNTRACED) == (eldest.pid, SIGSTOP << 8 | 0x7F)


def test_children_that_end_together_are_forgotten_as_each_is_waited_for() -> None:
    kernel = Kernel(processes_max=300)
    parent = kernel.first_process("parent", Console(kernel, lambda data: None))
    children = [kernel.fork(parent, "child") for _ in range(200)]
    for child in children:
        kernel.end(child, 0)
    for child in reversed(children):
        assert kernel.waitpid(parent, child.pid, 0) == (child.pid, 0)
    assert parent.newsworthy is not None
    assert len(parent.newsworthy) < 20


def test_a_child_that_stops_and_goes_on_is_news_of_one(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    for _ in range(200):
        kernel.signal(child, SIGSTOP)
        kernel.signal(child, SIGCONT)
    assert parent.newsworthy is not None
    assert len(parent.newsworthy) < 20
    assert kernel.waitpid(parent, -1, WCONTINUED) == (child.pid, CONTINUED_STATUS)
    assert kernel.waitpid(parent, -1, WCONTINUED | WNOHANG) == (0, 0)


def test_init_keeps_no_news_of_those_whom_it_reaps(kernel: Kernel, parent: Process) -> None:
    child = kernel.fork(parent, "child")
    orphan = kernel.fork(child, "orphan")
    kernel.end(child, 0)
    kernel.end(orphan, 0)
    assert not kernel.init.newsworthy


def test_who_adopts_a_stopped_child_can_still_be_told(kernel: Kernel, parent: Process) -> None:
    parent.subreaper = True
    child = kernel.fork(parent, "child")
    orphan = kernel.fork(child, "orphan")
    orphan.session = orphan.group = orphan.pid  # so nobody hangs it up
    kernel.signal(orphan, SIGSTOP)
    kernel.end(child, 0)
    assert kernel.waitpid(parent, child.pid, 0) == (child.pid, 0)
    assert kernel.waitpid(parent, -1, WUNTRACED) == (orphan.pid, SIGSTOP << 8 | 0x7F)


def test_a_number_that_is_still_a_group_or_a_session_is_given_to_no_process(
    kernel: Kernel, parent: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new process would be in a group, or lead a session, of strangers."""
    monkeypatch.setattr("asyncipc.kernel.kernel.PID_MAX", 12)
    leader, leader_of_session = (kernel.fork(parent, "leader") for _ in range(2))
    kernel.groups.setpgid(parent, leader.pid, 0)
    kernel.groups.setsid(leader_of_session)
    member = kernel.fork(leader, "member")
    stranger = kernel.fork(leader_of_session, "stranger")
    kernel.groups.setpgid(leader_of_session, stranger.pid, 0)
    for gone in (leader, leader_of_session):
        kernel.end(gone, 0)
        kernel.reap(gone)
    assert (leader.pid, leader_of_session.pid, member.pid, stranger.pid) == (3, 4, 5, 6)
    given = []
    for _ in range(14):
        child = kernel.fork(parent, "child")
        given.append(child.pid)
        kernel.end(child, 0)
        kernel.reap(child)
    assert given == [*range(7, 13), *range(7, 13), 7, 8]
    for gone in (member, stranger):  # init's: they are reaped at once
        kernel.end(gone, 0)
    rounds = [kernel.fork(parent, "child").pid for _ in range(8)]
    assert rounds == [9, 10, 11, 12, 3, 4, 5, 6]


def test_numbers_at_the_end_of_the_range_that_are_taken_are_passed_over(
    kernel: Kernel, parent: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asyncipc.kernel.kernel.PID_MAX", 5)
    first, _, last = (kernel.fork(parent, "child") for _ in range(3))
    kernel.end(first, 0)
    kernel.reap(first)
    assert last.pid == 5
    assert kernel.fork(parent, "child").pid == first.pid == 3
