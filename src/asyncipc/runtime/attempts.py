"""What may come between a call and its attempts: others run, and may close what it is made on."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeVar, TypeVarTuple

from asyncipc.errors import fail
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.interruption import is_disturbed

if TYPE_CHECKING:
    from asyncipc.runtime.parking import Place
    from asyncipc.runtime.process import Body

T = TypeVar("T")
Args = TypeVarTuple("Args")


async def second_try(
    body: Body,
    place: Place | None,
    verb: Callable[..., object],
    args: tuple[object, ...],
    refusal: WouldBlock,
) -> object:
    """Let the others run once before anything is set up to wait; the result, or a refusal.

    Who ends the refusal is mostly one of them.  A cancellation, a stop or a signal that
    has come between is for the wait to meet, as if it had found the call asleep.
    """
    may_go_on = await body.parking.let_others_run()
    body.leave_if_over()
    if place is not None and not place.open:
        closed()
    if not may_go_on or (body.attention and is_disturbed(body)):
        return refusal
    result = verb(*args)
    parking = body.parking
    # Not the turn that a wait counts as: who takes it now finds the next thing ready.
    if type(result) is not WouldBlock:
        parking.spent += 1
        if parking.spent >= parking.quantum:
            await parking.step()
    return result


def if_still_open(place: Place | None, verb: Callable[[*Args], T]) -> Callable[[*Args], T]:
    """The verb, or EBADF: another task may have closed the place before the call had begun."""
    return verb if place is None or place.open else closed


def closed(*_: object) -> NoReturn:
    fail(errno.EBADF)
