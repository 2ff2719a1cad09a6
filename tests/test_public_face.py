"""The public names: a list that changes only on purpose."""

from __future__ import annotations

import subprocess
import sys

import pytest

import asyncipc
from asyncipc import posix

PUBLIC = [
    "PIPE",
    "AttachedMemory",
    "BlockedReport",
    "BlockedTask",
    "ChildProcess",
    "Condition",
    "ConnectedUDPChannel",
    "ConnectedUNIXDatagramChannel",
    "Deadlock",
    "Door",
    "Escape",
    "Fault",
    "FileChannel",
    "Host",
    "Leak",
    "Leaks",
    "ListenerChannel",
    "MemoryMap",
    "MessageQueueChannel",
    "Mutex",
    "Native",
    "NotDeterministic",
    "PipeReceiveChannel",
    "PipeSendChannel",
    "Semaphore",
    "SharedMemory",
    "SignalReceiver",
    "Simulation",
    "SocketChannel",
    "TimeFrozen",
    "UDPChannel",
    "UNIXDatagramChannel",
    "Unsupported",
    "check_determinism",
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
    "lock_file",
    "open_channel",
    "open_fifo",
    "open_file",
    "open_message_queue",
    "open_process",
    "open_semaphore",
    "open_signal_receiver",
    "posix",
    "run",
    "scenario",
    "statistics",
    "trio_stream",
    "unlink_semaphore",
]

HEAVY = ["hypothesis", "pytest", "rich", "structlog", "typer"]


def test_the_public_names_are_these_and_no_others() -> None:
    assert asyncipc.__all__ == PUBLIC


def test_every_public_name_is_there() -> None:
    for name in asyncipc.__all__:
        assert getattr(asyncipc, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'sokcet'"):
        asyncipc.sokcet  # type: ignore[attr-defined]  # noqa: B018


def test_importing_asyncipc_loads_no_face_and_no_socket_before_it_is_used() -> None:
    program = (
        "import sys, asyncipc; print([m for m in sys.modules if m.startswith("
        "('asyncipc.faces.', 'asyncipc.posix', 'asyncipc.kernel.tcp', 'asyncipc.kernel.sysv'))])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert loaded.stdout.strip() == "[]"


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
        and not isinstance(value, type)
        and getattr(value, "__module__", "").startswith(posix.__name__)
        and (not name.startswith("_") or name == "_exit")
    ]
    assert len(calls) > 25
    for call in calls:
        first = (call.__doc__ or "").split(maxsplit=1)[0]
        assert first.endswith(":") or first.startswith("``os.") or ")" in first, call.__name__
