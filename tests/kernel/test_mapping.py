"""Mappings over the pure kernel: sharing, copy on write, faults, seals, fork and exit."""

from __future__ import annotations

import os
import struct
from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncipc.errors import Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.files.regular import F_SEAL_EXEC, RegularFile
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.memory.address_space import mapping_at, space_of
from asyncipc.kernel.memory.contents import PAGE
from asyncipc.kernel.memory.mapping import (
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    SEGV_ACCERR,
    SIGBUS,
    SIGSEGV,
    Mapping,
    MemoryFault,
)
from asyncipc.kernel.memory.memfd import (
    MFD_ALLOW_SEALING,
    MFD_EXEC,
    MFD_NOEXEC_SEAL,
    memfd_create,
)
from asyncipc.kernel.memory.mmap import MAP_ANONYMOUS, MAP_PRIVATE, MAP_SHARED
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.processes.process import Process
from asyncipc.runtime.memory import Reserved
from tests.kernel.helpers import failure

BOTH = PROT_READ | PROT_WRITE
SEAL, SHRINK, GROW, WRITE, FUTURE_WRITE = 1, 2, 4, 8, 16


class Machine:
    """A kernel with one process, and a file of two pages in its descriptor ``fd``."""

    def __init__(self, flags: int = MFD_ALLOW_SEALING) -> None:
        self.kernel = Kernel()
        self.kernel.memory = Reserved()
        self.process = self.kernel.first_process("main", Console(self.kernel, lambda data: None))
        self.file = memfd_create(self.kernel, self.process, b"m", flags)
        self.fd = self.process.table.open(self.file, cloexec=False)[0].fd
        self.file.truncate(2 * PAGE)

    def map(
        self,
        length: int = 2 * PAGE,
        flags: int = MAP_SHARED,
        protection: int = BOTH,
        offset: int = 0,
        file: OpenFile | None = None,
        process: Process | None = None,
    ) -> Mapping:
        return self.kernel.memory_maps.mmap(
            process or self.process, file or self.file, length, flags, protection, offset
        )

    def anonymous(self, flags: int, length: int = 100) -> Mapping:
        return self.kernel.memory_maps.mmap(self.process, None, length, flags, BOTH, 0)

    def fork(self) -> Process:
        return self.kernel.fork(self.process, "child")

    def reopened(self, flags: int) -> RegularFile:
        """The same file, opened once more."""
        file = RegularFile(self.kernel, self.file.node, flags)
        self.process.table.open(file, cloexec=False)
        return file


@pytest.fixture
def machine() -> Machine:
    return Machine()


def its(process: Process, mapping: Mapping) -> Mapping:
    """What a process has where another has ``mapping``."""
    found = mapping_at(process, mapping.address)
    assert found is not None
    return found


def signal_of(mapping: Mapping, offset: int, size: int = 1) -> int:
    """The signal that reading there gives, 0 for none."""
    try:
        mapping.load(offset, size)
    except MemoryFault as fault:
        return fault.signal
    return 0


def test_shared_mappings_and_the_file_are_one_memory(machine: Machine) -> None:
    one, two = machine.map(), machine.map(PAGE, offset=PAGE)
    one.store(PAGE, b"mapped")
    assert two.load(0, 6) == machine.file.read_at(6, PAGE) == b"mapped"
    machine.file.write_at(b"W", PAGE)
    assert one.load(PAGE, 6) == two.load(0, 6) == b"Wapped"


def test_a_private_page_is_the_files_until_it_is_written(machine: Machine) -> None:
    private = machine.map(flags=MAP_PRIVATE)
    machine.file.write_at(b"old", 0)
    machine.file.write_at(b"old", PAGE)
    assert private.load(0, 3) == b"old"
    private.store(1, b"W")
    machine.file.write_at(b"new", 0)
    machine.file.write_at(b"new", PAGE)
    assert private.load(0, 3) == b"oWd"
    assert private.load(PAGE, 3) == b"new"
    assert machine.file.read_at(3, 0) == b"new"
    assert private.load(PAGE - 1, 2) == b"\0n"


