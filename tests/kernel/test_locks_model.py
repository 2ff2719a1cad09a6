"""Locks against a simple model: for each octet, who has it and how.

Several processes open, dup, fork, close, exit, lock and wait, on two files.
The model knows what conflicts and who was woken; it does not know ranges,
trees of waiters or the order of lists, which is what the kernel has.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from asyncipc.errors import errno_name
from asyncipc.kernel.console import Console
from asyncipc.kernel.files.regular import RegularFile, RegularNode
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.locks.flock import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, Flock
from asyncipc.kernel.locks.lock import F_RDLCK, F_UNLCK, F_WRLCK, Family, Lock
from asyncipc.kernel.locks.records import (
    F_GETLK,
    F_OFD_GETLK,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETLK,
    F_SETLKW,
    FileLock,
    RecordLock,
)
from asyncipc.kernel.openfile import O_RDWR, OpenFile
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.waitqueue import WouldBlock

OCTETS: Final = 6
"""The last stands for all that come after it too."""
DESCRIPTORS: Final = 9
WHICH: Final = st.integers(0, 999)
KINDS: Final = {LOCK_SH: F_RDLCK, LOCK_EX: F_WRLCK, LOCK_UN: F_UNLCK}

Octets = list[dict[object, int]]
"""Of each octet: the owners and their kinds."""


@dataclass(eq=False)
class Wish:
    """What a call asks for, as the model sees it."""

    octets: Octets
    owner: object
    kind: int
    where: range
    is_flock: bool = False

    def opponents(self) -> list[object]:
        """Whose locks conflict."""
        return [
            owner
            for octet in self.where
            for owner, kind in self.octets[octet].items()
            if owner is not self.owner and F_WRLCK in {kind, self.kind} and self.kind != F_UNLCK
        ]

    def excludes(self, other: Wish) -> bool:
        return (
            self.octets is other.octets
            and self.owner is not other.owner
            and F_WRLCK in {self.kind, other.kind}
            and bool(set(self.where) & set(other.where))
        )

    def take(self) -> None:
        for octet in self.where:
            self.octets[octet].pop(self.owner, None)
            if self.kind != F_UNLCK:
                self.octets[octet][self.owner] = self.kind


def release(octets: Octets, owner: object) -> None:
    for octet in octets:
        octet.pop(owner, None)


@dataclass(eq=False)
class Call:
    """A call that sleeps, as trio's sleepers do (``served``) or as asyncio's."""

    machine: LockMachine
    process: Process
    verb: Flock | RecordLock
    wish: Wish
    file: RegularFile
    woken: bool = False
    over: bool = False

    def wake(self) -> None:
        if not self.woken:
            self.woken = True
            self.machine.woken.append(self)

    def is_asleep(self) -> bool:
        return not self.woken

    def serve(self) -> bool | None:
        if not self.machine.serves:
            return None
        return self.machine.attempt(self) != "waits"


class Spy:
    """Tells the model that an open file is gone, before the locks are told."""

    def __init__(self, machine: LockMachine) -> None:
        self._machine = machine

    def released(self, file: OpenFile) -> None:
        for octets in self._machine.octets_of(file):
            release(octets, file)


@dataclass
class Held:
    """A descriptor of a process."""

    process: Process
    fd: int
    file: RegularFile = field(repr=False)


class LockMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()
        self.console = Console(self.kernel, lambda data: None)
        self.nodes = [RegularNode(self.kernel.memory, 0o666) for _ in range(2)]
        self.records = {node: [{} for _ in range(OCTETS)] for node in self.nodes}
        self.flocks: dict[RegularNode, Octets] = {node: [{}] for node in self.nodes}
        self.processes: list[Process] = []
        self.held: list[Held] = []
        self.sleeping: list[Call] = []
        self.woken: list[Call] = []
        self.serves = True

    # -- the model

    def octets_of(self, file: OpenFile) -> tuple[Octets, Octets]:
        assert isinstance(file, RegularFile)
        return self.records[file.node], self.flocks[file.node]

    def is_barred(self, wish: Wish, call: Call | None) -> bool:
        """Somebody was woken before, excludes it, and could have his lock now."""
        for earlier in self.woken:
            if earlier is call:
                return False
            if earlier.wish.excludes(wish) and not earlier.wish.opponents():
                return True
        return False

    def foretell(self, call: Call) -> str:
        """Change the model as the attempt will change the kernel."""
        wish = call.wish
        if wish.is_flock:
            own = wish.octets[0].get(wish.owner)
            if own == wish.kind:
                return "done"
            wish.octets[0].pop(wish.owner, None)
        if wish.kind != F_UNLCK and (wish.opponents() or self.is_barred(wish, call)):
            return "waits"
        wish.take()
        entry = call.process.table.get(call.verb.fd)
        closed = entry is None or entry.file is not call.file
        if closed and wish.owner is call.process and wish.kind != F_UNLCK:
            release(wish.octets, wish.owner)
            return "EBADF"
        return "done"

    def attempt(self, call: Call) -> str:
        """Let it try; what came of it, which has to be what the model says."""
        waits_for_me = self.could_be_a_cycle(call)
        foretold = self.foretell(call)
        if call in self.woken:
            self.woken.remove(call)
        call.woken = False
        try:
            came = "waits" if isinstance(call.verb(), WouldBlock) else "done"
        except OSError as error:
            came = errno_name(error.errno or 0)
        if came in {"EAGAIN", "EDEADLK"}:
            assert foretold == "waits"
            assert came == "EAGAIN" or waits_for_me
        else:
            assert came == foretold
        if came != "waits":
            call.over = True
        return came

    def could_be_a_cycle(self, call: Call) -> bool:
        """Does anybody in its way wait, through whomever, for its owner?"""
        reached: list[object] = []
        ahead = self.whom(call.wish, call)
        while ahead:
            owner = ahead.pop()
            if owner is call.wish.owner:
                return True
            if owner not in reached:
                reached.append(owner)
                for other in self.sleeping:
                    if other.wish.owner is owner:
                        ahead += self.whom(other.wish, other)
        return False

    def whom(self, wish: Wish, call: Call) -> list[object]:
        waiting = [each.wish.owner for each in self.sleeping if wish.excludes(each.wish)]
        return wish.opponents() + waiting

    # -- processes and descriptors

    @initialize(serves=st.booleans())
    def begin(self, serves: bool) -> None:
        self.serves = serves
        for _ in range(3):
            self.processes.append(self.kernel.first_process("main", self.console))
        for process in self.processes:
            self.open_in(process, 0)
        self.open_in(self.processes[0], 1)

    def pick(self, number: int) -> Held:
        return self.held[number % len(self.held)]

    def open_in(self, process: Process, number: int) -> None:
        file = RegularFile(self.kernel, self.nodes[number], O_RDWR)
        file.attached = (Spy(self),)
        (entry,) = process.table.open(file, cloexec=False)
        self.held.append(Held(process, entry.fd, file))

    @rule(which=WHICH, number=st.integers(0, 1))
    def open(self, which: int, number: int) -> None:
        if len(self.held) < DESCRIPTORS:
            self.open_in(self.pick(which).process, number)

    @rule(which=WHICH)
    def dup(self, which: int) -> None:
        held = self.pick(which)
        if len(self.held) < DESCRIPTORS:
            fd = held.process.table.dup(held.fd, cloexec=False)
            self.held.append(Held(held.process, fd, held.file))

    @rule(which=WHICH)
    def fork(self, which: int) -> None:
        if sum(process.alive for process in self.processes) > 3:
            return
        child = self.kernel.fork(self.pick(which).process, "child")
        self.processes.append(child)
        for entry in child.table:
            if isinstance(entry.file, RegularFile):
                self.held.append(Held(child, entry.fd, entry.file))

    @rule(which=WHICH)
    def close(self, which: int) -> None:
        if len(self.held) > 2:
            held = self.pick(which)
            self.close_in(held.process, held.fd, held.file)

    def close_in(self, process: Process, fd: int, file: RegularFile) -> None:
        self.held = [held for held in self.held if (held.process, held.fd) != (process, fd)]
        release(self.records[file.node], process)
        process.table.close(fd)

    @rule(which=WHICH)
    def exit(self, which: int) -> None:
        process = self.pick(which).process
        if all(held.process is process for held in self.held):
            return
        for entry in process.table:
            if isinstance(entry.file, RegularFile):
                self.close_in(process, entry.fd, entry.file)
        for call in [each for each in self.sleeping if each.process is process]:
            self.leave(call)
        self.kernel.end(process, 0)

    # -- locks

    @rule(
        which=WHICH,
        command=st.sampled_from([F_SETLK, F_SETLKW, F_SETLKW, F_OFD_SETLK, F_OFD_SETLKW]),
        kind=st.sampled_from([F_RDLCK, F_WRLCK, F_WRLCK, F_UNLCK]),
        start=st.integers(0, OCTETS - 1),
        length=st.integers(0, 2),
        at_rest=st.booleans(),
    )
    def set_record(
        self, which: int, command: int, kind: int, start: int, length: int, at_rest: bool
    ) -> None:
        if at_rest:
            self.run_the_woken()
        held = self.pick(which)
        if start + length >= OCTETS:
            length = 0
        end = start + length if length else OCTETS
        owner = held.file if command in {F_OFD_SETLK, F_OFD_SETLKW} else held.process
        wish = Wish(self.records[held.file.node], owner, kind, range(start, end))
        entry = held.process.table[held.fd]
        asked = FileLock(kind, 0, start, length)
        verb = RecordLock(self.kernel.locks, held.process, entry, command, asked)
        self.make(Call(self, held.process, verb, wish, held.file))

    @rule(
        which=WHICH,
        kind=st.sampled_from([LOCK_SH, LOCK_EX, LOCK_EX, LOCK_UN]),
        wait=st.sampled_from([0, LOCK_NB]),
        at_rest=st.booleans(),
    )
    def flock(self, which: int, kind: int, wait: int, at_rest: bool) -> None:
        if at_rest:
            self.run_the_woken()
        held = self.pick(which)
        wish = Wish(self.flocks[held.file.node], held.file, KINDS[kind], range(1), is_flock=True)
        verb = Flock(self.kernel.locks, held.process.table[held.fd], kind | wait)
        self.make(Call(self, held.process, verb, wish, held.file))

    def make(self, call: Call) -> None:
        if self.attempt(call) == "waits":
            call.verb.join(call)
            call.file.hold()
            self.sleeping.append(call)

    @rule(which=WHICH)
    def cancel(self, which: int) -> None:
        if self.sleeping:
            self.leave(self.sleeping[which % len(self.sleeping)])

    def leave(self, call: Call) -> None:
        """As a call ends, be it by a cancellation: it leaves its line, then lets go of its file."""
        self.sleeping.remove(call)
        if call in self.woken:
            self.woken.remove(call)
        call.over = True
        call.verb.leave(call)
        call.file.drop()

    @rule()
    def run_the_woken(self) -> None:
        """asyncio's turn: who was woken tries, and those who are woken by it."""
        while self.woken:
            call = self.woken[0]
            if self.attempt(call) != "waits":
                self.leave(call)
        for call in [each for each in self.sleeping if each.over]:
            self.leave(call)

    @rule(
        which=WHICH,
        is_ofd=st.booleans(),
        kind=st.sampled_from([F_RDLCK, F_WRLCK]),
        octet=st.integers(0, OCTETS - 1),
    )
    def ask(self, which: int, is_ofd: bool, kind: int, octet: int) -> None:
        held = self.pick(which)
        command = F_OFD_GETLK if is_ofd else F_GETLK
        asked = FileLock(kind, 0, octet, 1)
        entry = held.process.table[held.fd]
        told = RecordLock(self.kernel.locks, held.process, entry, command, asked)()
        assert isinstance(told, FileLock)
        octets = self.records[held.file.node]
        owner: object = held.file if is_ofd else held.process
        wish = Wish(octets, owner, kind, range(octet, octet + 1))
        if not wish.opponents():
            assert told == asked._replace(l_type=F_UNLCK)
            return
        pids = {getattr(each, "pid", -1) for each in wish.opponents()}
        assert told.l_pid in pids
        assert told.l_start <= octet
        assert not told.l_len or octet < told.l_start + told.l_len

    # -- what always holds

    @invariant()
    def each_octet_is_locked_by_whom_the_model_says(self) -> None:
        found: dict[int, Octets] = {}
        for identity, _, lock, waits in self.kernel.locks:
            assert isinstance(identity, RegularNode)
            is_flock = lock.family is Family.FLOCK
            size = 1 if is_flock else OCTETS
            octets = found.setdefault(
                2 * self.nodes.index(identity) + is_flock, [{} for _ in range(size)]
            )
            if not waits:
                for octet in range(lock.start, min(lock.end + 1, size)):
                    assert lock.owner not in octets[octet], "two locks of one owner overlap"
                    octets[octet][lock.owner] = lock.kind
        for number, node in enumerate(self.nodes):
            none: Octets = [{} for _ in range(OCTETS)]
            assert found.get(2 * number, none) == self.records[node]
            assert found.get(2 * number + 1, [{}]) == self.flocks[node]

    @invariant()
    def the_locks_of_an_owner_are_few_and_in_order(self) -> None:
        for node in self.nodes:
            file = next((f for f in self.open_files() if f.node is node), None)
            if file is None:
                continue
            held = self.kernel.locks.of(file).records.held
            self.kernel.locks.tidy(file)
            for before, after in zip(held, held[1:], strict=False):
                if before.owner is after.owner:
                    assert before.end < after.start
                    assert before.kind != after.kind or before.end + 1 < after.start
            owners = [lock.owner for lock in held]
            runs = [owner for at, owner in enumerate(owners) if not at or owners[at - 1] != owner]
            assert len(runs) == len(dict.fromkeys(owners)), "an owner's locks are apart"

    def open_files(self) -> list[RegularFile]:
        return [
            entry.file
            for process in self.processes
            for entry in process.table
            if isinstance(entry.file, RegularFile)
        ]

    @invariant()
    def nobody_sleeps_for_nothing(self) -> None:
        for call in self.sleeping:
            if not call.over and call not in self.woken:
                behind = [each for each in self.woken if each.wish.excludes(call.wish)]
                assert call.wish.opponents() or behind

    @invariant()
    def no_lock_is_held_by_the_dead(self) -> None:
        dead = [process for process in self.processes if not process.alive]
        assert not [lock for _, _, lock, _ in self.kernel.locks if lock.owner in dead]

    def teardown(self) -> None:
        for call in list(self.sleeping):
            self.leave(call)
        for process in self.processes:
            if process.alive:
                self.kernel.end(process, 0)
        assert not list(self.kernel.locks)
        assert not self.kernel.locks.blocked


def test_locks_do_what_a_map_of_octets_does(examples: int) -> None:
    run_state_machine_as_test(
        LockMachine, settings=settings(max_examples=examples, stateful_step_count=60)
    )


def test_the_model_sees_a_lock_that_is_granted_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that could not fail would be a defect."""
    monkeypatch.setattr(Lock, "overlaps", lambda self, other: self.start == other.start)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            LockMachine,
            settings=settings(
                max_examples=300, stateful_step_count=60, phases=[Phase.generate], database=None
            ),
        )
