from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import structlog

from asyncipc.events import Failure, ProcessLife, SystemCall, Wire
from asyncipc.trace.log import Log, entry
from tests.trace.programs import parent


def test_a_run_is_logged_event_by_event(run: Callable[..., Any]) -> None:
    with structlog.testing.capture_logs() as logs:
        run(parent, observers=[Log()])
    assert {
        "event": "read",
        "log_level": "info",
        "t": 0.25,
        "host": "localhost",
        "pid": 2,
        "args": (3, 100),
        "result": b"message for parent",
        "blocked": 0.25,
    } in logs


def test_a_failure_is_logged_by_its_name() -> None:
    event = SystemCall(1, 0, "localhost", 2, "read", (3, 1), Failure("EBADF"), 0)
    assert entry(event)["result"] == "EBADF"


def test_life_and_wire_have_keys_of_their_own() -> None:
    head = {"t": 1.5, "host": "localhost", "pid": 2}
    born = ProcessLife(1, 1_500_000_000, "localhost", 2, "born", "of pid 1")
    wire = Wire(2, 1_500_000_000, "localhost", 2, "pipe:[2]", "pipe:[2]", 18)
    assert entry(born) == {**head, "detail": "of pid 1"}
    assert entry(wire) == {**head, "source": "pipe:[2]", "target": "pipe:[2]", "size": 18}


def test_structlog_is_not_configured() -> None:
    structlog.reset_defaults()
    Log()(ProcessLife(1, 0, "localhost", 2, "reaped", ""))
    assert not structlog.is_configured()


def test_structlog_is_not_imported_before_it_is_used() -> None:
    program = "import sys, asyncipc.trace.log; sys.exit('structlog' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], check=False, env=environment)
    assert done.returncode == 0
