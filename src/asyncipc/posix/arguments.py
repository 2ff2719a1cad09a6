"""What every call does with its arguments: the table they index, the bytes they name."""

from __future__ import annotations

import errno
import math
import operator
from typing import NoReturn

from asyncipc.errors import fail
from asyncipc.kernel.buffers import Buffer
from asyncipc.kernel.descriptors import Descriptor, DescriptorTable
from asyncipc.kernel.openfile import OpenFile
from asyncipc.runtime.clock import nanoseconds
from asyncipc.runtime.process import CURRENT, current
from asyncipc.runtime.syscall import syscall


def own_table() -> DescriptorTable:
    """The table of the current process, which is left here if it is over."""
    body = current()
    if body.attention:
        body.leave_if_over()
    return body.process.table


def file_of(fd: int) -> OpenFile:
    """What a number stands for.  EBADF.

    For verbs: handlers run before a call acts, and may have closed the number or
    given it to another file.
    """
    return current().process.table[fd].file


def entry_of(fd: int) -> Descriptor | None:
    """What a number stands for in the current process, which is left here if it is over.

    As ``own_table()``, for the hot path: a foreign thread is told so by the call itself.
    """
    body = CURRENT.get(None)
    if body is None:
        body = current()  # which says what is wrong
    if body.attention:
        body.leave_if_over()
    return body.process.table.get(fd if type(fd) is int else operator.index(fd))


async def not_open(name: str, fd: int, *args: object) -> NoReturn:
    """EBADF, as ``refused``."""
    await refused(name, errno.EBADF, fd, *args)


async def refused(name: str, number: int, *args: object) -> NoReturn:
    """An error, on the road of every call: cancellable, told to the taps, and others' turn."""

    def refuse(*_: object) -> None:
        fail(number)

    await syscall(name, None, refuse, *args)
    raise AssertionError


def octets(data: Buffer) -> Buffer:
    """The bytes to send, in a form whose length is their count."""
    if type(data) is bytes or isinstance(data, bytes | bytearray):
        return data
    view = memoryview(data)
    return view if view.format == "B" and view.ndim == 1 else view.cast("B")


def size_of(n: int) -> int:
    """A count of bytes to read: EINVAL below 0, TypeError if no integer."""
    size = n if type(n) is int else operator.index(n)
    if size < 0:
        fail(errno.EINVAL)
    return size


def flags_of(flags: int) -> int:
    """TypeError if no integer."""
    return flags if type(flags) is int else operator.index(flags)


def until_ns(timeout_s: float | None) -> int | None:
    """When a wait that begins now is over, on the machine's clock; None for never."""
    if timeout_s is None or timeout_s == math.inf:
        return None
    if math.isnan(timeout_s):
        raise ValueError("timeout_s is a time in seconds, not NaN")
    return current().simulation.timers.now() + nanoseconds(max(timeout_s, 0))


def is_over(timeout_s: float | None) -> bool:
    """Has the time of the call come before it begins?  It acts then, but does not wait."""
    return timeout_s is not None and timeout_s <= 0
