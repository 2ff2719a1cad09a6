"""An epoll in an epoll: no cycle, and at most five levels (ep_loop_check)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from asyncipc.errors import fail
from asyncipc.kernel.anonymous.interest import Interest

if TYPE_CHECKING:
    from asyncipc.kernel.anonymous.epoll import EpollFile

NESTS_MAX: Final = 4
"""EP_MAX_NESTS: so many may lie inside one."""


def check(outer: EpollFile, inner: EpollFile) -> None:
    """May ``outer`` watch ``inner``?  ELOOP."""
    inside = _down(inner, outer)
    if inside > NESTS_MAX or inside + 1 + _up(outer) > NESTS_MAX:
        fail(errno.ELOOP)


def _down(epoll: EpollFile, forbidden: EpollFile) -> int:
    """How many levels lie inside; too many if ``forbidden`` is one of them."""
    if epoll is forbidden:
        return NESTS_MAX + 1
    return max((1 + _down(inner, forbidden) for inner in epoll.inner()), default=0)


def _up(epoll: EpollFile) -> int:
    """How many levels lie around."""
    around = [each.epoll for each in epoll.attached if isinstance(each, Interest)]
    return max((1 + _up(outer) for outer in around), default=0)
