"""System V message queues without an event loop: types, room, hand-over, permissions."""

from __future__ import annotations

import errno

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.sysv.identifiers import IPC_CREAT, IPC_NOWAIT, IPC_RMID, IPC_SET, IPC_STAT
from asyncipc.kernel.sysv.message_calls import (
    MSG_COPY,
    MSG_EXCEPT,
    MSG_NOERROR,
    ReceiveTyped,
    SendTyped,
)
from asyncipc.kernel.sysv.messages import QueueStatus, TypedQueue
from tests.kernel.helpers import failure, refused
from tests.kernel.queues import Served


class Machine:
    """A kernel with one queue, ``id``, and calls by their C names."""

    def __init__(self, prompt: bool = True, mode: int = 0o600) -> None:
        self.kernel = Kernel()
        self.process = self.new_process()
        self.prompt = prompt
        self.queues = self.kernel.system_v_messages
        self.id = self.queues.get(self.process, 0, IPC_CREAT | mode)

    def new_process(self, uid: int = 0) -> Process:
        process = self.kernel.first_process("p", Console(self.kernel, lambda _: None))
        process.uid = process.gid = uid
        return process

    @property
    def queue(self) -> TypedQueue:
        return self.queues[self.id]

    def snd(self, kind: int, data: bytes | bytearray, by: Process | None = None) -> Served:
        verb = SendTyped(self.queues, by or self.process, self.id, kind, data, 0)
        return Served(verb, prompt=self.prompt)

    def rcv(
        self, kind: int = 0, flags: int = 0, size: int = 10, by: Process | None = None
    ) -> Served:
        verb = ReceiveTyped(self.queues, by or self.process, self.id, size, kind, flags)
        return Served(verb, prompt=self.prompt)

    def stat(self) -> QueueStatus:
        status = self.queues.control(self.process, self.id, IPC_STAT, None)
        assert status is not None
        return status

    def set(self, by: Process | None = None, **changes: int) -> None:
        status = self.queue.status()._replace(**changes)
        self.queues.control(by or self.process, self.id, IPC_SET, status)

    def fill(self) -> None:
        for _ in range(2):
            self.snd(1, b"f" * 8192)


@pytest.fixture
def machine() -> Machine:
    return Machine()


# -- which message


def test_receivers_choose_by_type(machine: Machine) -> None:
    for kind, data in ((3, b"c"), (1, b"a"), (2, b"b"), (1, b"a2"), (3, b"c2")):
        machine.snd(kind, data)
    assert machine.rcv(-2).result == (1, b"a")
    assert machine.rcv(3, MSG_EXCEPT).result == (2, b"b")
    assert machine.rcv(3).result == (3, b"c")
    assert machine.rcv(0, MSG_EXCEPT).result == (1, b"a2"), "0 is any type"
    assert machine.rcv(-2).asleep
    assert machine.rcv(-(2**63)).result == (3, b"c2")


def test_too_long_a_message_stays_or_is_cut(machine: Machine) -> None:
    machine.snd(1, b"hello")
    assert machine.rcv(size=2).result == errno.E2BIG
    assert machine.rcv(0, MSG_NOERROR, 2).result == (1, b"he")
    assert machine.stat().msg_qnum == 0


def test_msg_copy_looks_at_a_place_and_takes_nothing(machine: Machine) -> None:
    machine.snd(3, b"c")
    machine.snd(1, b"aaa")
    copying = MSG_COPY | IPC_NOWAIT
    assert machine.rcv(1, copying).result == (1, b"aaa")
    assert machine.rcv(1, copying, 2).result == errno.E2BIG
    assert machine.rcv(1, copying | MSG_NOERROR, 2).result == errno.EINVAL
    assert machine.rcv(2, copying).result == machine.rcv(-1, copying).result == errno.ENOMSG
    assert machine.rcv(0, MSG_COPY).result == errno.EINVAL
    assert machine.rcv(0, copying | MSG_EXCEPT).result == errno.EINVAL
    assert machine.stat().msg_qnum == 2
    assert machine.stat().msg_lrpid == 0


def test_what_is_no_message_or_no_queue_is_einval(machine: Machine) -> None:
    for kind, size in ((0, 0), (-1, 0), (1, 8193)):
        assert machine.snd(kind, bytes(size)).result == errno.EINVAL
    for size in (-1, 2**63):
        assert machine.rcv(size=size).result == errno.EINVAL
    machine.id = 99
    assert machine.snd(1, b"").result == machine.rcv().result == errno.EINVAL


# -- room


def test_empty_messages_enter_a_queue_that_is_full_of_bytes(machine: Machine) -> None:
    machine.fill()
    assert machine.snd(1, b"x").asleep
    assert not machine.snd(1, b"").asleep
    assert machine.stat()[-5:-2] == (16384, 3, 16384)


def test_it_holds_as_many_messages_as_bytes(machine: Machine) -> None:
    machine.set(msg_qbytes=3)
    assert [machine.snd(1, b"").asleep for _ in range(5)] == [False, False, False, True, True]