def test_a_private_write_over_two_pages_takes_both(machine: Machine) -> None:
    private = machine.map(flags=MAP_PRIVATE)
    private.store(PAGE - 1, b"ab")
    machine.file.write_at(b"XY", PAGE - 1)
    assert private.load(PAGE - 1, 2) == b"ab"


def test_cutting_the_file_takes_the_private_pages_behind_its_end(machine: Machine) -> None:
    private = machine.map(flags=MAP_PRIVATE)
    private.store(0, b"own")
    private.store(PAGE, b"own")
    machine.file.truncate(100)
    assert private.load(0, 3) == b"own"
    assert signal_of(private, PAGE) == SIGBUS
    machine.file.truncate(2 * PAGE)
    assert private.load(PAGE, 3) == bytes(3)
    assert private.load(0, 3) == b"own"


@pytest.mark.parametrize("flags", [MAP_SHARED, MAP_PRIVATE])
def test_a_page_behind_the_end_is_a_bus_error_and_the_rest_of_the_last_is_not(
    machine: Machine, flags: int
) -> None:
    mapping = machine.map(flags=flags)
    machine.file.truncate(PAGE + 1)
    assert signal_of(mapping, 2 * PAGE - 1) == 0
    machine.file.truncate(PAGE)
    assert signal_of(mapping, PAGE - 1) == 0
    assert signal_of(mapping, PAGE) == SIGBUS
    assert signal_of(mapping, PAGE - 1, 2) == SIGBUS
    with pytest.raises(MemoryFault):
        mapping.store(PAGE - 1, b"xy")
    assert mapping.load(PAGE - 1, 1) == b"\0", "half of a write was done"


def test_memory_without_protection_is_not_to_be_touched(machine: Machine) -> None:
    assert signal_of(machine.map(protection=PROT_NONE), 0) == SIGSEGV
    assert signal_of(machine.map(protection=PROT_WRITE), 0) == 0, "on x86 writable is readable"
    with pytest.raises(MemoryFault) as caught:
        machine.map(protection=PROT_READ).store(0, b"x")
    assert caught.value.signal == SIGSEGV


def test_a_child_shares_what_is_shared_and_has_a_copy_of_the_rest(machine: Machine) -> None:
    shared, private = machine.anonymous(MAP_SHARED), machine.anonymous(MAP_PRIVATE)
    cow = machine.map(flags=MAP_PRIVATE)
    for mapping in (shared, private, cow):
        mapping.store(0, b"start")
    child = machine.fork()
    for mapping in (shared, private, cow):
        assert its(child, mapping).load(0, 5) == b"start"
        its(child, mapping).store(0, b"child")
    assert shared.load(0, 5) == b"child"
    assert private.load(0, 5) == cow.load(0, 5) == b"start"
    private.store(0, b"later")
    assert its(child, private).load(0, 5) == b"child"


def test_who_unmaps_unmaps_for_itself(machine: Machine) -> None:
    mapping = machine.map()
    child = machine.fork()
    machine.kernel.memory_maps.munmap(machine.process, mapping.address)
    assert mapping_at(machine.process, mapping.address) is None
    its(child, mapping).store(0, b"x")
    munmap = machine.kernel.memory_maps.munmap
    assert failure(munmap, machine.process, mapping.address) == "EINVAL"


def test_a_mapping_keeps_the_open_file_until_its_processes_end(machine: Machine) -> None:
    machine.map()
    child = machine.fork()
    machine.process.table.close(machine.fd)
    child.table.close(machine.fd)
    assert machine.file.holders == 2
    machine.kernel.end(child, 9)
    assert machine.file.holders == 1
    machine.kernel.end(machine.process, 9)
    assert machine.file.holders == 0
    assert not machine.file.node.contents.mappings


