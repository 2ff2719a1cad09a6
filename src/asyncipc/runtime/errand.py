"""The errand: a program that one process runs for the sake of another's task."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, final

import anyio

from asyncipc.errors import fail
from asyncipc.runtime.process import Program, name_of

if TYPE_CHECKING:
    from asyncipc.runtime.process import Body

SIGNALS: Final = 0x7F
"""The bits of a status that say which signal a process was killed by."""


@final
class Errand:
    """``go`` is the program; ``wait`` is who sent it.

    It watches its process and not its program: a process may be killed before the
    program's first line, and run another one in its place (execve).
    """

    def __init__(self, program: Callable[..., Awaitable[object]], args: tuple[object, ...]) -> None:
        self._program = program
        self._args = args
        self._over = anyio.Event()
        self._error: BaseException | None = None
        self.go: Program = self._go

    async def _go(self) -> object:
        try:
            return await self._program(*self._args)
        except SystemExit as error:
            self._error = error
            raise
        except Exception as error:
            self._error = error
            raise SystemExit(1) from None

    def wake(self) -> None:
        """Its process is over."""
        self._over.set()

    async def wait(self, body: Body) -> object:
        """What the program in ``body`` returned; what it raised."""
        process = body.process
        if process.alive:
            process.end_queue().watch(self)
            await self._over.wait()
        if self._error is not None:
            raise self._error
        if process.status & SIGNALS:
            fail(errno.ESRCH, f"{name_of(self._program)} was killed before it returned")
        return body.result
