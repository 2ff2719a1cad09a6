"""Locks without an event loop: what stands behind what, what is kept, what is forgotten.

What Linux does is in ``tests/linux/locks.json``, any sequence in ``test_locks_model``.
"""

from __future__ import annotations

import pytest

from asyncipc.kernel.anonymous.eventfd import EventFile
from asyncipc.kernel.console import Console
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.files.pipe import new_pipe
from asyncipc.kernel.files.regular import RegularFile, RegularNode
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.locks.flock import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, Flock
from asyncipc.kernel.locks.lock import F_RDLCK, F_UNLCK, F_WRLCK, OFFSET_MAX
from asyncipc.kernel.locks.records import (
    F_GETLK,
    F_OFD_SETLKW,
    F_SETLK,
    F_SETLKW,
    FileLock,
    RecordLock,
    RecordLocks,
)
from asyncipc.kernel.openfile import O_RDWR, OpenFile
from asyncipc.kernel.processes.holdings import held_by
from asyncipc.kernel.processes.process import Process
from tests.kernel.helpers import Asleep, failure, refused, sleep_in


class Machine:
    """One file, and processes that have it open."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.node = RegularNode(self.kernel.memory, 0o666)

    def process(self) -> Process:
        console = Console(self.kernel, lambda data: None)
        return self.kernel.first_process("main", console)

    def open(self, process: Process, file: OpenFile | None = None) -> Descriptor:
        file = file or RegularFile(self.kernel, self.node, O_RDWR)
        return process.table.open(file, cloexec=False)[0]

    def flock(self, entry: Descriptor, operation: int) -> Flock:
        return Flock(self.kernel.locks, entry, operation)

    def record(
        self, process: Process, command: int, kind: int, start: int = 0, length: int = 0
    ) -> RecordLock:
        entry = next(each for each in process.table if isinstance(each.file, RegularFile))
        asked = FileLock(kind, 0, start, length)
        return RecordLock(self.kernel.locks, process, entry, command, asked)

    def held(self) -> list[tuple[int, int, int]]:
        return [(lock.kind, lock.start, lock.end) for _, _, lock, waits in self.kernel.locks]


@pytest.fixture
def machine() -> Machine:
    return Machine()


def two(machine: Machine) -> tuple[Process, Process]:
    first, second = machine.process(), machine.process()
    machine.open(first)
    machine.open(second)
    return first, second


def test_what_has_no_locks_is_forgotten(machine: Machine) -> None:
    process, _ = two(machine)
    entry = machine.open(process)
    machine.flock(entry, LOCK_EX)()
    machine.flock(entry, LOCK_UN)()
    machine.record(process, F_SETLK, F_WRLCK)()
    machine.record(process, F_SETLK, F_UNLCK)()
    machine.record(process, F_GETLK, F_WRLCK)()
    assert machine.kernel.locks._contexts == {}


def test_a_refused_caller_is_woken_once_and_keeps_others_out_until_it_has_tried(
    machine: Machine,
) -> None:
    process = machine.process()
    holder, waiting, newcomer = (machine.open(process) for _ in range(3))
    machine.flock(holder, LOCK_EX)()
    call = machine.flock(waiting, LOCK_EX)
    waiter, refusal = sleep_in(call)
    machine.flock(holder, LOCK_UN)()
    assert waiter.wakes == 1
    assert failure(machine.flock(newcomer, LOCK_SH | LOCK_NB)) == "EAGAIN"
    assert call() is None
    refusal.line.leave(waiter)
    machine.flock(waiting, LOCK_UN)()
    assert machine.flock(newcomer, LOCK_SH | LOCK_NB)() is None


def test_who_was_woken_bars_only_what_it_could_have_itself(machine: Machine) -> None:
    """A writer was woken by the first of two readers: a third reader may enter still."""
    process = machine.process()
    first, second, writer, third = (machine.open(process) for _ in range(4))
    machine.flock(first, LOCK_SH)()
    machine.flock(second, LOCK_SH)()
    waiter, _ = sleep_in(machine.flock(writer, LOCK_EX))
    machine.flock(first, LOCK_UN)()
    assert waiter.wakes == 1
    assert machine.flock(third, LOCK_SH | LOCK_NB)() is None


def test_who_was_woken_and_goes_away_wakes_who_stands_behind(machine: Machine) -> None:
    process = machine.process()
    holder, *others = (machine.open(process) for _ in range(3))
    machine.flock(holder, LOCK_EX)()
    (first, refusal), (second, _) = (sleep_in(machine.flock(each, LOCK_EX)) for each in others)
    machine.flock(holder, LOCK_UN)()
    assert (first.wakes, second.wakes) == (1, 0)
    refusal.line.leave(first)
    assert (first.wakes, second.wakes) == (1, 1)
    refusal.line.leave(first)
    assert second.wakes == 1


def test_who_gets_the_lock_takes_along_who_stood_behind(machine: Machine) -> None:
    """They are not woken to be refused: a crowd costs one wake for each that gets in."""
    process = machine.process()
    holder, *others = (machine.open(process) for _ in range(3))
    machine.flock(holder, LOCK_EX)()
    first, second = (machine.flock(entry, LOCK_EX) for entry in others)
    sleep_in(first)
    waiter, _ = sleep_in(second)
    machine.flock(holder, LOCK_UN)()
    assert first() is None
    assert waiter.wakes == 0
    machine.flock(others[0], LOCK_UN)()
    assert waiter.wakes == 1


def test_the_same_of_octets(machine: Machine) -> None:
    first, second = two(machine)
    third = machine.process()
    machine.open(third)
    machine.record(first, F_SETLK, F_WRLCK)()
    call = machine.record(second, F_SETLKW, F_WRLCK)
    sleep_in(call)
    waiter, _ = sleep_in(machine.record(third, F_SETLKW, F_WRLCK))
    machine.record(first, F_SETLK, F_UNLCK)()
    assert isinstance(call(), FileLock)
    assert waiter.wakes == 0
    machine.record(second, F_SETLK, F_UNLCK)()
    assert waiter.wakes == 1


def test_who_waits_anew_wakes_who_stood_behind(machine: Machine) -> None:
    """A reader behind a writer: after a downgrade the writer waits on, and the reader need not."""
    process = machine.process()
    holder, writer, reader = (machine.open(process) for _ in range(3))
    machine.flock(holder, LOCK_EX)()
    writing, reading = machine.flock(writer, LOCK_EX), machine.flock(reader, LOCK_SH)
    sleep_in(writing)
    waiter, _ = sleep_in(reading)
    machine.flock(holder, LOCK_SH)()
    assert waiter.wakes == 0
    assert refused(writing)
    assert waiter.wakes == 1
    assert reading() is None


def test_who_begins_anew_counts_from_the_offset_of_then(machine: Machine) -> None:
    """After a signal with SA_RESTART the whole call is made again."""
    first, second = two(machine)
    machine.record(first, F_SETLK, F_WRLCK)()
    (entry,) = (each for each in second.table if isinstance(each.file, RegularFile))
    asked = FileLock(F_WRLCK, 1, 0, 1)
    call = RecordLock(machine.kernel.locks, second, entry, F_SETLKW, asked)
    waiter, refusal = sleep_in(call)
    entry.file.seek(7, 0)
    assert refused(call)
    assert call.start == 0
    refusal.line.leave(waiter)
    refusal.line.join(waiter)
    assert refused(call)
    assert call.start == 7


def test_it_waits_for_the_owners_of_all_that_is_in_its_way(machine: Machine) -> None:
    first, second = two(machine)
    third = machine.process()
    machine.open(third)
    for process, start in ((first, 0), (second, 5), (first, 8)):
        machine.record(process, F_SETLK, F_RDLCK, start, 1)()
    call = machine.record(third, F_SETLKW, F_WRLCK)
    _, refusal = sleep_in(call)
    assert refusal.source.wakers(refusal.mask) == (first, second)
    assert refusal.source.describe().startswith("record lock 0-end on ")


def test_readiness_and_time_limits_are_nothing_to_a_lock(machine: Machine) -> None:
    process, other = two(machine)
    machine.record(process, F_SETLK, F_WRLCK)()
    call = machine.record(other, F_SETLKW, F_WRLCK)
    _, refusal = sleep_in(call)
    assert (refusal.mask, call.nonblocking, call.patient) == (0, 0, False)


def test_a_range_is_cut_in_the_middle_and_grows_together_again(machine: Machine) -> None:
    process, _ = two(machine)
    machine.record(process, F_SETLK, F_WRLCK)()
    machine.record(process, F_SETLK, F_RDLCK, 10, 5)()
    assert machine.held() == [
        (F_WRLCK, 0, 9),
        (F_RDLCK, 10, 14),
        (F_WRLCK, 15, OFFSET_MAX),
    ]
    machine.record(process, F_SETLK, F_WRLCK, 10, 5)()
    assert machine.held() == [(F_WRLCK, 0, OFFSET_MAX)]


def test_only_who_waits_for_the_changed_lock_is_woken(machine: Machine) -> None:
    first, second = two(machine)
    machine.record(first, F_SETLK, F_WRLCK, 0, 5)()
    machine.record(first, F_SETLK, F_WRLCK, 10, 5)()
    near, _ = sleep_in(machine.record(second, F_SETLKW, F_WRLCK, 0, 1))
    far, _ = sleep_in(machine.record(second, F_OFD_SETLKW, F_WRLCK, 10, 1))
    machine.record(first, F_SETLK, F_UNLCK, 14, 1)()
    assert (near.wakes, far.wakes) == (0, 1)


def test_a_served_sleeper_has_its_lock_before_the_release_returns(machine: Machine) -> None:
    """As trio's sleepers: and what they free in turn is served in the same call."""

    class Served(Asleep):
        def __init__(self, call: Flock) -> None:
            super().__init__()
            self.call = call
            self.results: list[object] = []

        def serve(self) -> bool:  # type: ignore[override]
            self.results.append(self.call())
            return self.results[-1] is None

    process = machine.process()
    holder, *others = (machine.open(process) for _ in range(3))
    machine.flock(holder, LOCK_EX)()
    sleepers = []
    for entry, kind in zip(others, (LOCK_SH, LOCK_SH), strict=True):
        call = machine.flock(entry, kind)
        assert refused(call)
        sleepers.append(Served(call))
        call.join(sleepers[-1])
    machine.flock(holder, LOCK_UN)()
    assert [sleeper.results for sleeper in sleepers] == [[None], [None]]
    assert failure(machine.flock(holder, LOCK_EX | LOCK_NB)) == "EAGAIN"


