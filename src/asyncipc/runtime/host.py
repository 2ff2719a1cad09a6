"""The host: a kernel, what runs on it, and its place in the network.

Three ends are three different things.  A *killed process* (``host.kill``) has
a kernel that closes its descriptors: peers see FIN or RST.  A *crashed host*
is silent: its packets stop, and peers learn of it by their own timers only.
One that is *started again* knows nothing of its connections, and answers what
still comes for them with RST.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeVar, TypeVarTuple, cast, final

from asyncipc.errors import Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.processes.process import Process, State
from asyncipc.kernel.signals.disposition import SIGKILL
from asyncipc.runtime.errand import Errand
from asyncipc.runtime.host_clock import HostClock
from asyncipc.runtime.memory import Reserved
from asyncipc.runtime.process import Program, calling, check_program, name_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from asyncipc.network.internet.stack import Stack, StackStatistics
    from asyncipc.runtime.simulation import Simulation
    from asyncipc.statistics import MachineStatistics

T = TypeVar("T")
Args = TypeVarTuple("Args")


@final
class Host:
    """One machine of a simulation; made by ``sim.host(name, *addresses)``.

    ``name``: also what the resolver knows it by.  ``kernel``: its objects.
    ``clock``: what its programs read as the time.
    """

    def __init__(self, simulation: Simulation, name: str, console: Callable[[bytes], None]) -> None:
        self.simulation = simulation
        self.name = name
        self.kernel = Kernel(name)
        self.kernel.memory = Reserved()
        self.kernel.caller = partial(calling, self.kernel.init)
        self.backend = simulation.machine.backend(self)
        self.failures: dict[int, BaseException] = {}
        self.is_up = True
        self.is_paused = False
        self.console = Console(self.kernel, console)
        self.console.hold()
        self.stack: Stack | None = None
        self._entries: list[tuple[Program, tuple[object, ...], bool]] = []
        self._buried: list[BaseException] = []  # failures of processes before a crash
        self._frozen: dict[Process, None] = {}
        self._attached: list[str] = []  # as they were given

    @cached_property
    def clock(self) -> HostClock:
        self._check_simulated("clock")
        return HostClock(lambda: self.kernel.timers.now())

    def __repr__(self) -> str:
        return f"<Host {self.name} {' '.join(self.addresses)}>"

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its own, those of the loopback left out, in the order in which they came."""
        return () if self.stack is None else self.stack.addresses

    @property
    def checksums(self) -> bool:
        """Does it look at checksums?  Without, its programs see damaged data (and TCP
        streams are no longer what was sent).
        """
        return self.stack is None or self.stack.checksums

    @checksums.setter
    def checksums(self, on: bool) -> None:
        if self.stack is None:
            raise ValueError(f"{self.name} is in no network")
        self.stack.checksums = on

    def traffic(self) -> StackStatistics:
        """What its internet layer has sent, taken in and dropped, by cause."""
        if self.stack is None:
            raise ValueError(f"{self.name} is in no network")
        return self.stack.counts

    def statistics(self) -> MachineStatistics:
        """Every object of the host, as values, now."""
        return self.backend.statistics()

    # -- addresses

    def attach(self, *addresses: str) -> None:
        """Give it more addresses: ``"10.0.0.2"``, ``"10.0.0.2/24"``, ``"fd00::2/64"``.

        The resolver answers with all of them.  ValueError for what is none, or
        somebody's already: then it is given none of these.
        """
        self._check_simulated("addresses")
        self._attach(addresses)
        self.simulation.resolver.set(self.name, self.addresses)

    def _attach(self, addresses: Iterable[str]) -> None:
        if self.stack is None:
            self.stack = self.simulation.network.stack(self.name, self.kernel)
        given = len(self._attached)
        try:
            for address in addresses:
                self.stack.attach(address)
                self._attached.append(address)
        except Exception:
            for address in self._attached[given:]:
                self.stack.detach(address)
            del self._attached[given:]
            raise

    def detach(self, address: str) -> None:
        """Take an address from it: what is sent there finds nobody.

        Its sockets are not told.  ValueError if it has not got it.
        """
        if self.stack is None:
            raise ValueError(f"{address} is no address of {self.name}")
        own = list(self.addresses)
        self.stack.detach(address)
        left = self.addresses
        gone = [had for had in own if had not in left]
        del self._attached[own.index(gone[0])]
        self.simulation.resolver.set(self.name, left)

    # -- programs

    def spawn(self, program: Callable[[*Args], Awaitable[object]], *args: *Args) -> int:
        """Start a program as a child of init, with descriptors 0, 1 and 2; its pid.

        The simulation lasts until it has ended.  What is spawned from outside
        is an entry point: ``restart`` starts it anew.
        """
        return self._enter(program, args, service=False)

    def serve(self, program: Callable[[*Args], Awaitable[object]], *args: *Args) -> int:
        """``spawn`` a service: a program that need not end.

        The simulation does not wait for it, nor for its children, and kills
        them when all others have ended.
        """
        return self._enter(program, args, service=True)

    async def run(self, program: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
        """Run a program as a process of this host and wait for its end.

        Returns what it returns (None after ``posix._exit``) and raises what it raises,
        SystemExit too; ProcessLookupError (ESRCH) if it was killed.  Cancelled, it kills
        the process.  RuntimeError if the host is down.  ``restart`` does not start it anew.
        """
        self._check_simulated("run")
        check_program(program)
        self._check_up()
        self._check_running()
        errand = Errand(program, args)
        process = self.backend.first_process(name_of(program), self.console)
        body = self.simulation.start(self, process, errand.go, ())
        self._freeze_if_paused()
        try:
            return cast("T", await errand.wait(body))
        finally:
            self.kernel.end(process, SIGKILL)

    def kill(self, pid: int, signal: int = SIGKILL) -> None:
        """kill(2), by the host's root.  ESRCH.

        On a paused host only SIGKILL acts at once; all else when it goes on.
        """
        self.kernel.kill(self.kernel.init, pid, signal)
        self._freeze_if_paused()

    def _enter(self, program: Program, args: tuple[object, ...], *, service: bool) -> int:
        check_program(program)
        self._check_up()
        pid = self._begin(program, args, service=service)
        self._entries.append((program, args, service))
        return pid

    def _begin(self, program: Program, args: tuple[object, ...], *, service: bool) -> int:
        self._check_running()
        pid = self.backend.spawn(program, args, self.console, service=service)
        self._freeze_if_paused()
        return pid

    def _check_running(self) -> None:
        if not self.simulation.is_running:
            raise RuntimeError("the simulation is not running: spawn inside its block or its run")

    def all_failures(self) -> list[BaseException]:
        """What its processes have raised that nobody waited for, those before a crash first."""
        return [*self._buried, *self.failures.values()]

    def _check_up(self) -> None:
        if not self.is_up:
            raise RuntimeError(f"host {self.name} is down: restart it first")

    # -- the power switch

    def crash(self) -> None:
        """Power off: every process is gone, and not one packet tells of it.

        What is on its way to the host is lost, its unsent data too.  Its disk
        stays: all of the file system but /dev/shm.  RuntimeError if it is down.
        A program that had failed before is still told of at the end of the run.
        """
        self._check_simulated("crash")
        self._check_up()
        self.is_up = self.is_paused = False
        self._frozen.clear()
        if self.stack is not None:
            self.stack.power_off()
        for process in [*self.kernel.processes.values()]:
            if process is not self.kernel.init:
                self.kernel.end(process, SIGKILL)
        self.kernel.power_off()
        if self.stack is not None:
            self.simulation.network.fabric.discard_held(self.name)
        self._buried += self.failures.values()  # whose pids will be given again
        self.failures.clear()

    def restart(self) -> None:
        """Power on again, or off and on: the entry points run anew, from the first.

        It keeps its addresses, its disk, its clock's error and ``checksums``;
        ``traffic`` and the pids begin anew.  Who made a call of the host finds it gone.
        """
        self._check_simulated("restart")
        if self.is_up:
            self.crash()
        self.is_up = True
        self.clock.begin()
        if self.stack is not None:
            self._renew(self.stack)
        for program, args, service in self._entries:
            self._begin(program, args, service=service)

    def _renew(self, former: Stack) -> None:
        """A new stack, which knows nothing of the former's connections."""
        for address in former.addresses:
            former.detach(address)
        given, self._attached = self._attached, []
        self.stack = fresh = self.simulation.network.stack(self.name, self.kernel)
        fresh.checksums, fresh.mtu = former.checksums, former.mtu
        self._attach(given)  # the resolver still says what it said

    def pause(self) -> None:
        """The machine stands still, as a virtual machine that is not scheduled.

        Its processes make no call, nor do those that are started meanwhile; packets that
        come wait (1,000 at most).  Twice is once.  RuntimeError if it is down.
        Not modelled: what a program does between its calls goes on.
        """
        self._check_simulated("pause")
        self._check_up()
        if self.is_paused:
            return
        self.is_paused = True
        if self.stack is not None:
            self.stack.pause()
        self._freeze_if_paused()

    def resume(self) -> None:
        """It goes on where it stood; one that was not paused does so anyway."""
        self._check_simulated("resume")
        self.is_paused = False
        self._thaw()
        if self.stack is not None:
            self.stack.resume()

    def _freeze_if_paused(self) -> None:
        """Whoever runs stands still.  It is no stop that a parent is told of, nor a tracer."""
        if not self.is_paused:
            return
        for process in self.kernel.processes.values():
            if process.state is State.RUNNING and process.body is not None:
                process.state = State.STOPPED
                self.kernel.stopped += 1
                self._frozen[process] = None
                process.body.interrupt()

    def _thaw(self) -> None:
        frozen, self._frozen = self._frozen, {}
        for process in frozen:
            if process.state is State.STOPPED:
                process.state = State.RUNNING
                self.kernel.stopped -= 1
                self._go_on(process)

    def _go_on(self, process: Process) -> None:
        if process.body is not None:
            process.body.interrupt()
        if process.continued is not None:
            process.continued.notify()
        self.kernel.delivery.settle(process)  # signals that came meanwhile

    def _check_simulated(self, what: str) -> None:
        if self.simulation.machine.name != "simulated":
            raise Unsupported(f"{what} of a host on the native machine: it is the real one")
