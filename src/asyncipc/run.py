"""``asyncipc.run``: one call from a plain program into a machine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final, Literal, TypeVar, TypeVarTuple

import trio

from asyncipc.errors import Deadlock, TimeFrozen, Unsupported
from asyncipc.events import Observer
from asyncipc.runtime.clock import TrioClock, VirtualTime
from asyncipc.runtime.fault_plan import Fault
from asyncipc.runtime.fence import Escapes, Fence
from asyncipc.runtime.simulated import SIMULATED
from asyncipc.runtime.simulation import STEP_LIMIT, Simulation, write_to_stdout
from asyncipc.runtime.watchdog import Watchdog

if TYPE_CHECKING:
    from asyncipc.native.machine import Native

T = TypeVar("T")
Args = TypeVarTuple("Args")

WALL_LIMIT_S: Final = 60.0


def run(
    main: Callable[[*Args], Awaitable[T]],
    *args: *Args,
    seed: int | None = None,
    backend: Literal["trio", "asyncio"] = "trio",
    quantum: int | None = None,
    machine: Literal["simulated", "native"] | Native = "simulated",
    observers: Iterable[Observer] = (),
    faults: Iterable[Fault] = (),
    step_limit: int | None = STEP_LIMIT,
    wall_limit_s: float | None = WALL_LIMIT_S,
    console: Callable[[bytes], None] = write_to_stdout,
    time: Literal["virtual", "real"] = "virtual",
    escapes: Escapes = "refuse",
) -> T:
    """Run ``main(*args)`` as the first process of a machine.

    ``machine``: "simulated"; or "native", on the real kernel and its clock.  A
    :class:`asyncipc.Native` says more: whether children are tasks or processes
    of the operating system, and below which directory their paths lie.

    ``time``: of the simulated machine.  "virtual" moves when nobody can run;
    "real" is the clock of the event loop, as a gateway to real sockets needs it
    (``sim.publish``, ``sim.reach``).

    ``main`` is pid 2, init is pid 1.  Returns what ``main`` returns when every
    process has ended, and raises what it raises.  A child's uncaught exception
    is printed and becomes status 1; if nobody waits for that child, it is
    raised at the end, in an ExceptionGroup.  SystemExit leaves ``run`` as it
    is; a ``main`` that ended by ``posix._exit`` or a signal has no value: None.

    ``seed`` fixes the order of everything; ``backend`` is the event loop;
    ``quantum``, ``observers``, ``faults`` and ``console`` are as in
    :class:`asyncipc.Simulation`.  ``step_limit`` bounds the scheduler passes,
    and ``wall_limit_s`` the real seconds of one step, in which virtual time
    does not move; None lifts a limit.

    ``escapes``: what happens to a program on virtual time that makes a real
    socket, process or thread, or sleeps for real: "refuse" raises
    :class:`asyncipc.Escape` at that call, "warn" warns of it, "allow" lets it
    pass.  ``anyio.to_thread`` and its kin hold virtual time, and are refused with
    a seed only.  On real time nothing is.

    Errors: :class:`asyncipc.Deadlock` when nobody can ever run again,
    :class:`asyncipc.TimeFrozen` when a limit is met.  On real time neither
    can be known: a program that waits for ever does.  There ``seed`` still fixes every
    die, but when something real happens, and so the order of events, is nobody's to fix.

    Not modelled: on real time the two limits, and on the native machine ``seed``
    too (Unsupported).
    """
    if backend not in {"trio", "asyncio"}:
        raise ValueError(f"backend is 'trio' or 'asyncio', not {backend!r}")
    if time not in {"virtual", "real"}:
        raise ValueError(f"time is 'virtual' or 'real', not {time!r}")
    fence = Fence(escapes, seed)
    is_virtual = machine == "simulated" and time == "virtual"
    if not is_virtual:
        _refuse_limits(step_limit, wall_limit_s)
    simulation = Simulation(
        seed=seed,
        quantum=quantum,
        observers=observers,
        faults=faults,
        console=console,
        machine=SIMULATED if machine == "simulated" else _native(machine),
    )
    if not is_virtual:
        return _on_real_time(simulation, backend, main, args)
    moves = VirtualTime(step_limit)
    with Watchdog(moves, wall_limit_s), fence:
        return (_on_trio if backend == "trio" else _on_asyncio)(simulation, moves, main, args)


def _native(machine: Literal["native"] | Native) -> Native:
    from asyncipc.native.machine import Native

    if machine == "native":
        return Native()
    if not isinstance(machine, Native):
        raise ValueError(f"machine is 'simulated', 'native' or a Native, not {machine!r}")
    return machine


def _refuse_limits(step_limit: int | None, wall_limit_s: float | None) -> None:
    """What is real keeps its own time."""
    guards = "it guards virtual time, and this run has real time"
    if step_limit not in {None, STEP_LIMIT}:
        raise Unsupported(f"step_limit: {guards}")
    if wall_limit_s not in {None, WALL_LIMIT_S}:
        raise Unsupported(f"wall_limit_s: {guards}")


def _on_real_time(
    simulation: Simulation,
    backend: str,
    main: Callable[..., Awaitable[T]],
    args: tuple[object, ...],
) -> T:
    if backend == "trio":
        return trio.run(simulation.run, main, args)
    import asyncio

    return asyncio.run(simulation.run(main, args))


def _on_trio(
    simulation: Simulation,
    time: VirtualTime,
    main: Callable[..., Awaitable[T]],
    args: tuple[object, ...],
) -> T:
    try:
        return trio.run(simulation.run, main, args, time, clock=TrioClock(time))
    except trio.TrioInternalError as error:
        # A task shields itself from the end: the clock has brought the loop down.
        if isinstance(error.__cause__, Deadlock | TimeFrozen):
            raise error.__cause__ from None
        raise


def _on_asyncio(
    simulation: Simulation,
    time: VirtualTime,
    main: Callable[..., Awaitable[T]],
    args: tuple[object, ...],
) -> T:
    import asyncio

    from asyncipc.runtime.asyncio_loop import VirtualTimeLoop

    with asyncio.Runner(loop_factory=lambda: VirtualTimeLoop(time)) as runner:
        return runner.run(simulation.run(main, args, time))
