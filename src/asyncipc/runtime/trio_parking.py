"""Parking on trio.

On the hot path nothing is allocated: the messages that trio's documented
calls yield are made once and yielded again, and one outcome wakes everybody.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractAsyncContextManager
from inspect import CORO_CLOSED, getcoroutinestate
from types import coroutine
from typing import Any, Final

import outcome
import trio
from trio.lowlevel import Abort, RaiseCancelT

from asyncipc.kernel.processes.process import State
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime import lent
from asyncipc.runtime.parking import Place, Raised, Scope, Sleeper
from asyncipc.runtime.process import CURRENT


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
_RUNNING: Final = State.RUNNING
_reschedule: Final = trio.lowlevel.reschedule


class TrioSleeper(Sleeper):
    __slots__ = ()

    def wake(self) -> None:
        # trio clears custom_sleep_data when it reschedules a task, be it for
        # us or for a cancellation: what is not ours sleeps no more.
        task = self.task
        if task is not None and task.custom_sleep_data is self:
            _reschedule(task, _WOKEN)

    def is_asleep(self) -> bool:
        task, body = self.task, self.body
        if task is None or task.custom_sleep_data is not self:
            return False
        return body.process.state is _RUNNING and body.next_program is None

    def serve(self) -> bool | None:
        # A task that is rescheduled can't be cancelled any more: what the verb
        # has done in its stead is not lost.
        if not self.is_asleep():
            return None
        body = self.body
        _, verb, args, refusal = self.asleep
        # If somebody watches, what happens is the sleeper's doing.
        token = CURRENT.set(body) if body.attention else None
        try:
            result = verb(*args)
        except Exception as error:
            result = Raised(error)
        if token is not None:
            CURRENT.reset(token)
        if result is refusal:
            return False
        if type(result) is WouldBlock:  # another line's
            return None
        self.result = result
        _reschedule(self.task, _WOKEN)
        return True


class TrioParking:
    name = "trio"
    owes_turn = False
    cancelled_type: type[BaseException] = trio.Cancelled

    def __init__(self, quantum: int) -> None:
        lent.check_trio()
        self.quantum = quantum
        self.spent = 0
        self.must_pause = lent.trio_cancelled
        self.seconds = trio.current_time
        self.sleeper: Callable[[Place | None], Sleeper] = TrioSleeper

    async def pause(self) -> None:
        await trio.lowlevel.checkpoint_if_cancelled()

    @coroutine
    def step(self) -> Generator[object, Any, None]:
        self.spent = 0
        _reschedule(lent.trio_task(), _WOKEN)
        yield _STEP

    @coroutine
    def sleep(self, sleeper: Sleeper) -> Generator[object, Any, None]:
        self.spent = 0
        sleeper.task = task = lent.trio_task()
        task.custom_sleep_data = sleeper
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

    def is_over(self, task: trio.lowlevel.Task) -> bool:
        return getcoroutinestate(task.coro) == CORO_CLOSED

    def scope(self) -> Scope:
        return trio.CancelScope()

    def group(self) -> AbstractAsyncContextManager[Any]:
        return trio.open_nursery()
