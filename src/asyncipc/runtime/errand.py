"""The errand: a program that one process runs for the sake of another's task."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar, final

import anyio

from asyncipc.errors import fail
from asyncipc.runtime.process import Program, name_of

T = TypeVar("T")


@final
class Errand(Generic[T]):
    """``go`` is the program; ``wait`` is who sent it."""

    def __init__(self, program: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> None:
        self._program = program
        self._args = args
        self._done = anyio.Event()
        self._results: list[T] = []
        self._error: BaseException | None = None
        self.go: Program = self._go
        self.name = name_of(program)

    async def _go(self) -> None:
        try:
            self._results.append(await self._program(*self._args))
        except Exception as error:
            self._error = error
            raise SystemExit(1) from None
        finally:
            self._done.set()

    async def wait(self) -> T:
        """What the program returned; what it raised."""
        await self._done.wait()
        if self._error is not None:
            raise self._error
        if not self._results:
            fail(errno.ESRCH, f"{self.name} was killed before it returned")
        return self._results[0]
