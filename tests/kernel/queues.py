"""What the tests of message queues share: a sleeper that is served as it sleeps, as on trio."""

from __future__ import annotations

from collections.abc import Callable

from asyncipc.kernel.waitqueue import WouldBlock


class Served:
    """A call under way.  ``prompt``: it can be served in its sleep (trio); else it is
    woken, and tries when the test says so (asyncio).
    """

    def __init__(self, verb: Callable[[], object], *, prompt: bool = True) -> None:
        self.verb = verb
        self.prompt = prompt
        self.wakes = 0
        self.on_its_way = False
        self.refusal: WouldBlock | None = None
        self.result: object = None
        self.attempt()

    @property
    def asleep(self) -> bool:
        return self.refusal is not None

    def attempt(self) -> bool:
        """Try; if refused, stand in line.  Is it over?"""
        former = self.refusal
        self.on_its_way = False
        if former is not None:
            former.line.try_again(self)
        try:
            result = self.verb()
        except OSError as error:
            result = error.errno
        if isinstance(result, WouldBlock):
            if former is None:
                self.refusal = result
                result.line.join(self)
            else:
                former.line.refused(self)
            return False
        self.result, self.refusal = result, None
        if former is not None:
            former.line.leave(self)
        return True

    def cancel(self) -> bool:
        """Its task runs, cancelled: had the call done anything before?"""
        assert self.refusal is not None
        self.refusal.line.leave(self)
        self.refusal = None
        progress: Callable[[], object] = getattr(self.verb, "progress", lambda: None)
        return progress() is not None

    def is_asleep(self) -> bool:
        return self.asleep and not self.on_its_way

    def wake(self) -> None:
        self.wakes += 1
        self.on_its_way = True

    def serve(self) -> bool | None:
        if not self.prompt or not self.is_asleep():
            return None
        try:
            result = self.verb()
        except OSError as error:
            result = error.errno
        if isinstance(result, WouldBlock):
            return False
        self.refusal, self.result = None, result  # it leaves the line when it runs
        return True


class Looking:
    """A poller: counts how often it is told to look."""

    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1
