"""A call as the runtime makes it, without an event loop: attempt, sleep, be served or try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asyncipc.errors import errno_name
from asyncipc.kernel.waitqueue import Line, WouldBlock

NOTHING = "asleep"


class Caller:
    """One call of ``verb``.  ``served``: it can be served in its sleep, as on trio."""

    def __init__(self, verb: Callable[[], Any], *, served: bool = True) -> None:
        self.verb = verb
        self.served = served
        self.result: object = NOTHING
        self.line: Line | None = None
        self.awake = False
        self.serving = served
        self._try()
        if self.result is NOTHING:
            assert self.line is not None
            self.line.join(self)

    @property
    def asleep(self) -> bool:
        return self.result is NOTHING

    def _try(self) -> None:
        try:
            result = self.verb()
        except OSError as error:
            result = errno_name(error.errno or 0)
        if isinstance(result, WouldBlock):
            self.line = result.line
        else:
            self.result = result

    # -- as a waiter

    def is_asleep(self) -> bool:
        return self.serving and self.asleep and not self.awake

    def serve(self) -> bool | None:
        if not self.serving or self.awake:
            return None
        self._try()
        self.awake = not self.asleep
        return self.awake

    def wake(self) -> None:
        self.awake = True

    # -- as the runtime

    def run(self) -> None:
        """Its task runs: if it was woken it tries, and leaves when it is done."""
        if self.asleep and self.awake:
            self.awake = False
            assert self.line is not None
            self.line.try_again(self)
            self._try()
            if self.asleep:
                self.line.refused(self)
        if not self.asleep and self.line is not None:
            self.line.leave(self)

    def cancel(self) -> None:
        assert self.line is not None
        self.line.leave(self)

    def stop(self) -> None:
        self.cancel()
        self.serving = False

    def go_on(self) -> None:
        """SIGCONT: at the end of the line, and another attempt."""
        assert self.line is not None
        self.serving = self.served
        self.line.join(self)
        self.awake = True
        self.run()
