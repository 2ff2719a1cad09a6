"""asyncipc: a machine's interprocess communication inside one event loop.

The map of the house, from the ground up; imports go only downward:

* ``errors``, ``events``: the words.
* ``kernel/``: what an IPC object *is*.  Pure state machines, no await, no clock.
* ``runtime/``: who *waits*.  Processes as tasks, parking, time, the seed.
* ``faces/``: how programs speak.  ``posix``, channels, trio streams.
* ``trace/``: who watches.  Logs, records, pictures.
* ``run``, ``cli/``: the front door.

Start with :func:`run`.
"""

from asyncipc import events, posix
from asyncipc.errors import Deadlock, TimeFrozen, Unsupported
from asyncipc.faces.channels import PipeReceiveChannel, PipeSendChannel, create_pipe
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
from asyncipc.faces.listeners import ListenerChannel, create_tcp_listener, create_unix_listener
from asyncipc.faces.open_channel import open_channel
from asyncipc.faces.open_process import PIPE, ChildProcess, open_process
from asyncipc.faces.signal_receiver import SignalReceiver, open_signal_receiver
from asyncipc.faces.stream_sockets import (
    SocketChannel,
    connect_tcp,
    connect_unix,
    create_socketpair,
)
from asyncipc.faces.trio_stream import trio_stream
from asyncipc.run import run
from asyncipc.runtime.fault_plan import Fault
from asyncipc.runtime.report import BlockedReport, BlockedTask
from asyncipc.runtime.simulation import Simulation, current_simulation

__all__ = [
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
