"""What is pending, what is taken first, what acts at once: signals without a task."""

from __future__ import annotations

import signal

import pytest

from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import (
    DEFAULT,
    IGNORE,
    SA_NOCLDSTOP,
    SA_NOCLDWAIT,
    SA_RESETHAND,
    Action,
    Disposition,
    Effect,
    SignalInfo,
    bit,
    bits,
    check_number,
    effect,
    numbers,
    signal_set,
)
from asyncipc.kernel.signals.state import QUEUED_MAX, Pending, Thread
from asyncipc.kernel.signals.wait import SignalWait
from tests.kernel.helpers import failure, sleep_in

ALL = bits(range(1, 65))
USR1, USR2, TERM, CHLD = signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGCHLD


def handler(_: int, __: SignalInfo) -> None:
    raise AssertionError("the kernel runs no handlers")


HANDLED = Action(handler)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def process(kernel: Kernel) -> Process:
    console = Console(kernel, lambda data: None)
    console.hold()
    return kernel.first_process("main", console)


def taken(pending: Pending) -> list[int]:
    found = []
    while info := pending.take(ALL):
        found.append(info.si_signo)
    return found


@pytest.mark.parametrize(
    ("number", "default"),
    [
        (signal.SIGTERM, Effect.TERMINATE),
        (signal.SIGKILL, Effect.TERMINATE),
        (signal.SIGUSR1, Effect.TERMINATE),
        (64, Effect.TERMINATE),
        (signal.SIGSTOP, Effect.STOP),
        (signal.SIGTSTP, Effect.STOP),
        (signal.SIGCONT, Effect.NOTHING),
        (signal.SIGCHLD, Effect.NOTHING),
        (signal.SIGURG, Effect.NOTHING),
        (signal.SIGWINCH, Effect.NOTHING),
    ],
)
def test_default_effects(number: int, default: Effect) -> None:
    assert effect(number, Disposition.DEFAULT) is default
    assert effect(number, Disposition.IGNORE) is Effect.NOTHING
    assert effect(number, handler) is Effect.HANDLER


def test_numbers_of_signals() -> None:
    for number in (0, 1, 64):
        check_number(number)
    assert [failure(check_number, number) for number in (-1, 65)] == ["EINVAL", "EINVAL"]
    assert failure(signal_set, [0]) == failure(signal_set, [65]) == "EINVAL"
    assert list(numbers(signal_set([64, 1, 34]))) == [1, 34, 64]


def test_standard_signals_merge_and_the_first_info_is_kept() -> None:
    pending = Pending()
    for value in (1, 2):
        pending.add(SignalInfo(USR1, si_value=value))
    info = pending.take(ALL)
    assert info is not None
    assert info.si_value == 1
    assert pending.take(ALL) is None


def test_real_time_signals_queue_in_order_up_to_a_bound() -> None:
    pending = Pending()
    for value in range(QUEUED_MAX):
        pending.add(SignalInfo(34, si_value=value), must_queue=True)
    full = SignalInfo(34, si_value=-1)
    assert failure(lambda: pending.add(full, must_queue=True)) == "EAGAIN"
    pending.add(full)  # kill: it merges
    values = [info.si_value for info in iter(lambda: pending.take(ALL), None)]
    assert values == list(range(QUEUED_MAX))


def test_the_lowest_is_taken_first_but_faults_before_all() -> None:
    pending = Pending()
    for number in (64, 34, TERM, USR1, signal.SIGHUP, signal.SIGSEGV):
        pending.add(SignalInfo(number))
    assert taken(pending) == [signal.SIGSEGV, signal.SIGHUP, USR1, TERM, 34, 64]


def test_what_is_put_back_comes_first_again() -> None:
    pending = Pending()
    for value in (1, 2):
        pending.add(SignalInfo(34, si_value=value))
    first = pending.take(ALL)
    assert first is not None
    pending.put_back(first)
    assert [info.si_value for info in iter(lambda: pending.take(ALL), None)] == [1, 2]


def test_sigsuspends_mask_lasts_until_a_handler_begins() -> None:
    thread = Thread(bit(USR1))
    thread.suspend(bit(USR2) | bit(signal.SIGKILL))
    assert thread.mask == bit(USR2)
    assert thread.enter(bit(TERM)) == bit(USR1)  # what comes back after it
    assert thread.mask == bit(USR2) | bit(TERM)


def test_a_blocked_signal_is_kept_even_if_it_is_ignored(kernel: Kernel, process: Process) -> None:
    process.main.block(bit(CHLD) | bit(USR1))
    for number in (CHLD, USR1):
        kernel.signal(process, number)
    assert process.pending.bits == bit(CHLD) | bit(USR1)
    kernel.set_action(process, CHLD, DEFAULT)  # ignored by default: that discards
    kernel.set_action(process, USR1, DEFAULT)
    assert process.pending.bits == bit(USR1)
    kernel.set_action(process, USR1, IGNORE)
    assert not process.pending.bits


