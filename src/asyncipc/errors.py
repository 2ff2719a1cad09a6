"""The words for what goes wrong: ``errno`` below, three verdicts above.

Below the faces there is one way to fail: :func:`fail` with an errno, which
raises the ``OSError`` subclass that Python gives that number.  The verdicts
are for what no system call can return: a run in which nobody can go on, a run
whose clock stands still, a feature that is not modelled.

Rank 0: imports nothing of the project; everybody may import it.
"""

from __future__ import annotations

import errno
import os
from typing import Final, NoReturn, final

__all__ = [
    "BrokenPipeSignal",
    "Deadlock",
    "Escape",
    "NotDeterministic",
    "TimeFrozen",
    "Unsupported",
    "errno_name",
    "fail",
]


def fail(number: int, hint: str | None = None) -> NoReturn:
    """Raise the ``OSError`` for an errno, as the real call would.

    ``hint`` is one sentence for the person who reads the traceback; it is
    attached as a note and changes neither type nor message.
    """
    error = OSError(number, os.strerror(number))
    if hint is not None:
        error.add_note(f"hint: {hint}")
    raise error


def errno_name(number: int) -> str:
    """The name that Linux's own tools print, where a number has two."""
    return _NAMES.get(number) or errno.errorcode.get(number, str(number))


_NAMES: Final = {
    number: name
    for name in ("EAGAIN", "EDEADLK", "EOPNOTSUPP")
    if (number := getattr(errno, name, None)) is not None
}


@final
class BrokenPipeSignal(BrokenPipeError):
    """EPIPE that comes with SIGPIPE: the writer's process gets the signal too."""

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, os.strerror(errno.EPIPE))


@final
class Deadlock(Exception):
    """Nobody can run, no timer is set, and no process outside can help.

    The message is the whole report: each process, the call it sits in, the
    object, who could wake it and the source line.  ``report`` holds the same
    as a value (:class:`asyncipc.runtime.report.BlockedReport`).
    """

    def __init__(self, report: object) -> None:
        super().__init__(str(report))
        self.report = report


@final
class TimeFrozen(Exception):
    """Virtual time stands still although the program runs: a limit was met.

    ``step_limit`` counts scheduler passes, ``wall_limit_s`` real seconds in
    one step, since virtual time last moved.
    """

    def __init__(
        self,
        message: str = "one step took longer than wall_limit_s of real time: "
        "a loop without await never lets virtual time move",
    ) -> None:
        super().__init__(message)


@final
class Unsupported(NotImplementedError):
    """A feature of the real system that is not modelled, refused by its name."""


@final
class Escape(RuntimeError):
    """A call that would leave a simulation on virtual time, stopped before it did.

    ``call`` is its name, such as ``"time.sleep"``.
    """

    def __init__(self, call: str) -> None:
        super().__init__(
            f"{call}() from inside a simulation on virtual time reaches the real machine "
            "(if that is meant: run(..., escapes='allow'))"
        )
        self.call = call


@final
class NotDeterministic(AssertionError):
    """Two runs of a program with one seed were not the same (``check_determinism``).

    The first event that differs: its ``index`` from 0, its time ``t_ns``, and
    of the first run and of the other what happened (``events``, as strace has
    it, or how the run ended) and the program's lines there (``stacks``,
    innermost first).
    """

    def __init__(
        self,
        message: str,
        index: int,
        t_ns: int,
        events: tuple[str, str],
        stacks: tuple[tuple[str, ...], tuple[str, ...]],
    ) -> None:
        super().__init__(message)
        self.index, self.t_ns = index, t_ns
        self.events, self.stacks = events, stacks