def test_exec_unmaps_everything(machine: Machine) -> None:
    machine.map()
    machine.anonymous(MAP_PRIVATE)
    machine.kernel.execute(machine.process, "other")
    assert list(space_of(machine.process)) == []
    assert machine.file.holders == 1


def test_no_address_is_given_twice(machine: Machine) -> None:
    former = machine.map()
    machine.kernel.memory_maps.munmap(machine.process, former.address)
    assert machine.map().address != former.address


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"length": 0}, "EINVAL"),
        ({"offset": 100}, "EINVAL"),
        ({"flags": 0}, "EINVAL"),
        ({"flags": 3}, "no error"),  # MAP_SHARED_VALIDATE
        ({"length": 1 << 48}, "ENOMEM"),
        ({"flags": MAP_SHARED | 0x4000 | 0x8000 | 0x20000}, "no error"),
    ],
)
def test_what_mmap_refuses(machine: Machine, options: dict[str, int], error: str) -> None:
    def attempt() -> None:
        machine.map(**options)  # type: ignore[arg-type]

    assert failure(attempt) == error


@pytest.mark.parametrize(
    ("access", "flags", "protection", "error"),
    [
        (os.O_RDONLY, MAP_SHARED, PROT_READ, "no error"),
        (os.O_RDONLY, MAP_SHARED, PROT_WRITE, "EACCES"),
        (os.O_RDONLY, MAP_SHARED, PROT_NONE, "no error"),
        (os.O_RDONLY, MAP_PRIVATE, BOTH, "no error"),
        (os.O_WRONLY, MAP_SHARED, PROT_WRITE, "EACCES"),
        (os.O_WRONLY, MAP_PRIVATE, PROT_READ, "EACCES"),
        (os.O_WRONLY, MAP_SHARED, PROT_NONE, "EACCES"),
        (os.O_ACCMODE, MAP_SHARED, PROT_READ, "EACCES"),
        (os.O_ACCMODE, MAP_PRIVATE, BOTH, "EACCES"),
        (os.O_ACCMODE, MAP_SHARED, BOTH, "EACCES"),
    ],
)
def test_the_descriptor_must_be_open_for_what_the_mapping_does(
    machine: Machine, access: int, flags: int, protection: int, error: str
) -> None:
    file = machine.reopened(access)
    assert failure(lambda: machine.map(10, flags, protection, file=file)) == error


def test_what_has_no_memory_cannot_be_mapped_once_its_access_mode_would_do(
    machine: Machine,
) -> None:
    r, w = machine.kernel.pipe(0)
    left, _ = machine.kernel.socketpair(1, 1, 0)
    assert failure(lambda: machine.map(10, file=left)) == "ENODEV"
    assert failure(lambda: machine.map(10, file=r)) == "EACCES"
    assert failure(lambda: machine.map(10, file=w)) == "EACCES"
    assert failure(lambda: machine.map(10, MAP_PRIVATE, file=r)) == "ENODEV"


@pytest.mark.parametrize("flags", [0, 3])
def test_anonymous_memory_is_shared_or_private(machine: Machine, flags: int) -> None:
    assert failure(machine.anonymous, flags | MAP_ANONYMOUS) == "EINVAL"


def test_what_is_not_modelled_says_so(machine: Machine) -> None:
    with pytest.raises(Unsupported, match="flags"):
        machine.map(flags=MAP_SHARED | 0x10)
    with pytest.raises(Unsupported, match="protection"):
        machine.map(protection=7)


# -- places, for those who synchronise in memory


def test_a_place_is_the_same_to_all_who_share_the_memory(machine: Machine) -> None:
    one, two = machine.map(), machine.map(PAGE, offset=PAGE)
    assert one.place(PAGE + 8, 4) == two.place(8, 4)
    shared, private = machine.anonymous(MAP_SHARED), machine.anonymous(MAP_PRIVATE)
    child = machine.fork()
    assert its(child, shared).place(4) == shared.place(4)
    assert its(child, private).place(4)[0] is not private.place(4)[0]
    assert private.place(4) == private.place(4)


