"""Programs as generators, without an event loop: they run in the laboratory's time.

A program yields seconds to sleep for, or a verb to call: a refusal parks it in the
line that it names, and only who is woken there tries again.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import partial
from inspect import GEN_RUNNING, getgeneratorstate
from typing import Any, TypeAlias

from asyncipc.kernel.timers import Timer
from asyncipc.kernel.waitqueue import Line, WouldBlock
from tests.network.lab import SECOND, Lab

Verb: TypeAlias = Callable[[], Any]
Program: TypeAlias = Generator[float | Verb, Any, None]


class Task:
    """One program.  It begins in a turn of its own."""

    def __init__(self, lab: Lab, program: Program) -> None:
        self.lab = lab
        self.program = program
        self.over = False
        self._verb: Verb | None = None
        self._line: Line | None = None
        self._timer: Timer | None = None
        self._arm(0, partial(self._go_on, None))

    def cancel(self) -> None:
        """It ends where it stands."""
        if self.over:
            return
        self.over = True
        self._leave()
        if self._timer is not None:
            self.lab.cancel(self._timer)
        if getgeneratorstate(self.program) != GEN_RUNNING:
            self.program.close()

    # -- as a waiter

    def is_asleep(self) -> bool:
        return not self.over and self._timer is None

    def serve(self) -> bool | None:
        return None

    def wake(self) -> None:
        if self.is_asleep():
            self._arm(0, self._try_again)

    # -- its turns

    def _arm(self, seconds: float, action: Callable[[], None]) -> None:
        self._timer = self.lab.arm(self.lab.now_ns + round(seconds * SECOND), action)

    def _try_again(self) -> None:
        self._timer = None
        assert self._line is not None
        self._line.try_again(self)
        answer = self._call()
        if answer is not None:
            self._go_on(*answer)

    def _call(self) -> tuple[Any, OSError | None] | None:
        """What the verb answers, or raises; None: it was refused, and the program is parked."""
        assert self._verb is not None
        try:
            result = self._verb()
        except OSError as error:
            self._leave()
            return None, error
        if isinstance(result, WouldBlock):
            self._park(result.line)
            return None
        self._leave()
        return result, None

    def _park(self, line: Line) -> None:
        if self._line is line:
            line.refused(self)
            return
        self._leave()
        self._line = line
        line.join(self)

    def _leave(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.leave(self)

    def _go_on(self, result: Any, error: OSError | None = None) -> None:
        self._timer = None
        answer: tuple[Any, OSError | None] | None = (result, error)
        while answer is not None:
            result, error = answer
            try:
                wish = self.program.throw(error) if error else self.program.send(result)
            except StopIteration:
                self.over = True
                return
            if self.over:  # it has ended itself
                return
            if not callable(wish):
                self._arm(wish, partial(self._go_on, None))
                return
            self._verb = wish
            answer = self._call()
