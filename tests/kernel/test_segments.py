"""System V shared memory over the pure kernel: keys, sizes, rights, and the last detach."""

from __future__ import annotations

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.memory.mapping import SIGSEGV, Mapping, MemoryFault
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sysv.identifiers import IPC_CREAT, IPC_EXCL, SEGMENTS_MAX, Identifiers
from asyncipc.kernel.sysv.segments import SHM_DEST, SHM_LOCKED, SHM_RDONLY, SHM_REMAP, Segments
from tests.kernel.helpers import failure

KEY = 0x7A11
MAKE = IPC_CREAT | 0o600


class Machine:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.process = self.kernel.first_process("main", Console(self.kernel, lambda data: None))
        self.segments: Segments = self.kernel.segments

    def get(self, size: int = 100, flags: int = MAKE, key: int = KEY) -> int:
        return self.segments.get(self.process, key, size, flags)

    def attach(self, identifier: int, flags: int = 0) -> Mapping:
        return self.segments.attach(self.process, identifier, flags)

    def detach(self, mapping: Mapping) -> None:
        self.segments.detach(self.process, mapping)

    def attached(self, identifier: int) -> int:
        return self.segments[identifier].attached

    def remove(self, identifier: int) -> None:
        self.segments.remove(self.process, identifier)

    def fork(self) -> Process:
        return self.kernel.fork(self.process, "child")


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_a_key_finds_its_segment_if_that_is_large_enough(machine: Machine) -> None:
    identifier = machine.get(100)
    assert machine.get(0, 0) == machine.get(50, 0) == machine.get(100, IPC_EXCL) == identifier
    assert failure(machine.get, 101, 0) == "EINVAL"
    assert failure(machine.get, 200, MAKE) == "EINVAL"
    assert failure(machine.get, 200, MAKE | IPC_EXCL) == "EEXIST"


@pytest.mark.parametrize(
    ("size", "error"), [(0, "EINVAL"), (2**64 - 1, "EINVAL"), (2**62, "ENOMEM")]
)
def test_a_new_segment_has_a_size_that_can_be(machine: Machine, size: int, error: str) -> None:
    assert failure(machine.get, size) == error
    assert failure(machine.get, 100, 0) == "ENOENT"


def test_what_one_writes_all_who_attach_read(machine: Machine) -> None:
    identifier = machine.get()
    one, two = machine.attach(identifier), machine.attach(identifier)
    one.store(3, b"both")
    assert two.load(3, 4) == b"both"
    assert machine.attached(identifier) == 2


def test_a_removed_segment_lives_until_the_last_detach_but_its_key_is_free(
    machine: Machine,
) -> None:
    identifier = machine.get()
    first = machine.attach(identifier)
    machine.remove(identifier)
    assert failure(machine.get, 100, 0) == "ENOENT"
    status = machine.segments.stat(machine.process, identifier)
    assert (status.mode, status.key) == (SHM_DEST | 0o600, 0)
    second = machine.attach(identifier)  # who knows the identifier may still
    machine.remove(identifier)  # which has been done
    assert machine.get(50) != identifier
    machine.detach(first)
    second.store(0, b"alive")
    machine.detach(second)
    assert failure(machine.attach, identifier) == "EINVAL"
    assert failure(machine.remove, identifier) == "EINVAL"


def test_a_removed_segment_that_nobody_has_is_gone_at_once(machine: Machine) -> None:
    identifier = machine.get()
    machine.detach(machine.attach(identifier))
    assert machine.get(0, 0) == identifier, "a segment outlives who uses it"
    machine.remove(identifier)
    assert failure(machine.segments.stat, machine.process, identifier) == "EINVAL"


def test_fork_attaches_and_exec_and_exit_detach(machine: Machine) -> None:
    identifier = machine.get()
    machine.attach(identifier)
    machine.attach(identifier)
    child, other = machine.fork(), machine.fork()
    assert machine.attached(identifier) == 6
    assert machine.segments[identifier].last_pid == machine.process.pid
    machine.kernel.execute(other, "true")
    assert machine.attached(identifier) == 4
    assert machine.segments[identifier].last_pid == other.pid
    machine.kernel.end(child, 9)
    assert machine.attached(identifier) == 2
    assert machine.segments[identifier].last_pid == child.pid


