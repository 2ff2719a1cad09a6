"""How faces make calls: anew, if a handler has ended one; whole, if one raises around them.

Handlers run before a call acts, while it sleeps, and as it returns; what one raises
leaves the call.  Who takes something must not have it then, and who gives it
back must have done so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar, TypeVarTuple, final

from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.runtime.parking import Place
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call, syscall
from asyncipc.runtime.tap import arguments_of
from asyncipc.runtime.threads import run_handlers

T = TypeVar("T")
Args = TypeVarTuple("Args")


async def retried(make: Callable[[], Awaitable[T]]) -> T:
    """PEP 475: a signal that was handled ends no call of a face."""
    while True:
        try:
            return await make()
        except InterruptedError:
            continue


async def take(
    name: str,
    place: Place | None,
    verb: Callable[[], WouldBlock | None],
    give_back: Callable[[], object],
) -> None:
    """Make a call that takes something; if it raises, that is not taken."""
    noted = Noted(verb)
    try:
        await syscall(name, place, noted)
    except Exception:
        if noted.acted:
            give_back()
        raise


def release(name: str, verb: Callable[[*Args], object], *args: *Args) -> None:
    """Make a call that gives something back, and which cannot block: it does, whatever comes."""
    body = current()
    try:
        if body.attention:
            body.leave_if_over()
            run_handlers(body)
    except BaseException:
        if body.process.alive and body.next_program is None:
            with suppress(OSError):  # a handler may have given it back
                release(name, verb, *args)
        raise
    once = Once(verb, *args)
    try:
        call(name, once)
    except InterruptedError:  # a fault plan's
        once()


@final
class Noted:
    """A verb, and whether it has acted."""

    __slots__ = ("_verb", "acted")

    def __init__(self, verb: Callable[[], WouldBlock | None]) -> None:
        self._verb = verb
        self.acted = False

    def __call__(self) -> WouldBlock | None:
        result = self._verb()
        self.acted = result is None
        return result

    def __getattr__(self, name: str) -> object:
        return getattr(self._verb, name)


@final
class Once(Generic[*Args]):
    """A verb that acts once, however often it is called."""

    __slots__ = ("_acted", "_args", "_verb")

    def __init__(self, verb: Callable[[*Args], object], *args: *Args) -> None:
        self._verb = verb
        self._args = args
        self._acted = False

    def __call__(self) -> None:
        if not self._acted:
            self._acted = True
            self._verb(*self._args)

    def arguments(self) -> tuple[object, ...]:
        return arguments_of(self._verb, self._args)
