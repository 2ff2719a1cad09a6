"""The words of the watchers: frozen events, and what an observer is.

Three taps emit them, and nothing else does: one in the system call, one on
the way from an endpoint to its peer (on one host, or as packets between two),
one in the life of a process.  An event
holds plain values only, so that two runs can be compared byte for byte.

Rank 0: imports nothing of the project; everybody may import it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Event", "Failure", "Observer", "ProcessLife", "SystemCall", "Transit", "Wire"]


@dataclass(frozen=True, slots=True)
class Failure:
    """The result of a call that failed: an errno's name, or an exception's."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class SystemCall:
    """A call has returned.

    ``args`` begins with the descriptor where the call has one.  ``t_ns`` is
    the time of the return, ``blocked_ns`` how long the caller slept in it.
    ``result`` is the value, or a :class:`Failure`.
    """

    seq: int
    t_ns: int
    host: str
    pid: int
    call: str
    args: tuple[object, ...]
    result: object
    blocked_ns: int


@dataclass(frozen=True, slots=True)
class Wire:
    """``size`` bytes went from one endpoint to its peer, in one go.

    ``source`` and ``target`` are names as ``/proc/PID/fd`` shows them,
    ``pid`` is the process on whose behalf they moved (0: the kernel's own).
    """

    seq: int
    t_ns: int
    host: str
    pid: int
    source: str
    target: str
    size: int


@dataclass(frozen=True, slots=True)
class Transit:
    """A packet between hosts has changed its state.

    ``host`` and ``source`` send it to the host ``target``; ``what`` is one line as tcpdump(8)
    would show it, ``size`` its bytes on the wire.  ``fate``: ``sent``, ``arrived``,
    ``copied``, ``held``, ``released``, ``damaged``, or ``dropped: `` and the cause.
    """

    seq: int
    t_ns: int
    host: str
    pid: int
    source: str
    target: str
    what: str
    size: int
    fate: str


@dataclass(frozen=True, slots=True)
class ProcessLife:
    """A process was born, ran another program, stopped, went on, or ended.

    ``change`` is one of ``born``, ``exec``, ``stopped``, ``continued``,
    ``exited``, ``killed``, ``reaped``; ``detail`` is the parent's pid, the
    program's name, the signal or the exit code.  ``signal``: a handler is
    called; ``detail`` is "number si_code si_pid si_uid".
    """

    seq: int
    t_ns: int
    host: str
    pid: int
    change: str
    detail: str


Event: TypeAlias = SystemCall | Wire | Transit | ProcessLife
Observer: TypeAlias = Callable[[Event], None]
"""Any callable on an event.  One that raises is unplugged, and told to `sys.unraisablehook`."""