def test_whoever_fits_comes_in_and_who_does_not_goes_to_the_end(machine: Machine) -> None:
    """As measured: 100 bytes are freed, then 8092."""
    for kind, size in ((9, 8192), (8, 8092), (7, 100)):
        machine.snd(kind, bytes(size))
    a, b, c, d = (machine.snd(1, bytes(size)) for size in (5000, 90, 4000, 60))
    machine.rcv(7, 0, 100)
    assert [each.asleep for each in (a, b, c, d)] == [True, False, True, True]
    machine.rcv(8, 0, 8192)
    assert [each.asleep for each in (a, c, d)] == [False, True, False]
    assert machine.stat().msg_cbytes == 8192 + 90 + 5000 + 60
    machine.rcv(9, 0, 8192)
    assert not c.asleep


def test_a_woken_sender_that_is_cancelled_keeps_nobody_out() -> None:
    machine = Machine(prompt=False)
    machine.fill()
    first, second = machine.snd(1, b"1"), machine.snd(2, b"2")
    machine.rcv(0, 0, 8192)
    assert (first.wakes, second.wakes) == (1, 1)
    first.cancel()
    assert second.attempt()
    assert machine.rcv(2).result == (2, b"2")


def test_a_sender_that_was_refused_again_stands_at_the_end() -> None:
    machine = Machine(prompt=False)
    machine.fill()
    first, second = machine.snd(1, bytes(5000)), machine.snd(2, bytes(5000))
    machine.rcv(0, 0, 8192)
    assert machine.snd(3, bytes(5000)).asleep is False, "a newcomer may be quicker"
    assert not first.attempt()
    assert not second.attempt()
    assert [sending._waiter for sending in machine.queue.senders] == [first, second]


# -- sleeping receivers


@pytest.mark.parametrize("prompt", [True, False])
def test_a_message_is_handed_to_the_first_sleeper_whom_it_suits(prompt: bool) -> None:
    machine = Machine(prompt)
    sleepers = [machine.rcv(-5), machine.rcv(3), machine.rcv(3, MSG_EXCEPT)]
    for kind, data in ((3, b"x"), (3, b"y"), (3, b"z"), (9, b"n")):
        machine.snd(kind, data)
    assert machine.stat().msg_qnum == 1
    assert prompt or all(sleeper.attempt() for sleeper in reversed(sleepers))
    assert [sleeper.result for sleeper in sleepers] == [(3, b"x"), (3, b"y"), (9, b"n")]
    assert machine.rcv().result == (3, b"z")


@pytest.mark.parametrize("prompt", [True, False])
def test_a_sleeper_with_too_small_a_buffer_wakes_with_e2big_and_the_next_is_asked(
    prompt: bool,
) -> None:
    machine = Machine(prompt)
    small, ok, cut = machine.rcv(7, 0, 2), machine.rcv(7), machine.rcv(7, MSG_NOERROR, 2)
    machine.snd(7, b"hello")
    machine.snd(7, b"world")
    assert prompt or (small.attempt() and ok.attempt() and cut.attempt())
    assert [each.result for each in (small, ok, cut)] == [errno.E2BIG, (7, b"hello"), (7, b"wo")]
    assert machine.stat().msg_qnum == 0


def test_a_message_must_fit_although_somebody_waits_for_it(machine: Machine) -> None:
    machine.fill()
    sleeper = machine.rcv(7)
    assert machine.snd(7, b"s").asleep
    machine.snd(7, b"")
    assert sleeper.result == (7, b"")


def test_who_leaves_without_its_message_gives_it_back_in_its_place() -> None:
    machine = Machine(prompt=False)
    sleeper = machine.rcv(7)
    other = machine.rcv(8)
    machine.snd(7, b"first")
    machine.snd(7, b"second")
    machine.snd(6, b"third")
    sleeper.cancel()
    assert (sleeper.wakes, other.wakes) == (1, 0)
    assert machine.stat().msg_cbytes == 16
    got = [machine.rcv().result for _ in range(3)]
    assert got == [(7, b"first"), (7, b"second"), (6, b"third")]


def test_what_is_given_back_goes_to_the_next_whom_it_suits() -> None:
    machine = Machine(prompt=False)
    first, other, second = machine.rcv(7), machine.rcv(8), machine.rcv(-7)
    machine.snd(7, b"x")
    first.cancel()
    assert second.attempt()
    assert second.result == (7, b"x")
    assert other.asleep


# -- control


def test_its_status_tells_who_did_what(machine: Machine) -> None:
    sender, receiver = machine.new_process(), machine.new_process()
    assert machine.stat() == (0, 0, 0, 0, 0, 0o600, 0, 0, 0, 0, 0, 16384, 0, 0)
    machine.snd(1, b"abc", by=sender)
    machine.rcv(by=receiver)
    assert machine.stat()[-2:] == (sender.pid, receiver.pid)
    machine.rcv(by=sender)
    machine.snd(1, b"abc", by=receiver)
    assert machine.stat()[-2:] == (receiver.pid, sender.pid)


