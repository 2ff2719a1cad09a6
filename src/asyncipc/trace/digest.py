"""The digest: all events of a run as one number, and each event as text that never differs.

Two runs that did the same have the same digest: in another process, under
another PYTHONHASHSEED, on another release of Python.
"""

from __future__ import annotations

import hashlib
from typing import final

from asyncipc.events import Event, Failure


@final
class Digest:
    """An observer that keeps no event.

    ``asyncipc.run(main, seed=7, observers=[digest])``; ``events`` counts them.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.events = 0

    def __call__(self, event: Event) -> None:
        self.add(canonical(event))

    def add(self, text: str) -> None:
        """One event, as :func:`canonical` has it."""
        self._hash.update(f"{text}\n".encode())
        self.events += 1

    def hexdigest(self) -> str:
        """SHA-256 of the events until now, one line each, in hexadecimal digits."""
        return self._hash.hexdigest()


def canonical(event: Event) -> str:
    """One event as a line of ASCII: its kind, then its fields in their order."""
    values = (getattr(event, name) for name in type(event).__slots__)
    return " ".join([type(event).__name__, *map(_canonical_value, values)])


def _canonical_value(value: object) -> str:
    # Enumerations of int print differently from one Python to the next.
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, tuple):
        return f"({','.join(map(_canonical_value, value))})"
    # Which letters repr can print depends on Python's edition of Unicode.
    return value.name if isinstance(value, Failure) else ascii(value)
