"""Parking: how a task sleeps, wakes and lets others run, on trio and on asyncio.

The one room that knows both schedulers.  A parking answers four questions for
:mod:`asyncipc.runtime.syscall`, which knows neither:

* ``must_pause()``: is something due *before* a call may take effect?  A
  cancellation always is.  ``pause()`` then deals with it.
* ``sleep(sleeper)``: be away until ``sleeper.wake()``; cancellable.
* ``step()``: let others run *after* a call took effect; not cancellable.

``quantum`` calls may pass without the scheduler having its turn.  Where that
turn is taken differs, because trio has a shielded yield and asyncio has none:
on trio it follows the effect (a call that slept needs no other), on asyncio it
precedes the next call's, so that a cancellation there undoes nothing.

On the hot path nothing is allocated: the messages that trio's documented
calls yield are made once and yielded again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager
from types import TracebackType, coroutine
from typing import Any, Final, Protocol, final

import anyio
import outcome
import trio
from trio.lowlevel import Abort, RaiseCancelT

from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.timers import Timer
from asyncipc.runtime import lent

STRICT: Final = 1
QUANTUM_DEFAULT: Final = 32


class Place(Protocol):
    """Where a call is made: a descriptor of a table, or a channel."""

    @property
    def fd(self) -> int: ...
    @property
    def file(self) -> OpenFile: ...
    @property
    def nonblocking(self) -> int: ...


class Sleeper:
    """A task asleep in a call.

    ``place``: where.  ``held``: the open file that stays open meanwhile.
    ``why``: set when it is woken for another reason than its object.
    """

    __slots__ = ("held", "place", "task", "timer", "why")

    def __init__(self, task: Any, place: Place | None) -> None:
        self.task = task
        self.place = place
        self.why: str | None = None
        self.timer: Timer | None = None
        self.held: OpenFile | None = None
        if place is not None:
            self.held = file = place.file
            file.holders += 1

    def wake(self) -> None:
        """Let it try again.  Waking one that is awake does nothing."""
        raise NotImplementedError

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

    def must_pause(self) -> bool: ...
    def pause(self) -> Awaitable[None]: ...
    def step(self) -> Awaitable[None]: ...
    def sleeper(self, place: Place | None) -> Sleeper: ...
    def sleep(self, sleeper: Sleeper) -> Awaitable[None]: ...
    def cancelled_late(self, error: BaseException) -> None: ...
    def is_stray(self, error: BaseException) -> bool: ...
    def current_task(self) -> object: ...
    def scope(self) -> Scope: ...
    def group(self) -> AbstractAsyncContextManager[Any]: ...


# -- trio


def _let_go(_: RaiseCancelT) -> Abort:
    return Abort.SUCCEEDED


def _hold_on(_: RaiseCancelT) -> Abort:
    return Abort.FAILED


def _message_of(abort: Any) -> object:
    """The message that ``wait_task_rescheduled`` yields: it can be yielded again."""
    waiting = trio.lowlevel.wait_task_rescheduled(abort)
    message: object = waiting.send(None)
    waiting.close()
    return message


_SLEEP: Final = _message_of(_let_go)
_STEP: Final = _message_of(_hold_on)
_WOKEN: Final = outcome.Value(None)
_reschedule: Final = trio.lowlevel.reschedule


@final
class TrioSleeper(Sleeper):
    __slots__ = ()

    def wake(self) -> None:
        # trio clears custom_sleep_data when it reschedules a task, be it for
        # us or for a cancellation: what is not ours sleeps no more.
        task = self.task
        if task.custom_sleep_data is self:
            _reschedule(task, _WOKEN)


@final
class TrioParking:
    name = "trio"
    cancelled_type: type[BaseException] = trio.Cancelled

    def __init__(self, quantum: int) -> None:
        lent.check_trio()
        self.quantum = quantum
        self.spent = 0
        self.must_pause = lent.trio_cancelled

    async def pause(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()

    @coroutine
    def step(self) -> Generator[object, Any, None]:
        self.spent = 0
        _reschedule(lent.trio_task(), _WOKEN)
        yield _STEP

    def sleeper(self, place: Place | None) -> TrioSleeper:
        return TrioSleeper(lent.trio_task(), place)

    @coroutine
    def sleep(self, sleeper: Sleeper) -> Generator[object, Any, None]:
        self.spent = 0
        sleeper.task.custom_sleep_data = sleeper
        woken = yield _SLEEP
        if woken is not _WOKEN:
            woken.unwrap()

    def cancelled_late(self, error: BaseException) -> None:
        """A cancellation was answered with a short count; trio tells it again."""

    def is_stray(self, error: BaseException) -> bool:
        """Is it a cancellation that no scope asked for?  trio has none."""
        return False

    def current_task(self) -> object:
        return trio.lowlevel.current_task()

    def scope(self) -> Scope:
        return trio.CancelScope()

    def group(self) -> AbstractAsyncContextManager[Any]:
        return trio.open_nursery()


# -- asyncio


@final
class AsyncioSleeper(Sleeper):
    __slots__ = ("future",)

    future: asyncio.Future[None] | None

    def wake(self) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(None)


@final
class AsyncioParking:
    name = "asyncio"
    cancelled_type: type[BaseException] = asyncio.CancelledError

    def __init__(self, quantum: int) -> None:
        lent.check_asyncio()
        self._due = quantum
        self.quantum = sys.maxsize  # the turn is taken in pause(), before the effect
        self.spent = 0
        self._loop = asyncio.get_running_loop()
        self._scopes = lent.anyio_task_states()

    def must_pause(self) -> bool:
        return self.spent >= self._due or self._is_cancelled()

    def _is_cancelled(self) -> bool:
        task = asyncio.current_task(self._loop)
        return task is not None and lent.asyncio_cancelled(task, self._scopes)

    async def pause(self) -> None:
        """A schedule point that is a cancel point; anyio's scopes may take a few."""
        self.spent = 0
        await asyncio.sleep(0)
        while self._is_cancelled():
            await asyncio.sleep(0)

    async def step(self) -> None:
        """Never due: see ``pause``."""

    def sleeper(self, place: Place | None) -> AsyncioSleeper:
        sleeper = AsyncioSleeper(asyncio.current_task(self._loop), place)
        sleeper.future = None
        return sleeper

    async def sleep(self, sleeper: Sleeper) -> None:
        assert isinstance(sleeper, AsyncioSleeper)
        self.spent = 0
        sleeper.future = self._loop.create_future()
        await sleeper.future

    def cancelled_late(self, error: BaseException) -> None:
        """A cancellation was answered with a short count: the next await raises it.

        Not if the scope or timeout that it came from is left before: the task
        is cancelled anew at its next await only, and if the request still stands.
        """
        task = asyncio.current_task(self._loop)
        assert task is not None
        self.spent = self._due  # the next call is an await, too
        self._loop.call_soon(_cancel_anew, task, task.cancelling(), error.args)

    def is_stray(self, error: BaseException) -> bool:
        """Is it a cancellation that no scope asked for, such as a cancelled future's?"""
        return isinstance(error, asyncio.CancelledError) and not self._is_cancelled()

    def current_task(self) -> object:
        return asyncio.current_task(self._loop)

    def scope(self) -> Scope:
        return anyio.CancelScope()

    def group(self) -> AbstractAsyncContextManager[Any]:
        return anyio.create_task_group()


def _cancel_anew(task: asyncio.Task[Any], requests: int, args: tuple[object, ...]) -> None:
    if not task.done() and task.cancelling() >= requests > 0:
        task.uncancel()
        task.cancel(*args)


def parking_for_this_run(quantum: int) -> Parking:
    """The parking of the scheduler that runs the caller."""
    if trio.lowlevel.in_trio_run():
        return TrioParking(quantum)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError("asyncipc runs inside trio.run or asyncio.run") from None
    return AsyncioParking(quantum)
