"""Operations that ask or wait for readiness: poll and select."""
# ruff: noqa: ASYNC109 (the op language names the keywords)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from select import POLLIN, POLLOUT, POLLPRI, POLLRDHUP
from typing import Final

from asyncipc import posix
from tests.linux.descriptor_ops import Operation, number_of, retried
from tests.linux.oplang import Holders, Mask, Value

DEFAULT_EVENTS: Final = POLLIN | POLLPRI | POLLOUT | POLLRDHUP


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
    ready = await retried(posix.select, readers, writers, others, timeout)
    return [Holders(fds) for fds in ready]


async def sys_select(fd: int, timeout: int) -> int:
    return len((await posix.select([fd], [], [], seconds(timeout)))[0])


OPERATIONS: Final[Mapping[str, Operation]] = {
    "poll": poll,
    "pollall": pollall,
    "rawpoll_negative": rawpoll_negative,
    "select": select,
    "sys_poll": sys_poll,
    "sys_select": sys_select,
}
