"""Signals: their numbers, what they do by default, and who ignores them.

signal(7), Linux x86-64.  Not modelled: handlers, masks and the queue of
real-time signals; asking for a handler is refused by name.
"""

from __future__ import annotations

import enum
import errno
from typing import Final

from asyncipc.errors import fail

SIGKILL: Final = 9
SIGPIPE: Final = 13
SIGTERM: Final = 15
SIGCHLD: Final = 17
SIGCONT: Final = 18
SIGSTOP: Final = 19
SIGTSTP: Final = 20
SIGTTIN: Final = 21
SIGTTOU: Final = 22
SIGURG: Final = 23
SIGXFSZ: Final = 25
SIGWINCH: Final = 28
SIGRTMAX: Final = 64

STOPPING: Final = frozenset({SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU})
HARMLESS: Final = frozenset({SIGCHLD, SIGCONT, SIGURG, SIGWINCH})
UNCATCHABLE: Final = frozenset({SIGKILL, SIGSTOP})
IGNORED_AT_START: Final = frozenset({SIGPIPE, SIGXFSZ})
"""What CPython ignores when it starts, and so does every program here."""


class Disposition(enum.Enum):
    """What a process has asked to happen."""

    DEFAULT = 0
    IGNORE = 1


class Effect(enum.Enum):
    """What a signal does to a process."""

    NOTHING = "nothing"
    STOP = "stop"
    CONTINUE = "continue"
    TERMINATE = "terminate"


def check_number(signal: int) -> None:
    """EINVAL for what is no signal's number.  0 is the existence check."""
    if not 0 <= signal <= SIGRTMAX:
        fail(errno.EINVAL)


def effect(signal: int, disposition: Disposition) -> Effect:
    if signal == SIGCONT:
        return Effect.CONTINUE
    if disposition is Disposition.IGNORE or signal in HARMLESS:
        return Effect.NOTHING
    return Effect.STOP if signal in STOPPING else Effect.TERMINATE
