"""epoll_wait(2): the call, whatever the epoll is that it is made on."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, final

from asyncipc.errors import fail
from asyncipc.kernel.waitqueue import WouldBlock

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile

EVENTS_MAX: Final = (2**31 - 1) // 12
"""EP_MAX_EVENTS: an int's worth of bytes of struct epoll_event."""

Report: TypeAlias = tuple[int, int]
"""An entry's data, and its events."""


@final
class EpollWait:
    """One call of epoll_wait(2): a verb that refuses while nothing is ready.

    ``find``: what a number stands for, which is asked when the call acts.
    """

    __slots__ = ("_epoll", "_find", "_shown")

    restarts: Final = False
    survives_stops: Final = False
    """EINTR whatever woke it, SIGSTOP and SIGCONT too (ep_poll, measured)."""

    def __init__(self, find: Callable[[int], OpenFile], fd: int, most: int) -> None:
        self._find = find
        self._epoll: OpenFile | None = None
        self._shown = fd, most

    def __call__(self) -> list[Report] | WouldBlock:
        """EBADF, EINVAL."""
        epoll = self._epoll
        if epoll is None:
            epoll = self._found()
        return epoll.wait_events(self._shown[1])

    def at_once(self) -> list[Report]:
        """The same without any time at all."""
        reports = self()
        return [] if isinstance(reports, WouldBlock) else reports

    def _found(self) -> OpenFile:
        """ep_check_params(): the descriptor, the room; what it stands for, that says itself."""
        fd, most = self._shown
        self._epoll = self._find(fd)
        if not 0 < most <= EVENTS_MAX:
            fail(errno.EINVAL)
        return self._epoll

    def timed_out(self) -> list[Report]:
        """What it answers when its time is over."""
        return []

    def hold(self) -> None:
        """The epoll stays open while the call sleeps."""
        assert self._epoll is not None
        self._epoll.hold()

    def drop(self) -> None:
        assert self._epoll is not None
        self._epoll.drop()

    def arguments(self) -> tuple[object, ...]:
        return self._shown
