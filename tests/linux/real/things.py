"""What a process holds that is no number: mappings, semaphores, mutexes.

The op language has handles of them.  Here a handle is a key, unique for its
maker; a forked child finds under its parent's keys what it inherited.
"""

from __future__ import annotations

import threading
from typing import Any, Final

from tests.linux.oplang import Handle

PLACE: Final = "at "

_things: Final[dict[str, Any]] = {}
_counts: Final[dict[int, int]] = {}


def keep(thing: Any) -> Handle:
    tid = threading.get_native_id()
    _counts[tid] = _counts.get(tid, 0) + 1
    key = f"{tid}#{_counts[tid]}"
    _things[key] = thing
    return Handle(key)


def at(address: int) -> Handle:
    """A handle of what is nothing but its place: good wherever that is mapped, as in C."""
    return Handle(f"{PLACE}{address}")


def thing(key: str) -> Any:
    return int(key.removeprefix(PLACE)) if key.startswith(PLACE) else _things[key]
