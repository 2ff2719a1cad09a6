"""Calls on words in shared memory: futex(2)."""

from __future__ import annotations

import errno
import operator

from asyncipc.errors import fail
from asyncipc.faces.words import Mapped, word_in
from asyncipc.posix.arguments import is_over, refused, until_ns
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "futex_wait",
    "futex_wake",
]


async def futex_wait(
    mapping: Mapped, offset: int, expected: int, timeout_s: float | None = None
) -> None:
    """futex(2), FUTEX_WAIT: sleep until a ``futex_wake`` of the word at ``offset``.

    Only if its four bytes, the lowest first, are ``expected``; else EAGAIN, as when
    it has changed while a handler ran (SA_RESTART) or the process was stopped.
    ``timeout_s`` seconds at most: ETIMEDOUT.  Sleepers are woken in order.
    Cancelled with a wake under way, another sleeper is woken instead.  Errors:
    EINTR, which with a time limit no SA_RESTART prevents; EINVAL (``offset`` no
    multiple of 4, negative time), EFAULT (outside the mapping).  Not modelled: bit
    sets, priorities (PI), clocks.
    """
    at, wanted = operator.index(offset), operator.index(expected)
    try:
        if timeout_s is not None and timeout_s < 0:
            fail(errno.EINVAL)
        wait = current().machine.futexes.wait(word_in(mapping, at), wanted)
    except OSError as error:
        await refused("futex", error.errno or 0, at, wanted)
    until = until_ns(timeout_s)
    await syscall("futex", None, wait, dontwait=is_over(timeout_s), until_ns=until)


def futex_wake(mapping: Mapped, offset: int, count: int = 1) -> int:
    """futex(2), FUTEX_WAKE: wake up to ``count`` sleepers, the first come first; how many.

    A ``count`` of 0 or less wakes one, as Linux has it.  Errors: EINVAL
    (``offset`` no multiple of 4), EFAULT.
    """
    body = current()

    def wake(offset: int, count: int) -> int:
        return body.machine.futexes.wake(word_in(mapping, offset).aligned(), count)

    return call("futex", wake, operator.index(offset), operator.index(count))
