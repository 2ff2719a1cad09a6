"""The simulation: hosts, their processes and their network, inside one event loop.

It is the root of every process: it ends when all but services have ended.  In a
run of its own (:func:`asyncipc.run`) it owns time, and knows when nobody can
go on; embedded in somebody else's run (``async with Simulation()``) it lives
on that run's clock, and can only answer when asked (``blocked_report``).
"""

from __future__ import annotations

import operator
import random
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from contextvars import Token
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar, final

import anyio.to_thread

from asyncipc.errors import Deadlock, TimeFrozen
from asyncipc.events import Observer
from asyncipc.kernel.kernel import exit_status
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.kernel.timers import Timers
from asyncipc.runtime import lent
from asyncipc.runtime.backend import Machine
from asyncipc.runtime.clock import LentTime, VirtualTime
from asyncipc.runtime.error_groups import the_only_one, without_process_end
from asyncipc.runtime.fault_plan import Fault, FaultPlan
from asyncipc.runtime.host import Host
from asyncipc.runtime.mourning import Mourning
from asyncipc.runtime.parking import STRICT, Group, Parking, Sleeper
from asyncipc.runtime.process import (
    CURRENT,
    Body,
    Program,
    current,
    name_of,
    print_failure,
)
from asyncipc.runtime.report import BlockedReport, blocked_report
from asyncipc.runtime.simulated import SIMULATED
from asyncipc.runtime.tap import Tap
from asyncipc.runtime.threads import MASK
from asyncipc.runtime.topology import Topology

if TYPE_CHECKING:
    from asyncipc.statistics import MachineStatistics

T = TypeVar("T")

STEP_LIMIT: Final = 10_000_000


