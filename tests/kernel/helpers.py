"""What the pure tests share: a sleeper without an event loop, and an errno's name."""

from __future__ import annotations

from collections.abc import Callable

from asyncipc.errors import errno_name
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.waitqueue import WouldBlock


class Asleep:
    """A waiter that counts its wakes."""

    def __init__(self) -> None:
        self.wakes = 0

    def wake(self) -> None:
        self.wakes += 1

    def is_asleep(self) -> bool:
        return not self.wakes

    def serve(self) -> None:
        """It tries by itself."""


def refused(call: Callable[..., object], *args: object) -> bool:
    return isinstance(call(*args), WouldBlock)


def failure(call: Callable[..., object], *args: object) -> str:
    """The errno that a call fails with."""
    try:
        call(*args)
    except OSError as error:
        return errno_name(error.errno or 0)
    return "no error"


def sleep_in(call: Callable[..., object], *args: object) -> tuple[Asleep, WouldBlock]:
    """Make a call that refuses, and join its line."""
    refusal = call(*args)
    assert isinstance(refusal, WouldBlock)
    waiter = Asleep()
    refusal.line.join(waiter)
    return waiter, refusal


def hold(*files: OpenFile) -> None:
    for file in files:
        file.hold()