def test_what_is_unblocked_acts_at_once(kernel: Kernel, process: Process) -> None:
    process.main.block(bit(TERM))
    kernel.signal(process, TERM)
    assert process.alive
    process.main.block(0)
    kernel.delivery.settle(process)
    assert process.status == TERM


def test_stops_and_sigcont_discard_each_other(kernel: Kernel, process: Process) -> None:
    process.main.block(bit(signal.SIGTSTP) | bit(signal.SIGCONT))
    for number in (signal.SIGTSTP, signal.SIGCONT, signal.SIGTSTP):
        kernel.signal(process, number)
        assert process.pending.bits == bit(number)


def test_sigcont_continues_although_it_is_blocked_or_ignored(
    kernel: Kernel, process: Process
) -> None:
    process.main.block(bit(signal.SIGCONT))
    kernel.signal(process, signal.SIGSTOP)
    kernel.signal(process, signal.SIGCONT)
    assert process.state is State.RUNNING
    assert process.pending.bits == bit(signal.SIGCONT)


def test_a_handled_signal_waits_for_a_task_to_take_it(kernel: Kernel, process: Process) -> None:
    kernel.set_action(process, USR1, HANDLED)
    kernel.signal(process, USR1)
    assert process.is_due(process.main)
    kernel.signal(process, signal.SIGSTOP)
    assert not process.is_due(process.main)
    kernel.signal(process, signal.SIGCONT)
    taken = kernel.delivery.take_handled(process, process.main)
    assert taken is not None
    assert (taken[0].si_signo, taken[1]) == (USR1, HANDLED)
    assert not process.is_due(process.main)


def test_resethand_lasts_for_one_signal(kernel: Kernel, process: Process) -> None:
    kernel.set_action(process, 34, Action(handler, SA_RESETHAND))
    for _ in range(2):
        kernel.signal(process, 34)
    assert kernel.delivery.take_handled(process, process.main) is not None
    kernel.delivery.settle(process)
    assert process.status == 34


def test_exec_forgets_handlers(kernel: Kernel, process: Process) -> None:
    kernel.set_action(process, USR1, Action(handler, SA_RESETHAND, bit(TERM)))
    kernel.set_action(process, USR2, Action(Disposition.IGNORE, SA_RESETHAND))
    kernel.execute(process, "other")
    assert (process.action(USR1), process.action(USR2)) == (DEFAULT, IGNORE)
    assert not process.handled


def test_a_parent_is_told_of_stops_ends_and_goings_on(kernel: Kernel, process: Process) -> None:
    process.main.block(bit(CHLD))
    child = kernel.fork(process, "child")
    told = []
    for number in (signal.SIGSTOP, signal.SIGCONT, signal.SIGKILL):
        kernel.signal(child, number)
        info = process.pending.take(ALL)
        assert info is not None
        told.append((info.si_signo, info.si_code, info.si_pid, info.si_status))
    assert told == [
        (CHLD, 5, child.pid, signal.SIGSTOP),
        (CHLD, 6, child.pid, signal.SIGCONT),
        (CHLD, 2, child.pid, signal.SIGKILL),
    ]


def test_nocldstop_and_nocldwait(kernel: Kernel, process: Process) -> None:
    process.main.block(bit(CHLD))
    kernel.set_action(process, CHLD, Action(handler, SA_NOCLDSTOP | SA_NOCLDWAIT))
    child = kernel.fork(process, "child")
    kernel.signal(child, signal.SIGSTOP)
    kernel.signal(child, signal.SIGCONT)
    assert not process.pending.bits
    kernel.signal(child, TERM)
    assert child.state is State.REAPED
    assert process.pending.bits == bit(CHLD)


def test_sigwait_takes_the_threads_own_before_the_processs(
    kernel: Kernel, process: Process
) -> None:
    process.main.block(bit(USR1) | bit(USR2))
    wait = SignalWait(kernel.delivery, process, process.main, bit(USR1) | bit(USR2))
    waiter, _ = sleep_in(wait)
    kernel.signal(process, USR1)
    kernel.delivery.deliver(process, SignalInfo(USR2), process.main)
    assert waiter.wakes == 2
    first, second = wait(), wait()
    assert isinstance(first, SignalInfo)
    assert isinstance(second, SignalInfo)
    assert (first.si_signo, second.si_signo) == (USR2, USR1)


def test_init_hears_no_signal(kernel: Kernel, process: Process) -> None:
    kernel.delivery.queue(process, 1, 34, 0)
    assert not kernel.init.pending.bits
    assert failure(kernel.delivery.queue, process, 99, 34, 0) == "ESRCH"
    assert failure(kernel.delivery.queue, process, 1, 65, 0) == "EINVAL"
