"""Operations that ask or wait for readiness: poll, and select expressed by it."""
# ruff: noqa: ASYNC109 (the op language names the keywords)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from errno import EBADF
from select import (
    POLLERR,
    POLLHUP,
    POLLIN,
    POLLNVAL,
    POLLOUT,
    POLLPRI,
    POLLRDBAND,
    POLLRDHUP,
    POLLRDNORM,
    POLLWRBAND,
    POLLWRNORM,
)
from typing import Final

import anyio

from asyncipc import posix
from asyncipc.errors import fail
from tests.linux.descriptor_ops import Operation, number_of, retried
from tests.linux.oplang import Holders, Mask, Value

DEFAULT_EVENTS: Final = POLLIN | POLLPRI | POLLOUT | POLLRDHUP

# fs/select.c: which bits of poll make a descriptor of each set ready.
READ_SET: Final = POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR
WRITE_SET: Final = POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR
EXCEPT_SET: Final = POLLPRI
FD_SETSIZE: Final = 1024


def seconds(timeout_ms: float | None) -> float | None:
    """poll's timeout: None and negative are for ever."""
    return None if timeout_ms is None or timeout_ms < 0 else timeout_ms / 1000


async def poll(fd: int, events: int = DEFAULT_EVENTS) -> Mask:
    ready = await retried(posix.poll, [(number_of(fd), events)], 0)
    return Mask(ready[0][1] if ready else 0)


async def pollall(
    asked: Sequence[int | list[int]], timeout: int | None = 0, events: int = DEFAULT_EVENTS
) -> Value:
    """``select.poll``: a descriptor that is named twice is asked once, by the later."""
    wanted: dict[int, int] = {}
    for item in asked:
        fd, mask = item if isinstance(item, list) else (item, events)
        wanted[number_of(fd)] = mask
    ready = await retried(posix.poll, list(wanted.items()), seconds(timeout))
    return [[Holders([fd]), Mask(mask)] for fd, mask in ready]


async def rawpoll_negative() -> Value:
    ready = await posix.poll([(-1, POLLIN)], 0)
    return [len(ready), 0]


async def sys_poll(fd: int, timeout: int, events: int = DEFAULT_EVENTS) -> Value:
    ready = await posix.poll([(fd, events)], seconds(timeout))
    return [len(ready), Mask(ready[0][1] if ready else 0)]


async def select(
    readers: list[int], writers: list[int], others: list[int], timeout: float | None = 0
) -> Value:
    sets = (readers, writers, others)
    for fd in (*readers, *writers, *others):
        if number_of(fd) >= FD_SETSIZE:
            raise ValueError("filedescriptor out of range in select()")
    return [Holders(ready) for ready in await retried(_select, sets, timeout)]


async def sys_select(fd: int, timeout: int) -> int:
    return len((await _select(([fd], [], []), seconds(timeout)))[0])


async def _select(
    sets: tuple[list[int], list[int], list[int]], timeout_s: float | None
) -> list[list[int]]:
    asked: dict[int, int] = {}
    for fds, events in zip(sets, (READ_SET, WRITE_SET, EXCEPT_SET), strict=True):
        for fd in fds:
            asked[fd] = asked.get(fd, 0) | events
    until = None if timeout_s is None else anyio.current_time() + timeout_s
    ready = await posix.poll(list(asked.items()), 0)
    while True:
        masks = dict(ready)
        if any(mask & POLLNVAL for mask in masks.values()):
            fail(EBADF)
        for fd, mask in masks.items():
            if not mask & asked[fd]:
                del asked[fd]  # it hung up, and will never be what was asked
        found = [
            [fd for fd in fds if masks.get(fd, 0) & events]
            for fds, events in zip(sets, (READ_SET, WRITE_SET, EXCEPT_SET), strict=True)
        ]
        left_s = None if until is None else until - anyio.current_time()
        if any(found) or (left_s is not None and left_s <= 0):
            return found
        ready = await posix.poll(list(asked.items()), left_s)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "poll": poll,
    "pollall": pollall,
    "rawpoll_negative": rawpoll_negative,
    "select": select,
    "sys_poll": sys_poll,
    "sys_select": sys_select,
}
