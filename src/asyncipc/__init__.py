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
from asyncipc.faces.channels import (
    PipeReceiveChannel,
    PipeSendChannel,
    SocketChannel,
    create_pipe,
    create_socketpair,
    open_channel,
)
from asyncipc.faces.open_process import PIPE, ChildProcess, open_process
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
    "Deadlock",
    "Fault",
    "PipeReceiveChannel",
    "PipeSendChannel",
    "Simulation",
    "SocketChannel",
    "TimeFrozen",
    "Unsupported",
    "create_pipe",
    "create_socketpair",
    "current_simulation",
    "events",
    "open_channel",
    "open_process",
    "posix",
    "run",
    "trio_stream",
]
