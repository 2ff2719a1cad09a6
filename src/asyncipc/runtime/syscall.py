"""The system call: the one place that waits.

The pattern: attempt first, so that wrong-state errors surface; if the verb
refuses, join the refusal's line and sleep; when woken, attempt again.

The laws of every call that may block:

* It can be cancelled before it has had an effect; then it has had none.
* One that was cancelled after partial progress (a long write, MSG_WAITALL)
  returns its short count, and the next call raises.
* One that did not have to wait lets others run at least every *quantum* calls.
* A process that is stopped goes on in its calls only when continued; one that
  is over leaves at its next call.
* A handler that is due runs before a call acts, while it sleeps, or as it
  returns.  A call that it found asleep with nothing done fails with EINTR or
  begins anew, as SA_RESTART and signal(7) say.

While nobody watches or disturbs the calls, all that costs is one test
(``body.attention``); else :mod:`asyncipc.runtime.tap` goes along.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from threading import get_ident
from typing import Final, NoReturn, TypeVar, TypeVarTuple, cast

from asyncipc.errors import BrokenPipeSignal, fail
from asyncipc.kernel.processes.process import State
from asyncipc.kernel.readiness import WRITABLE
from asyncipc.kernel.waitqueue import Line, WouldBlock
from asyncipc.runtime.interruption import (
    GO_ON,
    ends_by_stop,
    is_signalled,
    progress,
    signalled,
)
from asyncipc.runtime.parking import NOTHING, Asleep, Place, Raised, Sleeper
from asyncipc.runtime.patience import TIMED_OUT, hold_and_limit, timed_out, would_block
from asyncipc.runtime.process import CURRENT, STOPPED, Body, current
from asyncipc.runtime.tap import Attendance
from asyncipc.runtime.threads import SIGNALLED, run_handlers

T = TypeVar("T")
Args = TypeVarTuple("Args")

CLOSED: Final = "its channel was closed"


class ClosedMeanwhile(Exception):
    """The channel was closed by another task while this one slept in it."""


async def syscall(
    call: str,
    place: Place | None,
    verb: Callable[[*Args], T | WouldBlock],
    *args: *Args,
    dontwait: bool = False,
    until_ns: int | None = None,
) -> T:
    """Make a call that may block, as the current process.

    ``call`` is its name for the watchers, ``place`` the descriptor or channel
    it is made on.  It does not wait if ``dontwait`` or the open file's
    O_NONBLOCK says so: BlockingIOError (EAGAIN).  ``until_ns`` limits the
    wait.
    """
    body = CURRENT.get(None)
    if body is None or get_ident() != body.thread:
        body = current()  # which says what is wrong
    parking = body.parking
    if parking.must_pause():
        await parking.pause()
        verb = _if_still_open(place, verb)
    attendance = None
    if body.attention:
        attendance = await _attend(body, call, place, verb, args)
        if attendance is not None:
            verb = cast("Callable[[*Args], T]", attendance.verb)
            args = cast("tuple[*Args]", attendance.args)
        verb = _if_still_open(place, verb)
    try:
        result: object = verb(*args)
        if type(result) is WouldBlock:
            if dontwait or (place is not None and place.nonblocking):
                would_block(result)
            result = await _wait(body, place, (call, verb, args, result), until_ns)
            their_turn = parking.owes_turn
        else:
            parking.spent += 1
            their_turn = parking.spent >= parking.quantum
        if their_turn:
            await parking.step()
    except OSError as error:
        await _fail(body, error, attendance)
        raise
    if body.attention:
        _leave(body, attendance, result)
    return result  # type: ignore[return-value]


def _if_still_open(place: Place | None, verb: Callable[[*Args], T]) -> Callable[[*Args], T]:
    """The verb, or EBADF: another task may have closed the place before the call had begun."""
    return verb if place is None or place.open else _closed


def _closed(*_: object) -> NoReturn:
    fail(errno.EBADF)


def _leave(body: Body, attendance: Attendance | None, result: object) -> None:
    """A call returns: it is told, and the signals that came meanwhile are handled."""
    if attendance is not None:
        attendance.returned(result)
    if body.process.state is State.RUNNING and body.next_program is None:
        run_handlers(body)


async def _fail(body: Body, error: OSError, attendance: Attendance | None) -> None:
    """A call that fails is a call: it is told, and others have their turn after it."""
    if attendance is not None:
        attendance.failed(error)
    if isinstance(error, BrokenPipeSignal):
        body.broken_pipe()
    elif body.attention and body.process.alive:
        run_handlers(body)
    parking = body.parking
    parking.spent += 1
    if parking.spent >= parking.quantum:
        await parking.step()


def call(name: str, verb: Callable[[*Args], T], *args: *Args) -> T:
    """Make a call that cannot block, as the current process."""
    body = current()
    attendance = None
    if body.attention:
        body.leave_if_over()
        run_handlers(body)
        if body.simulation.watched:
            attendance = Attendance(body, name, None, verb, args)
            verb = cast("Callable[[*Args], T]", attendance.verb)
            args = cast("tuple[*Args]", attendance.args)
    try:
        result = verb(*args)
    except OSError as error:
        if attendance is not None:
            attendance.failed(error)
        raise
    if body.attention:
        _leave(body, attendance, result)
        body.leave_if_over()
    return result


async def checkpoint() -> None:
    """Let others run as after a call, without making one."""
    parking = current().parking
    if parking.must_pause():
        await parking.pause()
    parking.spent += 1
    if parking.spent >= parking.quantum:
        await parking.step()


async def _wait(body: Body, place: Place | None, asleep: Asleep, until_ns: int | None) -> object:
    """The verb has refused: stand in line and sleep until it acts.

    A verb may refuse with another refusal than before: a path that is connected
    to can change hands.  The sleeper then stands in the other line, at its end.
    """
    parking = body.parking
    _, verb, args, refusal = asleep
    sleeper = parking.sleeper(place)
    sleeper.asleep, sleeper.body = asleep, body
    body.sleepers[sleeper] = None
    (line := refusal.line).join(sleeper)
    try:
        if place is None or until_ns is not None or place.file.limited:
            hold_and_limit(body, sleeper, verb, until_ns)
        while True:
            if not body.attention or not is_signalled(body):
                await parking.sleep(sleeper)
            if (result := sleeper.result) is not NOTHING:
                rare = type(result) is Raised or body.attention
                return await _served(body, sleeper) if rare else result
            if sleeper.why is None and not body.attention:
                line.barred = False  # it has the turn: open to its own attempt
            elif (cut := await _interrupted(body, sleeper, line, verb, args)) is not GO_ON:
                return cut
            result = verb(*args)
            if type(result) is not WouldBlock:
                return result
            if sleeper.why is TIMED_OUT:
                return timed_out(verb, refusal)
            line.refused(sleeper)
            if result is not refusal:
                refusal, line = result, _change_lines(body, sleeper, result)
    except parking.cancelled_type as error:
        return _short_count(body, sleeper, verb, error)
    except Exception as error:
        _pass_signals_on(body, sleeper, error)
        raise
    finally:
        line.leave(sleeper)
        del body.sleepers[sleeper]
        if sleeper.held is not None:
            sleeper.let_go()
        if sleeper.timer is not None:
            body.simulation.timers.cancel(sleeper.timer)


def _pass_signals_on(body: Body, sleeper: Sleeper, error: Exception) -> None:
    """A sleeper leaves by an error.  If it was to handle a signal, another task does.

    Who fails as a call does handles it itself (``_fail``).
    """
    if body.attention and body.process.alive and not isinstance(error, OSError):
        body.threads.alert(leaving=sleeper)


async def _served(body: Body, sleeper: Sleeper) -> object:
    """It was served in its sleep.  If its process was stopped since, it returns later."""
    result = sleeper.result
    if body.process.state is State.STOPPED:
        try:
            await _until_continued(body, sleeper)
        except body.parking.cancelled_type as error:
            if not body.process.alive:
                raise
            body.parking.cancelled_late(error)
    if type(result) is Raised:
        raise result.error
    return result


def _change_lines(body: Body, sleeper: Sleeper, refusal: WouldBlock) -> Line:
    """From the line of the last refusal to the end of this one's."""
    call, verb, args, former = sleeper.asleep
    former.line.leave(sleeper)
    sleeper.asleep = call, verb, args, refusal
    refusal.line.join(sleeper)
    return refusal.line


