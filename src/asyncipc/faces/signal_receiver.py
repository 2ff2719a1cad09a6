"""Signals as an async iterator, as ``anyio.open_signal_receiver`` has them.

::

    with open_signal_receiver(SIGTERM, SIGHUP) as signals:
        async for number in signals:
            ...
"""

from __future__ import annotations

from collections import deque
from types import TracebackType
from typing import Self, final

from asyncipc import posix
from asyncipc.errors import Unsupported
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.signals.disposition import SA_RESTART, SignalInfo
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.posix.signals import SignalHandler
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import syscall


@final
class SignalReceiver:
    """What :func:`open_signal_receiver` gives: a context manager, and the iterator in it."""

    def __init__(self, signals: tuple[int, ...]) -> None:
        self._signals = signals
        self._former: list[tuple[int, SignalHandler]] = []
        self._received: deque[int] = deque()
        self._owner: Process | None = None

    def __enter__(self) -> Self:
        self._owner = current().process
        try:
            for number in self._signals:
                former = posix.signal(number, self._handle, SA_RESTART)
                self._former.append((number, former))
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._former:
            posix.signal(*self._former.pop())

    def _handle(self, number: int, _: SignalInfo) -> None:
        if current().process is not self._owner:  # a child has inherited the handler
            return
        if number not in self._received:  # what nobody has asked for merges
            self._received.append(number)
        current().process.signal_came()  # the iterating task may not be the one that handles

    def _take(self) -> int | WouldBlock:
        return self._received.popleft() if self._received else current().process.await_signal()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> int:
        if current().process is not self._owner:
            raise Unsupported("a signal receiver is iterated over by the process that opened it")
        while True:
            try:
                return await syscall("signal receiver", None, self._take)
            except InterruptedError:  # by a handler of somebody else's, PEP 475
                continue


def open_signal_receiver(*signals: int) -> SignalReceiver:
    """Handle ``signals`` by iterating over their numbers, in the block's process only.

    A child that is forked in the block inherits handlers that do nothing: until it
    asks for something else, ``signals`` have no effect on it.

    Blocks while none has come; cancelled it has taken none.  Of each number one
    waits at most: signals merge while nobody takes them.  Leaving the block restores
    the former dispositions, without their flags and masks.  Errors: EINVAL for
    SIGKILL, SIGSTOP and what is no signal; TypeError for no signals at all.
    """
    if not signals:
        raise TypeError("open_signal_receiver() wants at least one signal")
    return SignalReceiver(signals)
