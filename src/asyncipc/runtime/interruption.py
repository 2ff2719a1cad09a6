"""What becomes of a call that a signal found asleep."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

from asyncipc.errors import fail
from asyncipc.kernel.signals.disposition import SA_RESTART
from asyncipc.kernel.waitqueue import Line, WouldBlock
from asyncipc.runtime.parking import Sleeper
from asyncipc.runtime.process import Body
from asyncipc.runtime.threads import run_handlers

GO_ON: Final = object()
"""What an interruption answers that does not end the call."""


def progress(verb: Callable[..., object]) -> object:
    """What a long call has done so far; None if nothing, or if it is none."""
    told: Callable[[], object] | None = getattr(verb, "progress", None)
    return None if told is None else told()


def ends_by_stop(sleeper: Sleeper, verb: Callable[..., object]) -> bool:
    """Does a stop end this sleep, handler or not?

    It does on a file with a time limit (sock_intr_errno), and in sigtimedwait;
    not in poll and nanosleep, which have a limit of their own (signal(7)).
    """
    place = sleeper.place
    limited = sleeper.timer is not None and place is not None and place.file.limited
    return limited or not getattr(verb, "survives_stops", True)


def is_signalled(body: Body) -> bool:
    """Has the calling task a handler to run?"""
    body.leave_if_over()
    return body.process.is_due(body.threads.own())


def signalled(
    body: Body,
    sleeper: Sleeper,
    line: Line,
    verb: Callable[..., object],
    args: tuple[object, ...],
    *,
    stopped: bool,
) -> object:
    """A handler is due: the result if that ends the call, EINTR if it does not restart.

    Who can finish does, and who has moved something returns the short count;
    the handlers then run as the call returns.  Else the first signal taken
    decides (SA_RESTART), unless the call never restarts, or has a time limit and
    does not say that it does (signal(7)); who restarts stands at the end of the line.

    ``stopped``: it has left its sleep for a stop, so it does not look any more.
    """
    if not stopped:
        result = verb(*args)
        if type(result) is not WouldBlock:
            return result
        line.refused(sleeper)
        done = progress(verb)
        if done is not None:
            return done
    line.leave(sleeper)
    try:
        first = run_handlers(body)
    finally:
        line.join(sleeper)
    restarts = getattr(verb, "restarts", sleeper.timer is None)
    retried = getattr(verb, "retries", False)  # by the library that makes the call
    if first is not None and not retried and not (restarts and first.flags & SA_RESTART):
        fail(errno.EINTR)
    if sleeper.place is not None and not sleeper.place.open:
        fail(errno.EBADF)
    return GO_ON