def test_the_last_process_to_end_takes_a_removed_segment_with_it(machine: Machine) -> None:
    identifier = machine.get()
    machine.attach(identifier)
    child = machine.fork()
    machine.remove(identifier)
    machine.kernel.end(machine.process, 9)
    assert machine.attached(identifier) == 1
    machine.kernel.end(child, 9)
    assert failure(machine.segments.__getitem__, identifier) == "EINVAL"


def test_a_detach_is_of_what_is_attached(machine: Machine) -> None:
    mapping = machine.attach(machine.get())
    machine.detach(mapping)
    assert failure(machine.detach, mapping) == "EINVAL"
    anonymous = machine.kernel.memory_maps.mmap(machine.process, None, 10, 1, 3, 0)
    assert failure(machine.detach, anonymous) == "EINVAL"


def test_who_attaches_to_read_does_not_write(machine: Machine) -> None:
    mapping = machine.attach(machine.get(), SHM_RDONLY)
    assert mapping.load(0, 1) == b"\0"
    with pytest.raises(MemoryFault) as caught:
        mapping.store(0, b"x")
    assert caught.value.signal == SIGSEGV


def test_rights_are_those_of_the_mode_and_of_the_owner(machine: Machine) -> None:
    identifier = machine.get(100, IPC_CREAT | 0o640)
    machine.process.uid = machine.process.gid = 1234
    segments, process = machine.segments, machine.process
    assert machine.get(0, 0) == identifier
    assert failure(machine.get, 0, 0o400) == "EACCES"
    assert failure(machine.get, 200, 0o400) == "EINVAL"
    assert failure(machine.attach, identifier) == "EACCES"
    assert failure(machine.attach, identifier, SHM_RDONLY) == "EACCES"
    assert failure(segments.stat, process, identifier) == "EACCES"
    assert failure(machine.remove, identifier) == "EPERM"
    assert failure(segments.set, process, identifier, 1, 1, 0) == "EPERM"
    assert failure(lambda: segments.lock(process, identifier, locked=True)) == "EPERM"


def test_its_owner_reads_what_it_may_only_read(machine: Machine) -> None:
    machine.process.uid = machine.process.gid = 1234
    identifier = machine.get(10, IPC_CREAT | 0o400)
    assert failure(machine.attach, identifier) == "EACCES"
    machine.attach(identifier, SHM_RDONLY)
    unreadable = machine.get(10, IPC_CREAT | 0o000, 0)
    assert failure(machine.segments.stat, machine.process, unreadable) == "EACCES"
    machine.remove(unreadable)


def test_another_owner_and_mode_can_be_set_and_the_creator_stays(machine: Machine) -> None:
    identifier = machine.get()
    machine.segments.set(machine.process, identifier, 1000, 1001, 0o7777)
    status = machine.segments.stat(machine.process, identifier)
    assert (status.uid, status.gid, status.cuid, status.mode) == (1000, 1001, 0, 0o777)


def test_locking_is_a_mark(machine: Machine) -> None:
    identifier = machine.get()
    machine.segments.lock(machine.process, identifier, locked=True)
    assert machine.segments.stat(machine.process, identifier).mode == SHM_LOCKED | 0o600
    machine.segments.lock(machine.process, identifier, locked=False)
    assert machine.segments.stat(machine.process, identifier).mode == 0o600


def test_there_are_so_many_and_no_more(machine: Machine) -> None:
    for _ in range(SEGMENTS_MAX):
        machine.get(1, MAKE, 0)
    assert failure(machine.get, 1, MAKE, 0) == "ENOSPC"


def test_what_is_not_modelled_says_so(machine: Machine) -> None:
    with pytest.raises(Unsupported, match="HUGETLB"):
        machine.get(10, MAKE | 0o4000)
    assert failure(machine.attach, machine.get(), SHM_REMAP) == "EINVAL"
    with pytest.raises(Unsupported, match="EXEC"):
        machine.attach(machine.get(), 0o100000)


def test_a_segment_that_is_not_made_counts_no_pages(machine: Machine) -> None:
    segments = machine.segments
    segments.known = Identifiers(1)
    machine.get(5000)
    assert segments._pages == 2
    assert failure(segments.get, machine.process, 0, 1, 0o600) == "ENOSPC"
    assert failure(segments.get, machine.process, 0, 0, 0o600) == "EINVAL", "asked before"
    assert segments._pages == 2
