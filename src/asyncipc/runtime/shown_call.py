"""A call as the report shows it: its arguments as a program would write them, in short.

Never fails, and shows nothing that differs from run to run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from asyncipc.kernel.openfile import O_ACCMODE
from asyncipc.runtime.parking import Asleep, Place
from asyncipc.runtime.tap import arguments_of

CHARACTERS_SHOWN: Final = 40
VALUES_SHOWN: Final = 5
NAMES: Final = frozenset({("connect", 0), ("sendto", 1), ("sendto", 2)})
"""Which arguments of which calls name a socket: bytes are no data there."""
ACCESS_MODES: Final = ("O_RDONLY", "O_WRONLY", "O_RDWR", "O_RDWR")


def shown_call(place: Place | None, asleep: Asleep) -> str:
    """Such as ``read(3, 100)``."""
    call, verb, args, _ = asleep
    try:
        shown = ", ".join(_shown(place, call, arguments_of(verb, args)))
    except Exception:  # a report is made when things are bad already
        shown = "..."
    return f"{call}({shown})"


def _shown(place: Place | None, call: str, args: tuple[object, ...]) -> list[str]:
    if call == "openat":
        path, flags, *_ = args
        return [_brief(path, is_name=True), _access_mode(flags)]
    first = [] if place is None else [str(place.fd)]
    return first + [_brief(arg, (call, index) in NAMES) for index, arg in enumerate(args)]


def _access_mode(flags: object) -> str:
    """All of the flags that matters to who waits for the other side."""
    return ACCESS_MODES[flags & O_ACCMODE] if isinstance(flags, int) else "..."


def _brief(value: object, is_name: bool = False) -> str:
    """Of the plain types only: others might fail, or tell where in memory they are."""
    if isinstance(value, bytes | bytearray | memoryview) and not is_name:
        return f"{len(value)} bytes"
    if isinstance(value, bytes) and not value.startswith(b"\0"):
        return _quoted(os.fsdecode(value))
    if isinstance(value, str | bytes):
        return _quoted(value)
    if isinstance(value, int):
        return int.__repr__(value)
    if isinstance(value, float):
        return f"{float(value):g}"
    if isinstance(value, list | tuple):
        return _sequence(value)
    return "None" if value is None else "..."


def _quoted(value: str | bytes) -> str:
    dots = "..." if len(value) > CHARACTERS_SHOWN else ""
    return f"{value[:CHARACTERS_SHOWN]!r}{dots}"


def _sequence(values: Sequence[object]) -> str:
    """An address or a pair in parentheses, and what there is any number of in brackets."""
    shown = [
        f"({', '.join(map(_brief, value))})" if isinstance(value, tuple) else _brief(value)
        for value in values[:VALUES_SHOWN]
    ]
    shown += ["..."] if len(values) > VALUES_SHOWN else []
    is_address = bool(values) and isinstance(values[0], str)
    return f"({', '.join(shown)})" if is_address else f"[{', '.join(shown)}]"