def test_exec_keeps_record_locks_and_close_on_exec_drops_them(machine: Machine) -> None:
    process, other = two(machine)
    machine.record(process, F_SETLK, F_WRLCK)()
    machine.kernel.execute(process, "next")
    assert machine.held() == [(F_WRLCK, 0, OFFSET_MAX)]
    next(each for each in process.table if isinstance(each.file, RegularFile)).cloexec = True
    machine.kernel.execute(process, "next")
    assert machine.held() == []
    assert held_by(process, RecordLocks) is not None
    assert held_by(other, RecordLocks) is None


def test_a_dead_process_has_no_locks_and_no_requests(machine: Machine) -> None:
    first, second = two(machine)
    entry = machine.open(first)
    machine.flock(entry, LOCK_EX)()
    machine.record(first, F_SETLK, F_WRLCK)()
    waiter, _ = sleep_in(machine.record(second, F_SETLKW, F_WRLCK))
    machine.kernel.end(first, 0)
    assert machine.held() == []
    assert waiter.wakes == 1
    assert not machine.kernel.locks.blocked


def test_locks_are_on_what_open_files_share(machine: Machine) -> None:
    kernel = machine.kernel
    read_end, write_end = new_pipe(kernel)
    assert read_end.identity() is write_end.identity()
    assert new_pipe(kernel)[0].identity() is not read_end.identity()
    assert EventFile(kernel, 0, 0).identity() is EventFile(kernel, 0, 0).identity()
    files = [RegularFile(kernel, machine.node, O_RDWR) for _ in range(2)]
    assert files[0].identity() is files[1].identity() is machine.node


def test_statistics_list_who_waits_behind_whom(machine: Machine) -> None:
    process = machine.process()
    entries = [machine.open(process) for _ in range(3)]
    machine.flock(entries[0], LOCK_EX)()
    for entry in entries[1:]:
        sleep_in(machine.flock(entry, LOCK_EX))
    found = [(lock.owner, waits) for _, _, lock, waits in machine.kernel.locks]
    assert found == [(entry.file, bool(number)) for number, entry in enumerate(entries)]
