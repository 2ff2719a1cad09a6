"""Random programs on semaphores, against a model that knows no lines and no turns.

The model of a set is ipc/sem.c read aloud: values, sleepers in order, and what each
process has to give back.  That of a POSIX semaphore is a number and a queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.memory.contents import Contents
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sync.futex import Word
from asyncipc.kernel.sync.semaphore import Semaphore
from asyncipc.kernel.sysv.identifiers import IPC_NOWAIT, IPC_PRIVATE, IPC_RMID
from asyncipc.kernel.sysv.semaphore_sets import GETNCNT, GETVAL, GETZCNT
from asyncipc.kernel.sysv.semaphores import SEM_UNDO
from tests.kernel.sleepers import NOTHING, Caller

COUNT = 3
Operation = tuple[int, int, int]


class Sleeper:
    """A call in the model: ``result`` as that of a ``Caller``."""

    def __init__(self, process: Process, operations: tuple[Operation, ...]) -> None:
        self.process = process
        self.operations = operations
        self.alters = any(change for _, change, _ in operations)
        self.blocked: Operation | None = None
        self.result: object = NOTHING

    def stands_at(self, index: int | None) -> bool:
        """Of one operation, at its semaphore; else at None."""
        return index == (self.operations[0][0] if len(self.operations) == 1 else None)


class SetModel:
    """One semaphore set."""

    def __init__(self) -> None:
        self.values = [0] * COUNT
        self.undo: dict[int, list[int]] = {}
        self.sleepers: list[Sleeper] = []

    def semop(self, process: Process, operations: tuple[Operation, ...]) -> Sleeper:
        call = Sleeper(process, operations)
        self.attempt(call)
        if call.result is NOTHING:
            self.fall_asleep(call)
        elif call.result is None and call.alters:
            self.wake(operations)
        return call

    def fall_asleep(self, call: Sleeper) -> None:
        """As the first of several operations comes, one line is made of those of each."""
        if len(call.operations) > 1 and not self.merged():
            self.sleepers.sort(key=lambda each: -each.operations[0][0] if each.alters else 0)
        self.sleepers.append(call)

    def merged(self) -> bool:
        return any(len(call.operations) > 1 for call in self.sleepers)

    def attempt(self, call: Sleeper) -> None:
        values = list(self.values)
        undo = list(self.undo.get(call.process.pid, [0] * COUNT))
        for operation in call.operations:
            index, change, flags = operation
            if values[index] + change < 0 or (change == 0 and values[index]):
                call.blocked = operation
                call.result = "EAGAIN" if flags & IPC_NOWAIT else NOTHING
                return
            values[index] += change
            undo[index] -= change if flags & SEM_UNDO else 0
        self.values = values
        self.undo[call.process.pid] = undo
        call.result = None

    def wake(self, operations: tuple[Operation, ...] | None = None) -> None:
        """Whom a change may concern is asked: who waits for zero, then who changes values."""
        merged = self.merged()
        self.wake_zeros(operations)
        if merged:
            self.wake_changers(None)
        elif operations is None:
            for index in range(COUNT):
                self.wake_changers(index)
        else:
            for index, change, _ in operations:
                if change > 0:
                    self.wake_changers(index)

    def wake_zeros(self, operations: tuple[Operation, ...] | None) -> None:
        numbers = range(COUNT) if operations is None else [each[0] for each in operations]
        zeros = [index for index in numbers if not self.values[index]]
        for index in zeros:
            self.ask([c for c in self.sleepers if not c.alters and c.stands_at(index)])
        if zeros:
            self.ask([c for c in self.sleepers if not c.alters and c.stands_at(None)])

    def ask(self, line: list[Sleeper]) -> None:
        for call in line:
            self.attempt(call)
            if call.result is not NOTHING:
                self.sleepers.remove(call)

    def wake_changers(self, index: int | None) -> None:
        """None: all of them, in one line, from the first again after each."""
        for call in [c for c in self.sleepers if c.alters]:
            if index is not None and (not call.stands_at(index) or not self.values[index]):
                continue
            self.ask([call])
            if call.result is None:
                self.wake_zeros(call.operations)
                if index is None:
                    return self.wake_changers(None)
        return None

    def end(self, process: Process) -> None:
        self.sleepers = [call for call in self.sleepers if call.process is not process]
        for index, change in enumerate(self.undo.pop(process.pid, [])):
            self.values[index] = max(self.values[index] + change, 0)
        self.wake()

    def waiting(self, index: int, for_zero: bool) -> int:
        blocked = [call.blocked for call in self.sleepers]
        return sum(b is not None and b[0] == index and (b[1] == 0) is for_zero for b in blocked)


operations = st.lists(
    st.tuples(
        st.integers(0, COUNT - 1),
        st.integers(-2, 2),
        st.sampled_from([0, 0, 0, SEM_UNDO, IPC_NOWAIT]),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
which = st.integers(0, 5)


class SetMachine(RuleBasedStateMachine):
    """Processes come and go; each call is made in the kernel and in the model."""

    served = True

    def __init__(self) -> None:
        super().__init__()
        self.kernel = Kernel()
        self.sets: Any = self.kernel.semaphore_sets
        self.root = self.kernel.first_process("root", Console(self.kernel, 0))
        self.processes: list[Process] = []
        self.calls: list[tuple[Caller, Sleeper]] = []
        self.model = SetModel()
        self.removed = False

    @initialize()
    def begin(self) -> None:
        self.id = self.sets.get(self.root, IPC_PRIVATE, COUNT, 0o600)
        for _ in range(3):
            self.fork()

    def run_all(self) -> None:
        """Every task that was woken runs, until none is."""
        while any(caller.asleep and caller.awake for caller, _ in self.calls):
            for caller, _ in self.calls:
                caller.run()
        for caller, _ in self.calls:
            caller.run()

    @precondition(lambda self: len(self.processes) < 6)
    @rule()
    def fork(self) -> None:
        self.processes.append(self.kernel.fork(self.root, "child"))

    @precondition(lambda self: self.processes and not self.removed)
    @rule(who=which, wanted=operations)
    def semop(self, who: int, wanted: tuple[Operation, ...]) -> None:
        process = self.processes[who % len(self.processes)]
        caller = Caller(self.sets.operate(process, self.id, wanted), served=self.served)
        self.calls.append((caller, self.model.semop(process, wanted)))
        self.run_all()

    @precondition(lambda self: not self.removed)
    @rule(index=st.integers(0, COUNT - 1), value=st.integers(0, 3))
    def setval(self, index: int, value: int) -> None:
        self.sets.set_value(self.root, self.id, index, value)
        self.model.values[index] = value
        for undo in self.model.undo.values():
            undo[index] = 0
        self.model.wake()
        self.run_all()

    @precondition(lambda self: self.calls)
    @rule(who=which)
    def cancel(self, who: int) -> None:
        caller, sleeper = self.calls[who % len(self.calls)]
        if caller.asleep:
            caller.cancel()
            self.calls.remove((caller, sleeper))
            if sleeper in self.model.sleepers:
                self.model.sleepers.remove(sleeper)
        self.run_all()

    @precondition(lambda self: self.processes)
    @rule(who=which)
    def end(self, who: int) -> None:
        """Its sleepers leave with it, as its body's end has them do."""
        process = self.processes.pop(who % len(self.processes))
        for pair in [p for p in self.calls if p[1].process is process and p[0].asleep]:
            pair[0].cancel()
            self.calls.remove(pair)
        self.kernel.end(process, 9)
        self.model.end(process)
        self.run_all()

    @precondition(lambda self: not self.removed)
    @rule(sure=st.integers(0, 4))
    def remove(self, sure: int) -> None:
        if sure:
            return
        self.removed = True
        self.sets.control(self.root, self.id, 0, IPC_RMID)
        for sleeper in self.model.sleepers:
            sleeper.result = "EIDRM"
        self.model = SetModel()
        self.run_all()

    @invariant()
    def every_call_has_ended_as_in_the_model(self) -> None:
        assert [c.result for c, _ in self.calls] == [s.result for _, s in self.calls]

    @precondition(lambda self: hasattr(self, "id") and not self.removed)
    @invariant()
    def the_set_is_as_in_the_model(self) -> None:
        def ask(command: int) -> list[int]:
            return [self.sets.control(self.root, self.id, i, command) for i in range(COUNT)]

        assert ask(GETVAL) == self.model.values
        assert ask(GETNCNT) == [self.model.waiting(i, False) for i in range(COUNT)]
        assert ask(GETZCNT) == [self.model.waiting(i, True) for i in range(COUNT)]


