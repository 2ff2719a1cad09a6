"""ss(8): the sockets of a machine, their queues, and who talks to whom."""

from __future__ import annotations

from asyncipc.statistics import MachineStatistics, SocketStatistics
from asyncipc.trace.columns import columns

HEADS = (
    "Netid",
    "State",
    "Recv-Q",
    "Send-Q",
    "Local Address:Port",
    "Peer Address:Port",
    "Process",
)


def ss(machine: MachineStatistics) -> str:
    """``ss -ap``: all sockets, with ss's columns in its order.

    Recv-Q and Send-Q are bytes; of a listener connections that wait, and that
    may.  UNIX sockets are named by their inodes too.
    """
    rows = [
        _row(machine, index, file)
        for index, file in enumerate(machine.files)
        if isinstance(file, SocketStatistics)
    ]
    return columns(HEADS, rows, right="Recv-Q Send-Q")


def _row(machine: MachineStatistics, index: int, socket: SocketStatistics) -> tuple[str, ...]:
    local, remote = _ends(socket)
    queues = str(socket.receive_queue), str(socket.send_queue)
    return socket.netid, socket.state, *queues, local, remote, _users(machine, index)


def _ends(socket: SocketStatistics) -> tuple[str, str]:
    if socket.netid.startswith("u_"):
        return f"{socket.local or '*'} {socket.inode}", f"{socket.remote or '*'} {socket.peer}"
    anybody = "[::]:*" if "[" in socket.local else "0.0.0.0:*"
    return socket.local or anybody, socket.remote or anybody


def _users(machine: MachineStatistics, index: int) -> str:
    names = {process.pid: process.name for process in machine.processes}
    held = ",".join(f'("{names[pid]}",pid={pid},fd={fd})' for pid, fd in machine.holders(index))
    return f"users:({held})" if held else ""
