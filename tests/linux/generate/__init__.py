"""Random programs of the op language: one module per family of objects, and the grammar they share.

A grammar knows the words of the op language and what exists; it must never know a machine.
Read ``grammar`` (templates), ``program`` (a program in the making), then any family.
"""

from __future__ import annotations

from typing import Final

from tests.linux.generate.descriptors import Descriptors
from tests.linux.generate.files import Files, Locks
from tests.linux.generate.internet import Tcp, Udp
from tests.linux.generate.memory import Memory
from tests.linux.generate.parked import PARKED
from tests.linux.generate.pipes import Fifos, Pipes
from tests.linux.generate.processes import Processes, Signals
from tests.linux.generate.program import Family
from tests.linux.generate.queues import PosixQueues, SystemVQueues, SystemVSemaphores
from tests.linux.generate.readiness import Readiness
from tests.linux.generate.unix_sockets import UnixDatagram, UnixSeqpacket, UnixStream, UnixUrgent

ALL: Final[tuple[type[Family], ...]] = (
    Pipes, Fifos, UnixStream, UnixUrgent, UnixSeqpacket, UnixDatagram, Tcp, Udp, Files, Locks,
    Readiness, PosixQueues, SystemVQueues, SystemVSemaphores, Memory, Descriptors, Signals,
    Processes, *PARKED,
)  # fmt: skip
FAMILIES: Final = {family.name: family for family in ALL}
