"""asyncipc: a machine's interprocess communication inside one event loop.

The map of the house, from the ground up; imports go only downward:

* ``errors``, ``events``: the words.
* ``kernel/``: what an IPC object *is*.  Pure state machines, no await, no clock.
* ``network/``: what a *wire* is.  Links, faults, TCP between hosts; pure, too.
* ``runtime/``: who *waits*.  Processes as tasks, hosts, parking, time, the seed.
* ``native/``: the real kernel's objects behind the same verbs.
* ``faces/``: how programs speak.  ``posix``, channels, trio streams.
* ``trace/``: who watches.  Logs, records, pictures.
* ``run``, ``cli/``: the front door.

Start with :func:`run`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from asyncipc import events
from asyncipc.errors import Deadlock, Escape, NotDeterministic, TimeFrozen, Unsupported
from asyncipc.run import run
from asyncipc.runtime.fault_plan import Fault
from asyncipc.runtime.host import Host
from asyncipc.runtime.report import BlockedReport, BlockedTask
from asyncipc.runtime.simulation import Simulation, current_simulation

if TYPE_CHECKING:
    from asyncipc import posix, scenario, statistics
    from asyncipc.determinism import check_determinism
    from asyncipc.faces.attached_memory import AttachedMemory
    from asyncipc.faces.channels import PipeReceiveChannel, PipeSendChannel, create_pipe
    from asyncipc.faces.condition import Condition
    from asyncipc.faces.datagram_sockets import (
        ConnectedUDPChannel,
        ConnectedUNIXDatagramChannel,
        UDPChannel,
        UNIXDatagramChannel,
        create_connected_udp_socket,
        create_connected_unix_datagram_socket,
        create_udp_socket,
        create_unix_datagram_socket,
    )
    from asyncipc.faces.fifo import open_fifo
    from asyncipc.faces.file_lock import lock_file
    from asyncipc.faces.listeners import ListenerChannel, create_tcp_listener, create_unix_listener
    from asyncipc.faces.memory_map import MemoryMap
    from asyncipc.faces.message_queue import MessageQueueChannel, open_message_queue
    from asyncipc.faces.mutex import Mutex
    from asyncipc.faces.open_channel import open_channel
    from asyncipc.faces.open_file import FileChannel, open_file
    from asyncipc.faces.open_process import PIPE, ChildProcess, open_process
    from asyncipc.faces.semaphore import Semaphore, open_semaphore, unlink_semaphore
    from asyncipc.faces.shared_memory import SharedMemory
    from asyncipc.faces.signal_receiver import SignalReceiver, open_signal_receiver
    from asyncipc.faces.stream_sockets import (
        SocketChannel,
        connect_tcp,
        connect_unix,
        create_socketpair,
    )
    from asyncipc.faces.trio_stream import trio_stream
    from asyncipc.native.machine import Native
    from asyncipc.runtime.gateway import Door
    from asyncipc.runtime.leaks import Leak, Leaks

__all__ = [
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

ROOMS: Final = {
    "determinism": ("check_determinism",),
    "faces.channels": (
        "PipeReceiveChannel",
        "PipeSendChannel",
        "create_pipe",
    ),
    "faces.datagram_sockets": (
        "ConnectedUDPChannel",
        "ConnectedUNIXDatagramChannel",
        "UDPChannel",
        "UNIXDatagramChannel",
        "create_connected_udp_socket",
        "create_connected_unix_datagram_socket",
        "create_udp_socket",
        "create_unix_datagram_socket",
    ),
    "faces.fifo": ("open_fifo",),
    "faces.listeners": (
        "ListenerChannel",
        "create_tcp_listener",
        "create_unix_listener",
    ),
    "faces.open_channel": ("open_channel",),
    "faces.open_process": (
        "PIPE",
        "ChildProcess",
        "open_process",
    ),
    "faces.signal_receiver": (
        "SignalReceiver",
        "open_signal_receiver",
    ),
    "faces.stream_sockets": (
        "SocketChannel",
        "connect_tcp",
        "connect_unix",
        "create_socketpair",
    ),
    "faces.trio_stream": ("trio_stream",),
    "faces.shared_memory": ("SharedMemory",),
    "faces.attached_memory": ("AttachedMemory",),
    "faces.memory_map": ("MemoryMap",),
    "faces.message_queue": (
        "MessageQueueChannel",
        "open_message_queue",
    ),
    "faces.semaphore": (
        "Semaphore",
        "open_semaphore",
        "unlink_semaphore",
    ),
    "faces.mutex": ("Mutex",),
    "faces.condition": ("Condition",),
    "faces.file_lock": ("lock_file",),
    "faces.open_file": (
        "FileChannel",
        "open_file",
    ),
    "native.machine": ("Native",),
    "runtime.gateway": ("Door",),
    "runtime.leaks": ("Leak", "Leaks"),
}
"""What is imported when it is first asked for: nobody pays for what he does not use."""
_ROOM_OF: Final = {name: room for room, names in ROOMS.items() for name in names}
_MODULES: Final = frozenset({"posix", "scenario", "statistics"})


if not TYPE_CHECKING:  # which is told by the imports above, and would let any name pass

    def __getattr__(name: str) -> object:
        if name in _MODULES:
            return import_module(f"{__name__}.{name}")
        if name not in _ROOM_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)
        globals()[name] = value
        return value