def test_removal_ends_every_sleep_with_eidrm_and_every_later_call_with_einval(
    machine: Machine,
) -> None:
    machine.fill()
    sleepers = [machine.snd(1, b"x"), machine.snd(1, b"y"), machine.rcv(7), machine.rcv(8)]
    queues, process = machine.queues, machine.process
    queues.control(process, machine.id, IPC_RMID, None)
    assert [sleeper.result for sleeper in sleepers] == [errno.EIDRM] * 4
    for command, error in ((IPC_RMID, "EINVAL"), (IPC_STAT, "EINVAL"), (IPC_SET, "EFAULT")):
        assert failure(queues.control, process, machine.id, command, None) == error
    assert machine.rcv().result == errno.EINVAL


def test_what_a_removed_queues_sleeper_was_given_is_gone_with_it() -> None:
    machine = Machine(prompt=False)
    given, waiting = machine.rcv(7), machine.rcv(7)
    machine.snd(7, b"x")
    machine.queues.control(machine.process, machine.id, IPC_RMID, None)
    given.cancel()
    assert waiting.attempt()
    assert waiting.result == errno.EIDRM


def test_the_limit_may_be_lowered_and_not_raised_above_msgmnb(machine: Machine) -> None:
    machine.set(msg_qbytes=4)
    sender = machine.snd(1, b"12345")
    assert sender.asleep
    assert failure(lambda: machine.set(msg_qbytes=16385)) == "EPERM"
    machine.set(msg_qbytes=16384)
    assert not sender.asleep


def test_permissions_are_asked_of_each_call_and_of_who_sleeps_when_they_change() -> None:
    machine = Machine(mode=0o606)
    user = machine.new_process(uid=1000)
    assert machine.snd(1, b"x", by=user).result is None
    assert machine.rcv(by=user).result == (1, b"x")
    reader, kept = machine.rcv(by=user), machine.rcv()
    machine.set(mode=0o600)
    assert reader.result == errno.EACCES
    assert kept.asleep
    assert machine.snd(1, b"x", by=user).result == errno.EACCES
    queues = machine.queues
    assert failure(queues.control, user, machine.id, IPC_STAT, None) == "EACCES"
    assert failure(queues.control, user, machine.id, IPC_RMID, None) == "EPERM"
    assert failure(lambda: machine.set(user, msg_qbytes=1)) == "EPERM"
    machine.set(uid=1000)
    machine.set(user, msg_qbytes=1)
    assert failure(lambda: machine.set(user, msg_qbytes=16385)) == "EPERM"


@pytest.mark.parametrize("prompt", [True, False])
def test_a_sleeping_sender_whose_message_does_not_fit_is_asked_nothing(prompt: bool) -> None:
    machine = Machine(prompt, mode=0o606)
    user = machine.new_process(uid=1000)
    machine.fill()
    sender = machine.snd(1, b"y" * 8192, by=user)
    machine.snd(2, b"")
    machine.set(mode=0o600)
    machine.rcv(2)
    assert sender.asleep
    assert not sender.wakes, "it does not fit: nobody asks whether it may"
    machine.rcv(0, 0, 8192)
    assert sender.asleep is False or sender.attempt()
    assert sender.result == errno.EACCES


def test_who_does_not_fit_goes_behind_who_fits_and_is_not_quick_enough(machine: Machine) -> None:
    """ss_wakeup() moves it at once, and who was woken in vain comes after."""
    machine.fill()
    fits, slow, large = (machine.snd(1, bytes(size)) for size in (5000, 5000, 8193 - 1))
    machine.set(msg_qbytes=16384 - 100)
    machine.rcv(0, 0, 8192)
    assert not fits.asleep
    assert [sending._waiter for sending in machine.queue.senders] == [large, slow]


def test_the_octets_of_a_message_are_those_of_the_call(machine: Machine) -> None:
    machine.fill()
    data = bytearray(b"old")
    sender = machine.snd(2, data)
    data[:] = b"newer"
    machine.rcv(1, 0, 8192)
    assert not sender.asleep
    assert machine.rcv(2).result == (2, b"old")


def test_nobody_can_be_made_the_owner(machine: Machine) -> None:
    for changes in ({"uid": -1}, {"gid": 2**32 - 1}):
        assert failure(lambda changes=changes: machine.set(**changes, mode=0o777)) == "EINVAL"
    assert machine.stat().mode == 0o600, "nothing has changed"
    machine.set(uid=-2)
    assert machine.stat().uid == 2**32 - 2


def test_other_commands_are_refused(machine: Machine) -> None:
    queues, process = machine.queues, machine.process
    assert failure(queues.control, process, machine.id, 99, None) == "EINVAL"
    assert failure(queues.control, process, machine.id, IPC_SET, None) == "EFAULT"
    for command in (3, 11, 12, 13):
        with pytest.raises(Unsupported, match="msgctl"):
            queues.control(process, machine.id, command, None)


def test_a_key_leads_to_it(machine: Machine) -> None:
    queues, process = machine.queues, machine.process
    found = queues.get(process, 5, IPC_CREAT | 0o600)
    assert queues.get(process, 5, 0) == found != machine.id
    assert refused(ReceiveTyped(queues, process, found, 1, 0, 0))
