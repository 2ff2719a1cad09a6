"""The public names: a list that changes only on purpose."""

from __future__ import annotations

import subprocess
import sys

import asyncipc
from asyncipc import posix

PUBLIC = [
    "PIPE",
    "BlockedReport",
    "BlockedTask",
    "ChildProcess",
    "ConnectedUDPChannel",
    "ConnectedUNIXDatagramChannel",
    "Deadlock",
    "Fault",
    "ListenerChannel",
    "PipeReceiveChannel",
    "PipeSendChannel",
    "SignalReceiver",
    "Simulation",
    "SocketChannel",
    "TimeFrozen",
    "UDPChannel",
    "UNIXDatagramChannel",
    "Unsupported",
    "connect_tcp",
    "connect_unix",
    "create_connected_udp_socket",
    "create_connected_unix_datagram_socket",
    "create_pipe",
    "create_socketpair",
    "create_tcp_listener",
    "create_udp_socket",
    "create_unix_datagram_socket",
    "create_unix_listener",
    "current_simulation",
    "events",
    "open_channel",
    "open_fifo",
    "open_process",
    "open_signal_receiver",
    "posix",
    "run",
    "trio_stream",
]

HEAVY = ["hypothesis", "pytest", "rich", "structlog", "typer"]


def test_the_public_names_are_these_and_no_others() -> None:
    assert asyncipc.__all__ == PUBLIC


def test_every_public_name_is_there() -> None:
    for name in asyncipc.__all__:
        assert getattr(asyncipc, name) is not None


def test_importing_asyncipc_loads_no_extra() -> None:
    program = f"import sys, asyncipc; print([m for m in {HEAVY} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


def test_every_public_call_of_posix_names_its_man_page_first() -> None:
    calls = [
        value
        for name, value in vars(posix).items()
        if callable(value)
        and getattr(value, "__module__", "").startswith(posix.__name__)
        and (not name.startswith("_") or name == "_exit")
    ]
    assert len(calls) > 25
    for call in calls:
        first = (call.__doc__ or "").split(maxsplit=1)[0]
        assert first.endswith(":") or first.startswith("``os.") or ")" in first, call.__name__