def test_a_place_of_a_private_mapping_has_what_the_mapping_sees(machine: Machine) -> None:
    machine.file.write_at(b"word", 8)
    private = machine.map(flags=MAP_PRIVATE)
    contents, offset = private.place(8, 4)
    assert contents.get(offset, 4) == b"word"
    contents.put(offset, b"mine")
    assert private.load(8, 4) == b"mine"
    assert machine.file.read_at(4, 8) == b"word"


def test_there_is_no_place_beyond_a_mapping(machine: Machine) -> None:
    mapping = machine.map()
    for offset, size in ((2 * PAGE, 1), (2 * PAGE - 3, 4), (-1, 1)):
        assert failure(mapping.place, offset, size) == "EFAULT"
    machine.file.truncate(PAGE)
    assert failure(mapping.place, PAGE) == "EFAULT"


def test_each_page_that_a_mapping_touches_has_storage_but_no_new_time(machine: Machine) -> None:
    before = machine.file.status()
    mapping, private = machine.map(), machine.map(flags=MAP_PRIVATE)
    assert machine.file.node.blocks() == 0
    mapping.load(0, 1)  # a fault is enough, be it to read
    assert machine.file.node.blocks() == 8
    private.load(PAGE, 1)
    assert machine.file.node.blocks() == 16
    mapping.store(0, b"x")
    assert machine.file.status().modified_ns == before.modified_ns


# -- raw views


def test_a_raw_view_is_the_memory_for_struct_and_array(machine: Machine) -> None:
    mapping = machine.map()
    view = mapping.view()
    struct.pack_into("<Ii", view, 4, 7, -1)
    assert struct.unpack("<Ii", mapping.load(4, 8)) == (7, -1)
    numbers = array("i", [1, 2, 3])
    view[0 : 3 * numbers.itemsize] = memoryview(numbers).cast("B")
    words = view.cast("i")
    words[1] += 40
    assert struct.unpack("=3i", machine.file.read_at(12, 0)) == (1, 42, 3)
    assert mapping.is_lent()
    words.release()
    view.release()
    assert not mapping.is_lent()


def test_a_raw_view_of_what_may_not_be_written_is_read_only(machine: Machine) -> None:
    assert machine.map(protection=PROT_READ).view().readonly


def test_there_is_no_raw_view_of_memory_without_protection(machine: Machine) -> None:
    with pytest.raises(MemoryFault) as caught:
        machine.map(protection=PROT_NONE).view()
    assert (caught.value.signal, caught.value.code) == (SIGSEGV, SEGV_ACCERR)