class WokenSetMachine(SetMachine):
    """The same where every sleeper has to try by itself."""

    served = False


class PosixMachine(RuleBasedStateMachine):
    """A POSIX semaphore: units are never lost, never made, and given in order."""

    served = True

    def __init__(self) -> None:
        super().__init__()
        kernel = Kernel()
        self.futexes = kernel.futexes
        word = Word(Contents(kernel.memory, 4096), 0)
        self.semaphore = Semaphore(self.futexes, word, "semaphore")
        self.semaphore.initialize(1)
        self.units = 1
        self.line: list[Caller] = []
        self.given: list[Caller] = []

    @rule()
    def wait(self) -> None:
        caller = Caller(self.semaphore.wait(), served=self.served)
        assert caller.asleep is not bool(self.units)
        if caller.asleep:
            self.line.append(caller)
        else:
            self.units -= 1

    @rule()
    def post(self) -> None:
        self.semaphore.post()
        if self.line:
            self.given.append(self.line.pop(0))
        else:
            self.units += 1

    @rule(who=which)
    def cancel(self, who: int) -> None:
        """Who was given one and had no time to take it is cancelled like the others."""
        asleep = [c for c in (*self.given, *self.line) if c.asleep]
        if not asleep:
            return
        caller = asleep[who % len(asleep)]
        caller.cancel()
        if caller in self.line:
            self.line.remove(caller)
        else:
            self.given.remove(caller)
            if self.line:
                self.given.append(self.line.pop(0))
            else:
                self.units += 1

    @rule(who=which)
    def let_one_run(self, who: int) -> None:
        if self.given:
            caller = self.given.pop(who % len(self.given))
            caller.run()
            assert caller.result is None

    @invariant()
    def the_value_is_what_nobody_has(self) -> None:
        assert self.semaphore.value == self.units
        assert len(self.futexes.sleepers(self.semaphore.word)) == len(self.line)
        assert all(caller.asleep for caller in self.line)


class WokenPosixMachine(PosixMachine):
    """The same where every sleeper has to try by itself."""

    served = False


@pytest.mark.parametrize("machine", [SetMachine, WokenSetMachine, PosixMachine, WokenPosixMachine])
def test_random_programs_do_as_the_model_does(
    machine: Callable[[], RuleBasedStateMachine], examples: int
) -> None:
    run_state_machine_as_test(
        machine, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None)
    )