def _short_count(
    body: Body, sleeper: Sleeper, verb: Callable[..., object], error: BaseException
) -> object:
    """A sleeping call was cancelled: what it has done so far, if that is something.

    If it was to handle a signal, another task does.
    """
    if body.attention and body.process.alive:
        body.threads.alert(leaving=sleeper)
    done = progress(verb)
    if done is None or not body.process.alive:
        raise error
    body.parking.cancelled_late(error)
    return done


async def _interrupted(
    body: Body,
    sleeper: Sleeper,
    line: Line,
    verb: Callable[..., object],
    args: tuple[object, ...],
) -> object:
    """Woken for a reason that may not be the object; the result if that ends the call."""
    _leave_if_closed(sleeper)
    cut = sleeper.why is STOPPED and ends_by_stop(sleeper, verb)  # continued since, maybe
    if sleeper.why is STOPPED or sleeper.why is SIGNALLED:
        sleeper.why = None
    body.leave_if_over()
    result, anew = GO_ON, False
    if cut or body.process.state is State.STOPPED:
        anew = True
        result = await _stopped(body, sleeper, line, verb, args)
        if result is GO_ON:
            _leave_if_closed(sleeper)
    line.try_again(sleeper)
    if result is GO_ON and is_signalled(body):
        result = signalled(body, sleeper, line, verb, args, stopped=anew)
        anew = True
        line.try_again(sleeper)
    return _begin_anew(sleeper, verb, args) if anew and result is GO_ON else result


