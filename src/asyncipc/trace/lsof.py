"""lsof(8): which process holds which open file, under which number."""

from __future__ import annotations

from collections.abc import Iterator

from asyncipc.statistics import (
    DescriptorStatistics,
    FileStatistics,
    MachineStatistics,
    ProcessStatistics,
    SocketStatistics,
)
from asyncipc.trace.columns import columns, user

HEADS = ("COMMAND", "PID", "USER", "FD", "TYPE", "DEVICE", "SIZE/OFF", "NODE", "NAME")
UNIX_TYPES = {"u_str": "STREAM", "u_dgr": "DGRAM", "u_seq": "SEQPACKET"}
UNIX_STATES = {"LISTEN": "LISTEN", "ESTAB": "CONNECTED", "UNCONN": "UNCONNECTED"}
TCP_STATES = {"ESTAB": "ESTABLISHED", "UNCONN": "CLOSED"}
"""Where lsof has another word than ss; else it is ss's with underscores."""


def lsof(machine: MachineStatistics) -> str:
    """A line for each descriptor, with lsof's columns in its order.

    The letter behind the number is the access mode; a second one is a lock on
    the whole file (R, W) or a part of it (r, w).  There are no devices.
    """
    return columns(HEADS, _rows(machine), right="PID FD TYPE DEVICE SIZE/OFF NODE")


def _rows(machine: MachineStatistics) -> Iterator[tuple[str, ...]]:
    for process in machine.processes:
        for entry in process.descriptors:
            yield _row(machine, process, entry)


def _row(
    machine: MachineStatistics, process: ProcessStatistics, entry: DescriptorStatistics
) -> tuple[str, ...]:
    file = machine.files[entry.file]
    return (
        process.name,
        str(process.pid),
        user(process.uid),
        f"{entry.fd}{file.access}{_lock(machine, process, file):1}",
        _type(file),
        "",
        f"0t{file.offset}" if file.size is None else str(file.size),
        _protocol(file) or str(file.inode),
        _name(file),
    )


def _lock(machine: MachineStatistics, process: ProcessStatistics, file: FileStatistics) -> str:
    for lock in machine.locks:
        if lock.path == file.name and lock.pid in {process.pid, -1} and not lock.waits:
            letter = "w" if lock.mode == "WRITE" else "r"
            return letter.upper() if lock.start == lock.end == 0 else letter
    return ""


def _type(file: FileStatistics) -> str:
    if not isinstance(file, SocketStatistics):
        return file.kind
    if file.netid in UNIX_TYPES:
        return "unix"
    return "IPv6" if "[" in file.local + file.remote else "IPv4"


def _protocol(file: FileStatistics) -> str:
    inet = isinstance(file, SocketStatistics) and file.netid not in UNIX_TYPES
    return file.netid.upper() if inet and isinstance(file, SocketStatistics) else ""


def _name(file: FileStatistics) -> str:
    if not isinstance(file, SocketStatistics):
        return "pipe" if file.name.startswith("pipe:[") else file.name
    if file.netid in UNIX_TYPES:
        state = UNIX_STATES[file.state]
        return f"{file.local} type={UNIX_TYPES[file.netid]} ({state})".lstrip()
    ends = f"{file.local}->{file.remote}" if file.remote else file.local or "*:*"
    if file.netid == "udp":
        return ends
    return f"{ends} ({TCP_STATES.get(file.state, file.state.replace('-', '_'))})"
