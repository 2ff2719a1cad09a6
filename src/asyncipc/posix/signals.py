"""Calls that send signals, wait for them, and say what becomes of them."""

from __future__ import annotations

import errno
import inspect
import math
import operator
from collections.abc import Iterable
from typing import NoReturn, TypeAlias

from asyncipc.errors import Unsupported, fail
from asyncipc.kernel.signals.disposition import (
    ACTION_FLAGS,
    SI_TKILL,
    SI_USER,
    SIG_BLOCK,
    SIG_SETMASK,
    SIG_UNBLOCK,
    UNCATCHABLE,
    Action,
    Disposition,
    Handler,
    SignalInfo,
    check_number,
    numbers,
    signal_set,
)
from asyncipc.kernel.signals.wait import Nap, Pause, SignalWait, Suspend
from asyncipc.posix.arguments import until_ns
from asyncipc.runtime.process import Body, current
from asyncipc.runtime.syscall import call, syscall

__all__ = [
    "SignalInfo",
    "alarm",
    "getsignal",
    "kill",
    "killpg",
    "nanosleep",
    "pause",
    "pthread_sigmask",
    "raise_signal",
    "signal",
    "sigpending",
    "sigqueue",
    "sigsuspend",
    "sigtimedwait",
    "sigwait",
    "sigwaitinfo",
]

SignalHandler: TypeAlias = Disposition | Handler
"""SIG_DFL, SIG_IGN, or a plain function ``handler(sig, info)``."""


# -- sending


def kill(pid: int, sig: int) -> None:
    """kill(2): send a signal to a process, a group (negative; 0: one's own) or all (-1).

    Signal 0 only asks whether there is somebody.  To oneself: the handler has
    run when it returns, and a fatal one does not return.  Errors: ESRCH, EPERM
    (another user's), EINVAL.
    """
    body = current()
    call(
        "kill",
        lambda pid, sig: body.machine.kill(body, pid, sig),
        operator.index(pid),
        operator.index(sig),
    )


def killpg(group: int, sig: int) -> None:
    """killpg(3): ``kill`` to a group; 0: one's own.  EINVAL below 0."""
    if operator.index(group) < 0:
        fail(errno.EINVAL)
    kill(-group, sig)


def sigqueue(pid: int, sig: int, value: int) -> None:
    """sigqueue(3): send a signal with a value, ``info.si_value``.

    Real-time signals queue; of a standard one only the first counts until it
    is taken.  Errors: ESRCH, EPERM, EINVAL, EAGAIN (16384 wait already).
    """
    body = current()
    call(
        "sigqueue",
        lambda pid, sig, value: body.machine.sigqueue(body, pid, sig, value),
        operator.index(pid),
        operator.index(sig),
        operator.index(value),
    )


def raise_signal(sig: int) -> None:
    """raise(3): a signal to the calling task; its handler has run on return.  EINVAL."""

    def send(sig: int) -> None:
        check_number(sig)
        if sig:
            current().raise_signal(sig)

    call("raise", send, operator.index(sig))


def alarm(seconds: int) -> int:
    """alarm(2): SIGALRM to this process in so many seconds, on the machine's clock.

    0 cancels.  Returns the whole seconds that were left of the one it replaces.
    """
    if operator.index(seconds) < 0:
        fail(errno.EINVAL)
    body = current()
    return call("alarm", lambda seconds: body.machine.alarm(body, seconds), seconds)


# -- what becomes of them


def signal(
    sig: int, handler: SignalHandler, flags: int = 0, mask: Iterable[int] = ()
) -> SignalHandler:
    """sigaction(2): SIG_DFL, SIG_IGN or ``handler(sig, info)``; returns the former.

    A handler is a plain function.  It runs in a task of this process, between
    two calls or in one that sleeps, which then fails with EINTR, or begins
    anew with SA_RESTART; what it raises leaves that call.  ``mask``: signals
    that are blocked meanwhile, beside ``sig`` itself (not with SA_NODEFER).
    SA_RESETHAND: SIG_DFL again once taken.  For SIGCHLD: SA_NOCLDSTOP,
    SA_NOCLDWAIT.  SIGPIPE and SIGXFSZ start ignored, as CPython has them.
    Errors: EINVAL for SIGKILL, SIGSTOP and what is no signal; TypeError for an
    async function.  Not modelled: SA_ONSTACK and other flags.
    """
    _check_handler(handler)
    if operator.index(flags) & ~ACTION_FLAGS:
        raise Unsupported(f"asyncipc does not model signal flags {flags & ~ACTION_FLAGS:#x}")
    action = Action(handler, flags, signal_set(mask) & ~UNCATCHABLE)
    body = current()

    def wish(sig: int, handler: SignalHandler, *_: int) -> SignalHandler:
        return body.machine.set_action(body, sig, action).handler

    shown = (flags,) if flags else ()
    return call("signal", wish, operator.index(sig), handler, *shown)


