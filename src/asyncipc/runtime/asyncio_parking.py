"""Parking on asyncio: a sleeper is a future, anyio has the scopes and groups."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio

from asyncipc.kernel.processes.process import State
from asyncipc.runtime import lent
from asyncipc.runtime.parking import Place, Scope, Sleeper


class AsyncioSleeper(Sleeper):
    __slots__ = ("future",)

    def __init__(self, place: Place | None) -> None:
        super().__init__(place)
        self.future: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self.future is not None and not self.future.done():
            self.future.set_result(None)

    def is_asleep(self) -> bool:
        # A cancellation cancels the future at once, before the task runs.
        future, body = self.future, self.body
        if future is None or future.done():
            return False
        return body.process.state is State.RUNNING and body.next_program is None


class AsyncioParking:
    name = "asyncio"
    owes_turn = False
    cancelled_type: type[BaseException] = asyncio.CancelledError

    def __init__(self, quantum: int) -> None:
        self.quantum = sys.maxsize  # the turn is taken in pause(), before the effect
        self.spent = 0
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("asyncipc runs inside trio.run or asyncio.run") from None
        lent.check_asyncio()
        self.seconds = self._loop.time
        self._scopes = lent.anyio_task_states()
        self._due = quantum
        self.sleeper: Callable[[Place | None], Sleeper] = AsyncioSleeper

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

    async def sleep(self, sleeper: Sleeper) -> None:
        assert isinstance(sleeper, AsyncioSleeper)
        self.spent = 0
        sleeper.task = asyncio.current_task(self._loop)
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

    def is_over(self, task: asyncio.Task[Any]) -> bool:
        return task.done()

    def scope(self) -> Scope:
        return anyio.CancelScope()

    def group(self) -> AbstractAsyncContextManager[Any]:
        return anyio.create_task_group()


def _cancel_anew(task: asyncio.Task[Any], requests: int, args: tuple[object, ...]) -> None:
    if not task.done() and task.cancelling() >= requests > 0:
        task.uncancel()
        task.cancel(*args)