def write_to_stdout(data: bytes) -> None:
    """The default console: the bytes as they are, in order with what is printed."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@final
class Simulation(Topology):
    """One or several machines; a program's own is ``localhost``.

    ``seed``: fixes the scheduler's order and every die; None leaves both to
    chance.  ``quantum``: how many calls may pass without others having their
    turn; 1 is strict, the default with a seed and on the real kernel, else 32 is.
    ``observers``: called with each event (:mod:`asyncipc.events`).
    ``faults``: calls that are to fail (:class:`asyncipc.Fault`).
    ``console``: where bytes go that are written to descriptors 1 and 2.
    ``machine``: whose objects they are; :class:`asyncipc.Native` for the real kernel's.

    As ``async with Simulation() as sim:`` it lives in the caller's own trio or
    asyncio run and on that run's clock; the block is its first process.
    """

    def __init__(
        self,
        *,
        seed: int | None = None,
        quantum: int | None = None,
        observers: Iterable[Observer] = (),
        faults: Iterable[Fault] = (),
        console: Callable[[bytes], None] = write_to_stdout,
        machine: Machine = SIMULATED,
    ) -> None:
        if quantum is None:
            quantum = machine.quantum if seed is None else STRICT
        if operator.index(quantum) < 1:
            raise ValueError(f"quantum counts calls: at least 1, not {quantum}")
        self.seed, self.quantum = seed, quantum
        self.fault_plan = FaultPlan(faults)
        self.machine = machine
        self.bodies: dict[Body, None] = {}
        self._awaited = 0  # of the bodies: all but services
        self.tap = Tap(self)
        self.watched = False
        self.thread = 0
        self.parking: Parking
        super().__init__(self, console)
        self._tree: AbstractAsyncContextManager[Group]
        self._group: Group
        self._root: Sleeper
        self._main: Body | None = None
        self._verdict: BaseException | None = None
        self._token: Token[Body] | None = None
        self.mourning = Mourning(self)
        for observer in observers:
            self.subscribe(observer)
        self._update_watched()

    # -- watching

    def subscribe(self, observer: Observer) -> None:
        """Call ``observer`` with every event from now on."""
        self.tap.observers.append(observer)
        self._update_watched()

    def unsubscribe(self, observer: Observer) -> None:
        if observer in self.tap.observers:
            self.tap.observers.remove(observer)
            self._update_watched()

    def _update_watched(self) -> None:
        seen = bool(self.tap.observers)
        self.watch(self.tap if seen else None)
        self.watched = seen or bool(self.fault_plan.faults)
        for body in self.inhabitants():
            body.update_attention()

    def inhabitants(self) -> list[Body]:
        """Every body there is, the caller's block among them, in order of birth."""
        block = [] if self._main is None or self._main in self.bodies else [self._main]
        return [*block, *self.bodies]

    def blocked_report(self) -> BlockedReport:
        """Who waits in which call for whom, now."""
        return blocked_report(self)

    def statistics(self) -> MachineStatistics:
        """Every object of the program's own machine, as values, now."""
        return self.localhost.statistics()

    def dice(self, purpose: str) -> random.Random:
        """The random stream of one purpose: a new one shifts no other's draws."""
        return random.Random(None if self.seed is None else f"{self.seed}:{purpose}")

    # -- processes

    def spawn(self, program: Program, *args: object) -> int:
        """Start a program as a child of init, with descriptors 0, 1 and 2; its pid."""
        return self.localhost.spawn(program, *args)

    def start(
        self,
        host: Host,
        process: Process,
        program: Program,
        args: tuple[object, ...],
        *,
        service: bool = False,
    ) -> Body:
        """Give a process a body; it runs from the next time its creator yields."""
        body = Body(host, process, service=service)
        self.bodies[body] = None
        self._awaited += not service
        self._group.start_soon(self._run, body, program, args, name=process.name)
        return body

    async def _run(self, body: Body, program: Program, args: tuple[object, ...]) -> None:
        try:
            await body.run(program, args)
        finally:
            del self.bodies[body]
            self._awaited -= not body.service
            self.mourning.end(body)
            self.someone_left()

    def someone_left(self) -> None:
        """A process has ended: it may have been the last."""
        if not self._awaited:
            self._root.wake()

    def is_block(self, body: Body) -> bool:
        """Is it the caller's block, which is no task of ours to run or replace?"""
        return body is self._main and self._token is not None

    def process_failed(self, body: Body, error: BaseException) -> None:
        """A program raised: fatal for the run if it is the first, else kept and shown."""
        if body is self._main:
            self.judge(error)
            return
        body.host.failures[body.process.pid] = error
        print_failure(body.process.pid, body.process.name, error)

    # -- a run of its own

    async def run(
        self,
        program: Callable[..., Awaitable[T]],
        args: tuple[object, ...],
        time: VirtualTime | None = None,
    ) -> T:
        """Run ``program`` as the first process, and all its children to their ends.

        Without virtual ``time`` it lives on the clock of the scheduler's run.
        """
        parking = self.machine.parking(self.quantum)
        if time is not None:
            self._begin(self._virtual(time), parking)
        else:
            self._begin(LentTime(parking.seconds, origin=parking.seconds()), parking)
        try:
            async with self.parking.group() as self._group:
                self._serve()
                home = self.localhost
                process = home.backend.first_process(name_of(program), home.console)
                main = self._main = self.start(home, process, program, args)
                try:
                    await self._until_all_have_ended()
                except BaseException as error:
                    self._verdict = error
                self._end_all()
                if self._verdict is not None or time is None:
                    self._group.cancel_scope.cancel()
        except BaseExceptionGroup as group:
            raise the_only_one(group) from None
        finally:
            self.is_running = False
            self.localhost.backend.close()
            if time is not None:
                time.over = True
        if self._verdict is not None:
            raise self._verdict
        self._raise_failures()
        if isinstance(main.error, SystemExit):
            raise main.error
        return main.result  # type: ignore[return-value]

    def _virtual(self, time: VirtualTime) -> VirtualTime:
        time.stalled, time.failed = self.stalled, self.judge
        time.frozen = partial(self.mourning.frozen, time)
        time.threads = anyio.to_thread.current_default_thread_limiter()
        return time

    def _serve(self) -> None:
        """Start what goes on beside the processes until the last has ended."""
        if isinstance(self.timers, LentTime):
            self._group.start_soon(self.timers.pump, name="asyncipc timers")
        for service in self.localhost.backend.services():
            self._group.start_soon(service, name=f"asyncipc {service.__name__}")

    def judge(self, verdict: BaseException) -> None:
        """End the run with an error, by waking its root."""
        if self._verdict is None:
            self._verdict = verdict
            self._root.wake()

    def stalled(self) -> None:
        """Nobody can run and nothing is due."""
        self.bring_down(Deadlock(self.blocked_report()))

    def bring_down(self, verdict: Deadlock | TimeFrozen) -> None:
        """End the run.  Who did not heed the first verdict takes the loop with it."""
        if self._verdict is not None:
            raise verdict
        self.judge(verdict)

    def _end_all(self) -> None:
        """End every process in order of birth: a cancel scope's own order is by address."""
        for body in list(self.bodies):
            body.kernel.end(body.process, SIGKILL)

    def _begin(self, timers: Timers, parking: Parking) -> None:
        if self._main is not None:
            raise RuntimeError("a simulation runs once: make a new one")
        self.begin(timers)
        self.thread = threading.get_ident()
        self.parking = parking
        self._root = self.parking.sleeper(None)
        if self.seed is not None and self.parking.name == "trio":
            lent.seed_trio(self.dice("scheduler"))

    async def _until_all_have_ended(self) -> None:
        inhabited = self.localhost.backend.is_inhabited
        while (self._awaited or inhabited()) and self._verdict is None:
            await self.parking.sleep(self._root)
        if self._verdict is not None:
            raise self._verdict

    def _raise_failures(self) -> None:
        errors = [error for host in self.hosts.values() for error in host.all_failures()]
        if errors:
            raise BaseExceptionGroup("processes failed and nobody waited for them", errors)

    # -- embedded in a run of somebody else's

    async def __aenter__(self) -> Self:
        parking = self.machine.parking(self.quantum)
        self._begin(LentTime(parking.seconds, origin=parking.seconds()), parking)
        self._tree = self.parking.group()
        self._group = await self._tree.__aenter__()
        try:
            self._serve()
            process = self.localhost.backend.first_process("main", self.localhost.console)
        except BaseException:
            self._group.cancel_scope.cancel()
            await self._tree.__aexit__(None, None, None)
            self.localhost.backend.close()
            raise
        body = self._main = Body(self.localhost, process)
        body.task = self.parking.current_task()
        body.scope.__enter__()
        self._token = CURRENT.set(body)
        MASK.set(process.main.mask)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        assert self._main is not None
        assert self._token is not None
        CURRENT.reset(self._token)
        self.localhost.kernel.end(self._main.process, exit_status(0 if error is None else 1))
        raised = self._leave_block(without_process_end(error))
        if raised is None:
            try:
                await self._until_all_have_ended()
            except BaseException as late:
                raised = late
        self._end_all()
        self._group.cancel_scope.cancel()
        try:
            await self._tree.__aexit__(type(raised) if raised else None, raised, None)
        except BaseExceptionGroup as group:
            raised = the_only_one(group)
        finally:
            self.is_running = False
            self.localhost.backend.close()
        if raised is None:
            self._raise_failures()
        elif raised is not error:
            raise raised
        return raised is None

    def _leave_block(self, error: BaseException | None) -> BaseException | None:
        """Leave the block's scope; what is left of its error.

        A block that its process's end has cut short is a block that has ended.
        """
        assert self._main is not None
        try:
            over = self._main.scope.__exit__(type(error) if error else None, error, None)
        except BaseException as rest:
            return rest
        return None if over else error


def current_simulation() -> Simulation:
    """The simulation that the caller's process lives in."""
    return current().simulation