def _check_handler(handler: object) -> None:
    if isinstance(handler, Disposition):
        return
    if not callable(handler) or inspect.iscoroutinefunction(handler):
        raise TypeError(
            f"a handler is SIG_DFL, SIG_IGN or a plain function of (sig, info), not {handler!r}"
        )


def getsignal(sig: int) -> SignalHandler:
    """``signal.getsignal``: SIG_DFL, SIG_IGN or the handler.  EINVAL for what is no signal."""
    signal_set((operator.index(sig),))
    return current().process.action(sig).handler


# -- masks


def pthread_sigmask(how: int, mask: Iterable[int]) -> set[int]:
    """pthread_sigmask(3): SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK; returns the former mask.

    The mask is the calling task's; tasks that it starts, and children, begin
    with a copy.  What becomes due is handled before it returns.  SIGKILL and
    SIGSTOP are silently left out.  EINVAL for another ``how``, or no signal.
    """
    body = current()
    asked = signal_set(mask)

    def change(how: int, _: tuple[int, ...]) -> tuple[int, ...]:
        former = body.threads.own().mask
        if how == SIG_BLOCK:
            body.block_signals(former | asked)
        elif how == SIG_UNBLOCK:
            body.block_signals(former & ~asked)
        elif how == SIG_SETMASK:
            body.block_signals(asked)
        else:
            fail(errno.EINVAL)
        return tuple(numbers(former))

    return set(call("rt_sigprocmask", change, operator.index(how), tuple(numbers(asked))))


def sigpending() -> set[int]:
    """sigpending(2): what is blocked and has come, to this task or to the process."""

    def ask() -> tuple[int, ...]:
        body = current()
        body.machine.look_for_signals()
        thread = body.threads.own()
        return tuple(numbers((thread.pending.bits | body.process.pending.bits) & thread.mask))

    return set(call("rt_sigpending", ask))


# -- waiting


def _wait_for(body: Body, signals: Iterable[int]) -> SignalWait:
    wanted = signal_set(signals)
    delivery = body.kernel.delivery
    body.machine.look_for_signals()
    return SignalWait(delivery, body.process, body.threads.own(), wanted)


async def sigwait(signals: Iterable[int]) -> int:
    """sigwait(3): take one of ``signals``, which should be blocked; its number.

    Blocks until one comes; handlers of others run meanwhile and it waits on,
    as glibc's does.  Cancelled it has taken none.
    """
    wanted = tuple(signals)
    while True:
        try:
            return (await sigwaitinfo(wanted)).si_signo
        except InterruptedError:
            continue


async def sigwaitinfo(signals: Iterable[int]) -> SignalInfo:
    """sigwaitinfo(2): as ``sigwait``, with all that is known of it; EINTR after a handler."""
    return _as_told(await syscall("rt_sigtimedwait", None, _wait_for(current(), signals)))


async def sigtimedwait(signals: Iterable[int], timeout_s: float) -> SignalInfo | None:
    """sigtimedwait(2): ``sigwaitinfo`` for ``timeout_s`` seconds at most, then None."""
    if math.isnan(timeout_s) or timeout_s < 0:
        raise ValueError("timeout must be non-negative")
    body = current()
    wait = _wait_for(body, signals)
    if timeout_s == 0:
        info = await syscall("rt_sigtimedwait", None, wait.at_once)
    else:
        info = await syscall("rt_sigtimedwait", None, wait, until_ns=until_ns(timeout_s))
    return info and _as_told(info)


def _as_told(info: SignalInfo) -> SignalInfo:
    """glibc's sigtimedwait tells of a signal to one task as if it had been to the process."""
    return info._replace(si_code=SI_USER) if info.si_code == SI_TKILL else info


async def pause() -> NoReturn:
    """pause(2): sleep until a handler has run, then EINTR."""
    await syscall("pause", None, Pause(current().process))
    raise AssertionError


async def sigsuspend(mask: Iterable[int]) -> NoReturn:
    """sigsuspend(2): a pause with another mask; the former is back when it ends with EINTR."""
    body = current()
    asked = signal_set(mask)
    body.threads.part()
    delivery = body.kernel.delivery
    suspend = Suspend(delivery, body.process, body.threads.own(), asked)
    try:
        await syscall("rt_sigsuspend", None, suspend)
    finally:
        suspend.over()
    raise AssertionError


async def nanosleep(seconds: float) -> None:
    """nanosleep(2), on the machine's clock; EINTR after a handler, SA_RESTART or not.

    EINVAL below 0.  Unlike ``anyio.sleep`` it is a call of this process: it is
    stopped by SIGSTOP and interrupted by signals.
    """
    if math.isnan(seconds) or seconds < 0:
        fail(errno.EINVAL)
    body = current()
    until = until_ns(seconds)
    nap = Nap(body.process, body.simulation.timers, until, seconds)
    await syscall("nanosleep", None, nap, until_ns=until)
