"""Operations of epoll: the bare calls, with the descriptor as an entry's data."""

from __future__ import annotations

from collections.abc import Mapping
from select import EPOLL_CLOEXEC
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation
from tests.linux.oplang import Fd, Holders, Mask, Value
from tests.linux.readiness_ops import seconds

ENTRIES_MAX: Final = 64
SYS_ENTRIES_MAX: Final = 8


def epoll(flags: int = EPOLL_CLOEXEC) -> Fd:
    return Fd(posix.epoll_create1(flags))


def epoll_ctl(epoll: int, operation: int, fd: int, events: int = 0) -> None:
    posix.epoll_ctl(epoll, operation, fd, events)


async def epoll_wait(epoll: int, timeout: int = 0, max: int = ENTRIES_MAX) -> Value:  # noqa: A002, ASYNC109 (the op language names the keywords)
    ready = await posix.epoll_wait(epoll, max, seconds(timeout))
    return [[Holders([fd]), Mask(events)] for fd, events in ready]


async def sys_epoll_wait(epoll: int, ms: int) -> int:
    return len(await posix.epoll_wait(epoll, SYS_ENTRIES_MAX, seconds(ms)))


OPERATIONS: Final[Mapping[str, Operation]] = {
    "epoll": epoll,
    "epoll_ctl": epoll_ctl,
    "epoll_wait": epoll_wait,
    "sys_epoll_wait": sys_epoll_wait,
}