def _begin_anew(sleeper: Sleeper, verb: Callable[..., object], args: tuple[object, ...]) -> object:
    """The call is made once more: it finds what has changed, such as O_NONBLOCK.

    Who merely sleeps on does not look.
    """
    forget: Callable[[], None] | None = getattr(verb, "begin_anew", None)
    if forget is not None:
        forget()
    place = sleeper.place
    if place is None or not place.nonblocking:
        return GO_ON
    result = verb(*args)
    if type(result) is WouldBlock:
        would_block(result)
    return result


def _leave_if_closed(sleeper: Sleeper) -> None:
    """Its channel was closed: closing a descriptor disturbs nobody, closing a channel does.

    It came too late for a verb that has ``succeeded`` in its sleep.
    """
    place, verb = sleeper.place, sleeper.asleep[1]
    closed = place is not None and place.patient and not place.open
    if closed and not getattr(verb, "succeeded", False):
        raise ClosedMeanwhile


async def _stopped(
    body: Body,
    sleeper: Sleeper,
    line: Line,
    verb: Callable[..., object],
    args: tuple[object, ...],
) -> object:
    """A stop, as Linux's sleepers go through it; the result if the call is over.

    Who sleeps to send looks for room once more before it stops
    (sock_alloc_send_pskb, pipe_write), as does who may not sleep on.  A call
    that has moved something ends with its short count, and some end with EINTR;
    another leaves the line and stands at its end when the process goes on.
    """
    result = GO_ON
    ends = sleeper.why is not TIMED_OUT and ends_by_stop(sleeper, verb)
    if ends or sleeper.asleep[-1].mask & WRITABLE:
        line.try_again(sleeper)
        result = verb(*args)
        if type(result) is WouldBlock:
            line.refused(sleeper)
            result = GO_ON
    line.leave(sleeper)
    try:
        await _until_continued(body, sleeper)
    except body.parking.cancelled_type as error:
        if result is GO_ON or not body.process.alive:
            raise
        body.parking.cancelled_late(error)
    finally:
        line.join(sleeper)
    if result is not GO_ON:
        return result
    done = progress(verb)
    if done is None and ends:
        fail(errno.EINTR)
    return GO_ON if done is None else done


async def _until_continued(body: Body, sleeper: Sleeper) -> None:
    """Sleep through a stop.  The process may also be killed in it."""
    asleep = sleeper.asleep
    while body.process.state is State.STOPPED:
        refusal = body.process.stop_refusal()
        sleeper.asleep = *asleep[:3], refusal
        refusal.line.join(sleeper)
        try:
            await body.parking.sleep(sleeper)
        finally:
            refusal.line.leave(sleeper)
    sleeper.asleep = asleep
    body.leave_if_over()


async def _attend(
    body: Body,
    call: str,
    place: Place | None,
    verb: Callable[..., object],
    args: tuple[object, ...],
) -> Attendance | None:
    """The process is stopped or over, has signals to handle, or somebody watches or
    disturbs its calls.
    """
    body.leave_if_over()
    run_handlers(body)
    while body.process.state is State.STOPPED:
        sleeper = body.parking.sleeper(place)
        sleeper.asleep = call, verb, args, body.process.stop_refusal()
        body.sleepers[sleeper] = None
        try:
            await _until_continued(body, sleeper)
        finally:
            del body.sleepers[sleeper]
            sleeper.let_go()
        run_handlers(body)
    body.leave_if_over()
    return Attendance(body, call, place, verb, args) if body.simulation.watched else None
