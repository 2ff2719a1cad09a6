"""The eventfd of the operating system, eventfd(2)."""

from __future__ import annotations

import os

from asyncipc.errors import Unsupported
from asyncipc.kernel.openfile import Home
from asyncipc.native.anonymous import NativeAnonymous


def new_eventfd(kernel: Home, initial: int, flags: int) -> NativeAnonymous:
    """eventfd(2): all its verbs are read, write and poll."""
    if not hasattr(os, "eventfd"):
        raise Unsupported("eventfd(2) on the native machine: this system has none")
    return NativeAnonymous(kernel, os.eventfd(initial, flags), flags)
