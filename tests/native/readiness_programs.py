"""Programs of real children, for the tests of readiness: functions of a module."""

from __future__ import annotations

from asyncipc import posix

LARGE = 2**40 + 7


async def report_and_end(epoll: int, event: int, report: int) -> None:
    """Wait in an epoll that the parent has filled, tell what it said, and end with 3."""
    found = await posix.epoll_wait(epoll, 8)
    await posix.write(report, repr(found).encode())
    await posix.eventfd_write(event, 5)
    posix._exit(3)


async def sleep_long() -> None:
    await posix.nanosleep(1000)
