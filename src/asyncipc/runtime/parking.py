"""Parking: how a task sleeps, wakes and lets others run, whoever schedules it.

The words that :mod:`asyncipc.runtime.syscall` knows; what is behind them is in
``trio_parking`` and ``asyncio_parking``, the two modules that know a scheduler:

* ``must_pause()``: is something due *before* a call may take effect?  A
  cancellation always is.  ``pause()`` then deals with it.
* ``sleep(sleeper)``: be away until ``sleeper.wake()``; cancellable.
* ``step()``: let others run *after* a call took effect; not cancellable.
* ``seconds()``: the run's own clock.
* ``owes_turn``: did the last sleep let the others run just once?  Then who slept
  lets them have their turn as if it had not.

``quantum`` calls may pass without the scheduler having its turn.  Where that
turn is taken differs, because trio has a shielded yield and asyncio has none:
on trio it follows the effect (a call that slept needs no other), on asyncio it
precedes the next call's, so that a cancellation there undoes nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final, Protocol, TypeAlias, final

from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.timers import Timer
from asyncipc.kernel.waitqueue import WouldBlock

STRICT: Final = 1
QUANTUM_DEFAULT: Final = 32


NOTHING: Final = object()


@final
class Raised:
    """An error that a sleeper was served with."""

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


Asleep: TypeAlias = tuple[str, Callable[..., object], tuple[object, ...], WouldBlock]
"""What a sleeper is in: the call's name, its verb and arguments, and what refused."""


class Place(Protocol):
    """Where a call is made: a descriptor of a table, or a channel."""

    @property
    def fd(self) -> int: ...
    @property
    def file(self) -> OpenFile: ...
    @property
    def nonblocking(self) -> int: ...
    @property
    def open(self) -> bool: ...
    @property
    def patient(self) -> bool: ...


class Held(Protocol):
    """What stays open while somebody sleeps: a file, or the files of a poll."""

    def drop(self) -> None: ...


class Sleeper:
    """A task asleep in a call.

    ``task``: whose, once it sleeps.  ``place``: where.  ``held``: what stays open meanwhile.
    ``why``: set when it is woken for another reason than its object.  ``body``: its process's.
    ``asleep``: the call it is in; ``result``: what it was served with, or NOTHING.
    """

    __slots__ = ("asleep", "body", "held", "place", "result", "task", "timer", "why")

    def __init__(self, place: Place | None) -> None:
        self.task: Any = None
        self.place = place
        self.why: str | None = None
        self.asleep: Asleep
        self.body: Any = None
        self.result: object = NOTHING
        self.timer: Timer | None = None
        self.held: Held | None = None
        if place is not None:
            file = place.file
            file.holders += 1
            self.held = file

    def wake(self) -> None:
        """Let it try again.  Waking one that is awake does nothing."""
        raise NotImplementedError

    def is_asleep(self) -> bool:
        """Else its task runs soon, and not because of what it waits for."""
        raise NotImplementedError

    def serve(self) -> bool | None:
        """Try in its stead, if nothing can come between that and its waking."""
        return None

    def wake_because(self, why: str) -> None:
        self.why = why
        self.wake()

    def let_go(self) -> None:
        """The call is over, or its process is: let the open file go."""
        held, self.held = self.held, None
        if held is not None:
            held.drop()


class Scope(Protocol):
    """A cancel scope: ``trio.CancelScope``, or anyio's on asyncio."""

    def __enter__(self) -> object: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None: ...
    def cancel(self) -> None: ...


class Group(Protocol):
    """A group of tasks: ``trio.Nursery``, or anyio's task group on asyncio."""

    @property
    def cancel_scope(self) -> Scope: ...
    def start_soon(self, main: Callable[..., Awaitable[object]], *args: Any, name: str) -> Any: ...


class Parking(Protocol):
    """What a scheduler must offer."""

    name: str
    quantum: int
    spent: int
    cancelled_type: type[BaseException]
    seconds: Callable[[], float]
    owes_turn: bool

    def must_pause(self) -> bool: ...
    def pause(self) -> Awaitable[None]: ...
    def step(self) -> Awaitable[None]: ...

    sleeper: Callable[[Place | None], Sleeper]

    def sleep(self, sleeper: Sleeper) -> Awaitable[None]: ...
    def cancelled_late(self, error: BaseException) -> None: ...
    def is_stray(self, error: BaseException) -> bool: ...
    def current_task(self) -> object: ...
    def is_over(self, task: Any) -> bool: ...
    def scope(self) -> Scope: ...
    def group(self) -> AbstractAsyncContextManager[Any]: ...
