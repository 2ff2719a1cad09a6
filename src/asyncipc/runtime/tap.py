"""The taps: where events are made, and where a call can be disturbed.

Three taps and no more: a system call has returned (:meth:`Tap.called`), bytes
went to a peer (:meth:`Tap.moved`), a process's life has changed
(:meth:`Tap.lived`).  Observers only subscribe; one that raises is unplugged.
"""

from __future__ import annotations

import enum
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, final

from asyncipc.errors import errno_name, fail
from asyncipc.events import Event, Failure, Observer, ProcessLife, SystemCall, Transit, Wire
from asyncipc.kernel.descriptors import Descriptor
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.processes.process import Process
from asyncipc.runtime.process import CURRENT, Body, name_of

if TYPE_CHECKING:
    from asyncipc.network.packet import Packet
    from asyncipc.runtime.parking import Place
    from asyncipc.runtime.simulation import Simulation


@final
class Tap:
    """Makes events of one simulation and hands them to its observers in order."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._sequence = 0
        self.observers: list[Observer] = []

    def called(
        self, body: Body, call: str, args: tuple[object, ...], result: object, blocked_ns: int
    ) -> None:
        head = self._head(body.host.name, body.process.pid)
        self._emit(SystemCall(*head, call, tuple(map(plain, args)), plain(result), blocked_ns))

    def moved(self, host: str, source: OpenFile, target: OpenFile, size: int) -> None:
        body = CURRENT.get(None)
        pid = 0 if body is None else body.process.pid
        self._emit(Wire(*self._head(host, pid), source.describe(), target.describe(), size))

    def lived(self, host: str, process: Process, change: str, detail: str) -> None:
        self._emit(ProcessLife(*self._head(host, process.pid), change, detail))

    def travelled(self, packet: Packet, source: str, target: str, fate: str) -> None:
        """What became of a packet on the way from host ``source`` to host ``target``."""
        head = self._head(source, 0)
        self._emit(Transit(*head, source, target, packet.describe(), packet.size, fate))

    def _head(self, host: str, pid: int) -> tuple[int, int, str, int]:
        self._sequence += 1
        return self._sequence, self._simulation.timers.now(), host, pid

    def _emit(self, event: Event) -> None:
        for observer in tuple(self.observers):
            try:
                observer(event)
            except Exception as error:
                if observer in self.observers:  # else it has left by itself
                    self._simulation.unsubscribe(observer)
                _tell_unraisable(observer, error)


def _tell_unraisable(observer: Observer, error: Exception) -> None:
    """Report through ``sys.unraisablehook``, as Python does for an error in ``__del__``.

    Never raises: the kernel is in the middle of a step.  So it is no warning,
    which ``-W error`` turns into an exception.
    """
    message = "Exception in an asyncipc observer, which is unplugged now"
    told: Any = SimpleNamespace(
        exc_type=type(error),
        exc_value=error,
        exc_traceback=error.__traceback__,
        err_msg=message,
        object=observer,
    )
    try:
        sys.unraisablehook(told)
    except Exception:  # Python's own hook takes Python's own type only
        with suppress(Exception):
            text = "".join(traceback.format_exception(error))
            sys.stderr.write(f"{message}: {plain(observer)}\n{text}")


@final
class Attendance:
    """One call under watch: it meets the fault plan first, and the tap at its end.

    ``verb`` and ``args`` are what to call: the call's own, or what the fault
    plan made of them.
    """

    __slots__ = ("_body", "_call", "_shown", "_since_ns", "args", "verb")

    def __init__(
        self,
        body: Body,
        call: str,
        place: Place | None,
        verb: Callable[..., object],
        args: tuple[object, ...],
    ) -> None:
        self._body = body
        self._call = call
        shown = arguments_of(verb, args)
        self._shown = shown if place is None else (place.fd, *shown)
        self._since_ns = body.simulation.timers.now()
        self.verb = verb
        self.args = args
        fault = body.simulation.fault_plan.next(call, body.process.pid)
        if fault is not None and fault.error is not None:
            self.verb, self.args = fail, (fault.error, "the fault plan says so")
        elif fault is not None and fault.limit is not None:
            self._shorten(fault.limit)

    def _shorten(self, limit: int) -> None:
        """A short transfer: at most ``limit`` bytes move."""
        shorten: Callable[[int], None] | None = getattr(self.verb, "shorten", None)
        if shorten is not None:
            shorten(limit)
        elif self.args and isinstance(self.args[0], int):
            self.args = (min(self.args[0], limit), *self.args[1:])
        elif self.args and isinstance(self.args[0], bytes | bytearray | memoryview):
            self.args = (self.args[0][:limit], *self.args[1:])

    def returned(self, result: object) -> None:
        simulation = self._body.simulation
        blocked_ns = simulation.timers.now() - self._since_ns
        simulation.tap.called(self._body, self._call, self._shown, result, blocked_ns)

    def failed(self, error: OSError) -> None:
        self.returned(Failure(errno_name(error.errno or 0)))


def arguments_of(verb: Callable[..., object], args: tuple[object, ...]) -> tuple[object, ...]:
    """What a call was made with; a verb that was made for one call knows it."""
    told: Callable[[], tuple[object, ...]] | None = getattr(verb, "arguments", None)
    return args if told is None else told()


def plain(value: object) -> object:
    """A value as an event may hold it: immutable, and the same in every run."""
    if isinstance(value, enum.Enum):
        # One that is a number stays one: strace has the words for it.
        return int(value) if isinstance(value, int) else str(value.name)
    if value is None or isinstance(value, int | float | str | bytes | Failure):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if isinstance(value, list | tuple):
        return tuple(map(plain, value))
    if isinstance(value, Descriptor):  # accept's
        return value.fd
    return name_of(value) if callable(value) else type(value).__name__
