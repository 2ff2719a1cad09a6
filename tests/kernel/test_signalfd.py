from __future__ import annotations

import struct
from signal import SIGCHLD, SIGKILL, SIGUSR1, SIGUSR2

import pytest

from asyncipc.kernel.anonymous.signalfd import RECORD_SIZE, SignalFile
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel, exit_status
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.signals.disposition import bits
from asyncipc.kernel.waitqueue import WouldBlock
from tests.kernel.helpers import failure, refused, sleep_in

REALTIME = 40
ALL = bits((SIGUSR1, SIGUSR2, REALTIME, SIGCHLD))


class Machine:
    """A kernel, and who of it calls."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.process = self.kernel.first_process("main", Console(self.kernel, lambda _: None))
        self.process.main.block(ALL)
        self.calling(self.process)
        self.file = self.kernel.anonymous.signalfd(ALL, 0)

    def calling(self, process: Process) -> None:
        self.kernel.caller = lambda: (process, process.main)

    def send(self, signal: int) -> None:
        self.kernel.kill(self.process, self.process.pid, signal)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def signals(data: bytes | WouldBlock) -> list[int]:
    assert isinstance(data, bytes)
    return [record[0] for record in struct.iter_unpack("<I124x", data)]


def test_it_gives_what_is_pending_lowest_number_first(machine: Machine) -> None:
    for signal in (REALTIME, SIGUSR2, SIGUSR1, REALTIME):
        machine.send(signal)
    assert machine.file.poll() == IN
    assert signals(machine.file.read(2 * RECORD_SIZE + 50)) == [SIGUSR1, SIGUSR2]
    assert signals(machine.file.read(9 * RECORD_SIZE)) == [REALTIME, REALTIME]
    assert refused(machine.file.read, RECORD_SIZE)
    assert machine.file.poll() == 0


def test_each_process_sees_its_own_signals(machine: Machine) -> None:
    machine.send(SIGUSR1)
    child = machine.kernel.fork(machine.process, "child")
    machine.calling(child)
    assert machine.file.poll() == 0
    reader, _ = sleep_in(machine.file.read, RECORD_SIZE)
    machine.kernel.kill(machine.process, child.pid, SIGUSR2)
    assert reader.wakes == 1
    assert signals(machine.file.read(RECORD_SIZE)) == [SIGUSR2]
    machine.calling(machine.process)
    assert signals(machine.file.read(RECORD_SIZE)) == [SIGUSR1]


def test_another_mask_shows_other_signals(machine: Machine) -> None:
    file = SignalFile(machine.kernel, bits((SIGUSR1,)), 0)
    machine.send(SIGUSR2)
    reader, _ = sleep_in(file.read, RECORD_SIZE)
    file.set_mask(bits((SIGUSR2, SIGKILL)))
    assert reader.wakes == 1
    assert file.mask == bits((SIGUSR2,))
    assert signals(file.read(RECORD_SIZE)) == [SIGUSR2]


def test_a_record_is_laid_out_as_linux_lays_it_out(machine: Machine) -> None:
    pid = machine.process.pid
    machine.kernel.delivery.queue(machine.process, pid, REALTIME, 0x1_00000005)
    data = machine.file.read(RECORD_SIZE)
    assert isinstance(data, bytes)
    words = dict(enumerate(struct.unpack("<32I", data)))
    expected = {0: 40, 2: 2**32 - 1, 3: pid, 11: 5, 12: 5, 13: 1}
    assert {at: word for at, word in words.items() if word} == expected


def test_the_end_of_a_child_tells_its_status(machine: Machine) -> None:
    child = machine.kernel.fork(machine.process, "child")
    machine.kernel.end(child, exit_status(9))
    data = machine.file.read(RECORD_SIZE)
    assert isinstance(data, bytes)
    assert struct.unpack_from("<IiiI", data) == (SIGCHLD, 0, 1, child.pid)
    assert struct.unpack_from("<i", data, 40) == (9,)


def test_wrong_arguments_fail_as_linux_says(machine: Machine) -> None:
    assert failure(machine.kernel.anonymous.signalfd, ALL, 1) == "EINVAL"
    assert failure(machine.file.read, RECORD_SIZE - 1) == "EINVAL"
    assert failure(machine.file.write, bytes(RECORD_SIZE)) == "EINVAL"
