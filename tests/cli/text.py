"""Words about text that the tests of the demos share."""

from __future__ import annotations

import pytest


def in_order(text: str, *parts: str) -> bool:
    """Do the parts occur in the text, one after the other?"""
    at = 0
    for part in parts:
        at = text.find(part, at) + 1
        if not at:
            pytest.fail(f"not found, or not in order: {part!r} in\n{text}")
    return True


def of_pid(text: str, pid: int) -> str:
    """What one process did: the order among processes is the scheduler's choice."""
    return "".join(line for line in text.splitlines(True) if f" │ pid {pid}  " in line)
