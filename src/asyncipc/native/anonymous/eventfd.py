"""The eventfd of the operating system, eventfd(2)."""

from __future__ import annotations

import os

from asyncipc.kernel.openfile import Home
from asyncipc.native.anonymous.file import NativeAnonymous
from asyncipc.native.refusal import refuse


def new_eventfd(kernel: Home, initial: int, flags: int) -> NativeAnonymous:
    """eventfd(2): all its verbs are read, write and poll."""
    if not hasattr(os, "eventfd"):
        refuse("eventfd(2)", "this system has none")
    return NativeAnonymous(kernel, os.eventfd(initial, flags), flags)
