"""A run whose children are processes, which may leave nothing behind in the operating system."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Native

REAL_SECONDS = 20.0


def children() -> set[int]:
    """Those of this interpreter, zombies among them."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        found |= set(map(int, (task / "children").read_text().split()))
    return found


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


@pytest.fixture
def isolated(backend: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``asyncipc.run`` with ``isolation="process"``, on one of the two event loops."""
    monkeypatch.setenv("ASYNCIPC_TEST_ANCESTOR", str(os.getpid()))

    def run(main: Callable[..., Any], *args: Any, **options: Any) -> Any:
        async def guarded() -> Any:
            with anyio.fail_after(REAL_SECONDS):
                return await main(*args)

        before = children(), descriptors()
        try:
            machine = Native(isolation="process")
            return asyncipc.run(guarded, machine=machine, backend=backend, **options)  # type: ignore[arg-type]
        finally:
            assert (children(), descriptors()) == before, "something was left behind"

    return run