def test_a_raw_view_of_a_private_mapping_shows_what_an_access_does_though_the_file_was_cut(
    machine: Machine,
) -> None:
    machine.file.write_at(b"AB" * PAGE, 0)
    private = machine.map(flags=MAP_PRIVATE)
    view = private.view()
    view[:2] = b"zz"
    left = b"zz" + b"AB" * (PAGE // 2 - 1) + bytes(PAGE)
    for size in (PAGE, 1):
        machine.file.truncate(size)
        machine.file.truncate(2 * PAGE)
        machine.file.write_at(b"CC", size)
        assert bytes(view) == private.load(0, 2 * PAGE) == left
    machine.file.truncate(0)
    machine.file.truncate(2 * PAGE)
    assert bytes(view) == private.load(0, 2 * PAGE) == bytes(2 * PAGE)
    view.release()
    machine.file.truncate(0)
    machine.file.write_at(b"CC" * PAGE, 0)
    assert private.load(0, 2 * PAGE) == b"CC" * PAGE


def test_mappings_of_a_file_go_in_any_order_and_the_rest_keep_theirs(machine: Machine) -> None:
    mappings = [machine.map(flags=MAP_PRIVATE) for _ in range(100)]
    for mapping in mappings[::2]:
        machine.kernel.memory_maps.munmap(machine.process, mapping.address)
    assert list(machine.file.node.contents.mappings) == mappings[1::2]


def test_a_private_mapping_that_is_viewed_has_all_its_pages(machine: Machine) -> None:
    private = machine.map(flags=MAP_PRIVATE)
    machine.file.write_at(b"before", PAGE)
    view = private.view()
    machine.file.write_at(b"after!", PAGE)
    assert bytes(view[PAGE : PAGE + 6]) == private.load(PAGE, 6) == b"before"
    view[0] = 1
    assert machine.file.read_at(1, 0) == b"\0"


# -- seals


def test_a_file_is_sealed_against_sealing_unless_it_was_asked_for(machine: Machine) -> None:
    plain = memfd_create(machine.kernel, machine.process, b"x", 0)
    assert plain.get_seals() == SEAL
    assert failure(plain.add_seals, SHRINK) == "EPERM"
    assert machine.file.get_seals() == 0


def test_seals_stay_and_refuse_what_they_say(machine: Machine) -> None:
    file = machine.file
    file.add_seals(SHRINK)
    file.add_seals(GROW)
    assert file.get_seals() == SHRINK | GROW
    assert failure(file.truncate, PAGE) == "EPERM"
    assert failure(file.truncate, 3 * PAGE) == "EPERM"
    assert failure(file.write_at, b"x", 2 * PAGE) == "EPERM"
    assert file.write_at(b"x", 0) == 1
    file.add_seals(WRITE | SEAL)
    assert failure(file.write_at, b"x", 0) == "EPERM"
    assert failure(file.add_seals, FUTURE_WRITE) == "EPERM"


@pytest.mark.parametrize(
    ("flags", "protection", "error"),
    [
        (MAP_SHARED, BOTH, "EBUSY"),
        (MAP_SHARED, PROT_READ, "EBUSY"),  # it could be made to write (VM_MAYWRITE)
        (MAP_PRIVATE, BOTH, "no error"),
    ],
)
def test_writing_is_not_sealed_under_a_mapping_that_may_write(
    machine: Machine, flags: int, protection: int, error: str
) -> None:
    machine.map(10, flags, protection)
    assert failure(machine.file.add_seals, WRITE) == error
    assert machine.file.get_seals() == (0 if error == "EBUSY" else WRITE)


@pytest.mark.parametrize("seal", [WRITE, FUTURE_WRITE])
def test_what_is_sealed_against_writing_is_mapped_to_read(machine: Machine, seal: int) -> None:
    machine.file.add_seals(seal)
    assert failure(machine.map, 10) == "EPERM"
    machine.map(10, protection=PROT_READ)
    machine.map(10, MAP_PRIVATE)
    assert failure(machine.file.add_seals, WRITE) == "no error"


def test_future_write_leaves_the_mappings_of_before(machine: Machine) -> None:
    mapping = machine.map()
    machine.file.add_seals(FUTURE_WRITE)
    mapping.store(0, b"still")
    assert machine.file.read_at(5, 0) == b"still"
    assert failure(machine.file.write_at, b"x", 0) == "EPERM"
    assert failure(machine.file.add_seals, WRITE) == "EBUSY"


def test_who_may_not_write_may_not_seal(machine: Machine) -> None:
    assert failure(machine.reopened(os.O_RDONLY).add_seals, SHRINK) == "EPERM"
    assert failure(machine.reopened(os.O_ACCMODE).add_seals, SHRINK) == "EPERM"
    assert failure(machine.file.add_seals, 64) == "EINVAL"
    r, w = machine.kernel.pipe(0)
    assert failure(w.add_seals, SHRINK) == "EINVAL"
    assert failure(r.get_seals) == "EINVAL"


def test_sealing_execution_of_an_executable_seals_it_whole(machine: Machine) -> None:
    machine.file.add_seals(F_SEAL_EXEC)
    assert machine.file.get_seals() == SHRINK | GROW | WRITE | FUTURE_WRITE | F_SEAL_EXEC


@pytest.mark.parametrize(
    ("flags", "mode", "seals"),
    [(0, 0o100777, 1), (MFD_NOEXEC_SEAL, 0o100666, F_SEAL_EXEC), (MFD_EXEC, 0o100777, 1)],
)
def test_a_memfd_is_a_file_without_a_name(flags: int, mode: int, seals: int) -> None:
    file = Machine(flags).file
    status = file.status()
    assert (status.mode, status.links, file.get_seals()) == (mode, 0, seals)
    assert file.describe() == "/memfd:m (deleted)"


def test_a_memfds_flags_and_name_are_checked(machine: Machine) -> None:
    def make(name: bytes, flags: int) -> None:
        memfd_create(machine.kernel, machine.process, name, flags)

    assert failure(make, b"x", MFD_EXEC | MFD_NOEXEC_SEAL) == "EINVAL"
    assert failure(make, b"x", 32) == "EINVAL"
    assert failure(make, b"n" * 250, 0) == "EINVAL"
    assert failure(make, b"n" * 249, 0) == "no error"
    with pytest.raises(Unsupported):
        make(b"x", 4)


# -- random programs against a simple model


class Model:
    """A file of octets, and mappings that are lists of pages: None is the file's."""

    def __init__(self) -> None:
        self.file = bytearray(2 * PAGE)
        self.behind = bytearray(4 * PAGE)  # what mappings see behind the end
        self.private: list[dict[int, bytearray]] = [{}, {}]

    def page(self, who: int, page: int) -> bytearray | None:
        """What a mapping (2: the shared one) has there; None: a bus error."""
        if page * PAGE >= len(self.file):
            return None
        if who < 2 and page in self.private[who]:
            return self.private[who][page]
        whole = bytes(self.file) + bytes(self.behind[len(self.file) :])
        return bytearray(whole[page * PAGE : (page + 1) * PAGE])

    def truncate(self, size: int) -> None:
        whole = self.file + self.behind[len(self.file) :]
        if size < len(self.file):
            whole[size:] = bytes(len(whole) - size)
            for pages in self.private:
                for page in [page for page in pages if page * PAGE >= size]:
                    del pages[page]
        self.file, self.behind = whole[:size], whole

    def store(self, who: int, offset: int, octet: int) -> None:
        page = offset // PAGE
        if who < 2:
            self.private[who][page] = octets = self.page(who, page) or bytearray()
            octets[offset % PAGE] = octet
        elif offset < len(self.file):
            self.file[offset] = octet
        else:
            self.behind[offset] = octet


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["store", "store", "truncate", "write"]),
        st.integers(0, 2),
        st.integers(0, 16).map(lambda eighth: min(eighth * PAGE // 8 + eighth % 3, 2 * PAGE - 1)),
        st.integers(1, 255),
    ),
    max_size=12,
)


def test_mappings_see_what_a_simple_model_says(examples: int) -> None:
    @settings(max_examples=examples)
    @given(actions=ACTIONS)
    def check(actions: list[tuple[str, int, int, int]]) -> None:
        machine, model = Machine(), Model()
        mappings = [machine.map(flags=MAP_PRIVATE), machine.map(flags=MAP_PRIVATE), machine.map()]
        for what, who, offset, octet in actions:
            if what == "truncate":
                machine.file.truncate(offset)
                model.truncate(offset)
            elif what == "write" and offset < len(model.file):
                machine.file.write_at(bytes((octet,)), offset)
                model.store(2, offset, octet)
            elif what == "store" and model.page(who, offset // PAGE) is not None:
                mappings[who].store(offset, bytes((octet,)))
                model.store(who, offset, octet)
            assert machine.file.read_at(4 * PAGE, 0) == model.file
            for index, mapping in enumerate(mappings):
                for page in range(2):
                    expected = model.page(index, page)
                    if expected is None:
                        assert signal_of(mapping, page * PAGE) == SIGBUS
                    else:
                        assert mapping.load(page * PAGE, PAGE) == expected

    check()
