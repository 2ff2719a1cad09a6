"""The asyncio loop on virtual time: a selector loop whose selector moves the clock.

asyncio asks its selector to sleep exactly when no callback is ready, so that
is where time moves on, as in :class:`asyncipc.runtime.clock.TrioClock`.  Real
descriptors and executor jobs hold time; the loop's own self-pipe does not.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Executor
from contextvars import Context
from functools import partial
from typing import Any, TypeVarTuple, final

from asyncipc.runtime import lent
from asyncipc.runtime.clock import SECOND, VirtualTime, nanoseconds
from asyncipc.runtime.fence import hear, hear_borrowing

Args = TypeVarTuple("Args")


@final
class _VirtualSelector(selectors.BaseSelector):
    """A real selector, asked only what is ready now; sleeping is moving the clock."""

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self._real = selectors.DefaultSelector()
        self._tell_anyio, self._untell_anyio = lent.anyio_library()
        self.own_descriptors = 0
        self.jobs = 0

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def close(self) -> None:
        self._real.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._time.count_step()
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        # A difference of floats: the nearest nanosecond is what was meant, or asked for again.
        due = None if timeout is None else self._time.now_ns + round(timeout * SECOND)
        if self._is_held() or not self._advance(due):
            self._time.waits_for_reality = True
            return self._real.select(None)
        return []

    def _advance(self, due: int | None) -> bool:
        """A timer that fires now may start a process, which is anyio's to run."""
        token = self._tell_anyio("asyncio")
        try:
            return self._time.advance(due)
        finally:
            self._untell_anyio(token)

    def _is_held(self) -> bool:
        if self.jobs or len(self._real.get_map()) > self.own_descriptors:
            return True
        threads = self._time.threads
        return threads is not None and threads.borrowed_tokens > 0


@final
class _OrderedTask(asyncio.Task[Any]):
    """A task whose hash is its place in the order of birth.

    anyio's cancel scopes and asyncio's own books keep tasks in sets; by address
    their order would differ from run to run.
    """

    def __init__(self, birth: int, coro: Coroutine[Any, Any, Any], **options: Any) -> None:
        self._birth = birth
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._birth


@final
class VirtualTimeLoop(lent.ToTheNanosecond, asyncio.SelectorEventLoop):
    """What ``asyncio.Runner(loop_factory=...)`` gets from a simulation."""

    def __init__(self, time: VirtualTime) -> None:
        self._virtual = time
        self._virtual_selector = _VirtualSelector(time)
        super().__init__(self._virtual_selector)
        self._virtual_selector.own_descriptors = len(self._virtual_selector.get_map())
        time.anybody_ready = partial(lent.asyncio_anybody_ready, self)
        self._births = 0
        lent.order_anyio_scopes()
        self.set_task_factory(self._make_task)  # type: ignore[arg-type]

    def _make_task(
        self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
    ) -> _OrderedTask:
        self._births += 1
        return _OrderedTask(self._births, coro, loop=loop, **options)

    def time(self) -> float:
        return self._virtual.now_ns / SECOND

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """At the first nanosecond not before ``when``, as on trio.

        asyncio itself would call up to a nanosecond early, and who then looks at the
        clock and asks again, as anyio's deadlines do, would ask for ever.
        """
        due = nanoseconds(when) / SECOND if math.isfinite(when) else when
        return super().call_at(due, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        hear_borrowing()
        job: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self._virtual_selector.jobs += 1
        job.add_done_callback(self._job_done)
        return job

    async def getaddrinfo(self, host: Any, port: Any, **options: Any) -> Any:
        """In a thread, where no fence would hear of it."""
        hear("socket.getaddrinfo", (host, port))
        return await super().getaddrinfo(host, port, **options)

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> Any:
        hear("socket.getnameinfo", (sockaddr,))
        return await super().getnameinfo(sockaddr, flags)

    async def shutdown_default_executor(self, *timeout: Any) -> None:
        """Joins real threads, with a time limit since Python 3.12: that is a job, too."""
        self._virtual_selector.jobs += 1
        try:
            await super().shutdown_default_executor(*timeout)
        finally:
            self._virtual_selector.jobs -= 1

    def _job_done(self, job: asyncio.Future[Any]) -> None:
        self._virtual_selector.jobs -= 1


def is_virtual() -> bool:
    """Does the loop that runs the caller keep virtual time?"""
    return isinstance(asyncio.get_running_loop(), VirtualTimeLoop)
