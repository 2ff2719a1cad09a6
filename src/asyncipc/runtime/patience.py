"""How long a call may sleep: limits of its own, of its socket, and what it says then."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn, cast

from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.interruption import progress
from asyncipc.runtime.parking import Held, Place, Sleeper
from asyncipc.runtime.process import Body

TIMED_OUT: Final = "its time was over"


def would_block(refusal: WouldBlock) -> NoReturn:
    """What a caller is told who does not wait, or no longer: EAGAIN, mostly."""
    raise OSError(refusal.error, os.strerror(refusal.error))


def hold_and_limit(
    body: Body, sleeper: Sleeper, verb: Callable[..., object], until_ns: int | None
) -> None:
    """What few calls need: poll and epoll_wait hold files, and a wait may have a time limit."""
    hold: Callable[[], None] | None = getattr(verb, "hold", None)
    if hold is not None:
        hold()
        sleeper.held = cast("Held", verb)
    if sleeper.place is not None and until_ns is None:
        until_ns = _time_limit(body, sleeper.place, sleeper.asleep[-1])
    if until_ns is not None:
        timed_out = partial(sleeper.wake_because, TIMED_OUT)
        sleeper.timer = body.simulation.timers.arm(until_ns, timed_out)


def _time_limit(body: Body, place: Place, refusal: WouldBlock) -> int | None:
    """When a wait on a file with limits of its own is over, on the machine's clock."""
    if not refusal.mask:  # it waits for a lock, for no readiness
        return None
    patience = None if place.patient else place.file.patience(refusal.mask)
    if patience is None:
        return None
    if patience <= 0:
        would_block(refusal)
    return body.simulation.timers.now() + patience


def timed_out(verb: Callable[..., object], refusal: WouldBlock) -> object:
    """What a call returns whose time is over: its own answer, a short count, or an error."""
    own_answer: Callable[[], object] | None = getattr(verb, "timed_out", None)
    if own_answer is not None:
        return own_answer()
    done = progress(verb)
    if done is None:
        would_block(refusal)
    return done
