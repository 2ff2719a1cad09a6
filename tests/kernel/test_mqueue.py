"""POSIX message queues without an event loop: order, hand-over, limits, names, notification."""

from __future__ import annotations

import errno

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.mqueue.calls import ReceiveMessage, SendMessage
from asyncipc.kernel.mqueue.file import MessageQueueFile
from asyncipc.kernel.mqueue.notification import (
    SIGEV_NONE,
    SIGEV_THREAD,
    SignalEvent,
)
from asyncipc.kernel.mqueue.queue import QueueAttributes
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.readiness import IN, OUT, READABLE, WRITABLE
from asyncipc.kernel.signals.disposition import SI_MESGQ, Action
from tests.kernel.helpers import failure, refused
from tests.kernel.queues import Looking, Served

O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_NONBLOCK = 0, 1, 2, 0o100, 0o200, 0o4000
SIGUSR1 = 10


class Machine:
    """A kernel, a process on it, and calls by their C names."""

    def __init__(self, prompt: bool = True) -> None:
        self.kernel = Kernel()
        self.process = self.new_process()
        self.prompt = prompt

    def new_process(self, uid: int = 0) -> Process:
        process = self.kernel.first_process("p", Console(self.kernel, lambda _: None))
        process.uid = process.gid = uid
        process.set_action(SIGUSR1, Action(lambda *_: None))
        return process

    def open(
        self,
        name: bytes = b"/q",
        flags: int = O_CREAT | O_RDWR,
        maxmsg: int = 3,
        msgsize: int = 16,
        *,
        mode: int = 0o600,
        by: Process | None = None,
    ) -> MessageQueueFile:
        process = by or self.process
        attributes = QueueAttributes(0, maxmsg, msgsize)
        file = self.kernel.message_queues.open(process, name, flags, mode, attributes)
        process.table.open(file, cloexec=True)
        return file

    def unlink(self, name: bytes = b"/q", by: Process | None = None) -> None:
        self.kernel.message_queues.unlink(by or self.process, name)

    def send(self, file: MessageQueueFile, data: bytes, priority: int = 0) -> Served:
        return Served(SendMessage(file, self.process, data, priority), prompt=self.prompt)

    def receive(self, file: MessageQueueFile, size: int = 16) -> Served:
        return Served(ReceiveMessage(file, size), prompt=self.prompt)

    def fd_of(self, file: MessageQueueFile, process: Process | None = None) -> int:
        table = (process or self.process).table
        return next(entry.fd for entry in table if entry.file is file)


@pytest.fixture
def machine() -> Machine:
    return Machine()


def pending(process: Process) -> bool:
    return bool(process.pending.bits)


# -- messages


def test_the_highest_priority_comes_first_and_then_the_oldest(machine: Machine) -> None:
    q = machine.open(maxmsg=10)
    for data, priority in ((b"a", 0), (b"b", 5), (b"c", 0), (b"d", 32767), (b"e", 5)):
        machine.send(q, data, priority)
    got = [machine.receive(q).result for _ in range(5)]
    assert got == [(b"d", 32767), (b"b", 5), (b"e", 5), (b"a", 0), (b"c", 0)]


def test_sizes_are_checked_both_ways_whatever_is_there(machine: Machine) -> None:
    q = machine.open()
    assert machine.send(q, b"x" * 17).result == errno.EMSGSIZE
    assert machine.receive(q, 15).result == errno.EMSGSIZE, "although the queue is empty"
    assert machine.send(q, b"").result is None
    assert machine.receive(q, 16).result == (b"", 0)


def test_the_wrong_direction_and_other_files_are_ebadf(machine: Machine) -> None:
    machine.open()
    r, w = machine.open(flags=O_RDONLY), machine.open(flags=O_WRONLY)
    console = machine.process.table[0].file
    assert machine.send(r, b"").result == errno.EBADF
    assert machine.receive(w).result == errno.EBADF
    assert failure(ReceiveMessage(console, 16)) == "EBADF"
    assert failure(SendMessage(console, machine.process, b"", 0)) == "EBADF"


@pytest.mark.parametrize("priority", [-1, 32768])
def test_a_bad_priority_is_einval_before_all_else(machine: Machine, priority: int) -> None:
    console = machine.process.table[0].file
    assert failure(SendMessage(console, machine.process, b"x" * 99, priority)) == "EINVAL"


def test_who_has_no_time_left_still_acts_if_it_can(machine: Machine) -> None:
    q = machine.open(maxmsg=1)
    assert failure(ReceiveMessage(q, 16, expired=True)) == "ETIMEDOUT"
    assert SendMessage(q, machine.process, b"x", 0, expired=True)() is None
    assert failure(SendMessage(q, machine.process, b"y", 0, expired=True)) == "ETIMEDOUT"
    assert ReceiveMessage(q, 16, expired=True)() == (b"x", 0)
    q.set_queue_flags(O_NONBLOCK)
    assert refused(ReceiveMessage(q, 16, expired=True)), "EAGAIN comes first"


# -- sleepers


@pytest.mark.parametrize("prompt", [True, False])
def test_sleeping_receivers_are_handed_messages_in_the_order_they_came(prompt: bool) -> None:
    machine = Machine(prompt)
    q = machine.open()
    first, second = machine.receive(q), machine.receive(q)
    machine.send(q, b"low", 1)
    machine.send(q, b"high", 9)
    assert len(q.queue) == 0, "they never were in the queue"
    if not prompt:
        assert second.attempt()
        assert first.attempt()
    assert (first.result, second.result) == ((b"low", 1), (b"high", 9))


def test_a_message_in_somebodys_hands_takes_no_room_and_is_nobody_elses() -> None:
    machine = Machine(prompt=False)
    q = machine.open(maxmsg=1)
    sleeper = machine.receive(q)
    machine.send(q, b"handed")
    assert not machine.send(q, b"queued").asleep
    assert machine.receive(q).result == (b"queued", 0)
    assert sleeper.attempt()
    assert sleeper.result == (b"handed", 0)


def test_who_leaves_without_its_message_gives_it_to_the_next() -> None:
    machine = Machine(prompt=False)
    q = machine.open()
    first, second = machine.receive(q), machine.receive(q)
    machine.send(q, b"x", 3)
    first.cancel()
    assert (first.wakes, second.wakes) == (1, 1)
    assert second.attempt()
    assert second.result == (b"x", 3)


def test_with_no_next_it_lies_in_its_old_place_and_pollers_are_told() -> None:
    machine = Machine(prompt=False)
    q = machine.open(maxmsg=1)
    sleeper, poller = machine.receive(q), Looking()
    q.queue.changes.watch(poller)
    machine.send(q, b"older")
    assert poller.wakes == 0
    machine.send(q, b"newer")
    sleeper.cancel()
    assert poller.wakes == 2
    assert len(q.queue) == 2, "one more than maxmsg: nothing is lost"
    assert q.poll() == READABLE
    assert [machine.receive(q).result for _ in range(2)] == [(b"older", 0), (b"newer", 0)]


@pytest.mark.parametrize("prompt", [True, False])
def test_sleeping_senders_come_in_in_the_order_they_came_whatever_their_priority(
    prompt: bool,
) -> None:
    machine = Machine(prompt)
    q = machine.open(maxmsg=1)
    machine.send(q, b"full")
    low, high = machine.send(q, b"low", 1), machine.send(q, b"high", 9)
    assert machine.receive(q).result == (b"full", 0)
    assert prompt or low.attempt()
    assert high.asleep
    assert machine.receive(q).result == (b"low", 1)
    assert prompt or high.attempt()
    assert machine.receive(q).result == (b"high", 9)


def test_the_message_of_a_sleeping_sender_comes_in_before_its_task_runs() -> None:
    machine = Machine(prompt=False)
    q = machine.open(maxmsg=1)
    machine.send(q, b"full")
    first, second = machine.send(q, b"1"), machine.send(q, b"2")
    machine.receive(q)
    assert refused(SendMessage(q, machine.process, b"newcomer", 0)), "it would overtake"
    assert first.cancel(), "too late"
    assert machine.receive(q).result == (b"1", 0)
    assert machine.receive(q).result == (b"2", 0)
    assert second.attempt()
    assert second.result is None
    assert not len(q.queue)


@pytest.mark.parametrize("prompt", [True, False])
def test_a_sender_that_is_on_its_way_already_is_passed_over_and_tries_for_itself(
    prompt: bool,
) -> None:
    machine = Machine(prompt)
    q = machine.open(maxmsg=1)
    machine.send(q, b"full")
    stopped, second = machine.send(q, b"1"), machine.send(q, b"2")
    stopped.wake()
    machine.receive(q)
    assert not stopped.attempt()
    assert machine.receive(q).result == (b"2", 0)
    assert second.asleep is False or second.attempt()
    assert stopped.asleep is False or stopped.attempt()
    assert machine.receive(q).result == (b"1", 0)


@pytest.mark.parametrize("prompt", [True, False])
def test_a_receiver_that_is_on_its_way_already_is_passed_over_and_tries_for_itself(
    prompt: bool,
) -> None:
    machine = Machine(prompt)
    q = machine.open(maxmsg=1)
    stopped, cancelled, second = machine.receive(q), machine.receive(q), machine.receive(q)
    stopped.wake()
    cancelled.wake()
    assert machine.send(q, b"1").result is None
    assert second.asleep is False or second.attempt()
    assert second.result == (b"1", 0)
    assert machine.send(q, b"2").result is None
    assert len(q.queue) == 1
    assert machine.send(q, b"3").asleep, "it is full"
    cancelled.cancel()
    assert stopped.attempt()
    assert stopped.result == (b"2", 0)
    assert len(q.queue) == 1


# -- pollers


def test_poll_tells_messages_and_room_whatever_it_was_opened_for(machine: Machine) -> None:
    machine.open(maxmsg=2)
    w, r = machine.open(flags=O_WRONLY), machine.open(flags=O_RDONLY)
    assert r.poll() == WRITABLE
    machine.send(w, b"1")
    assert w.poll() == READABLE | WRITABLE
    machine.send(w, b"2")
    assert w.poll() == r.poll() == READABLE


def test_pollers_are_told_of_what_enters_and_leaves_and_not_of_what_is_handed_over(
    machine: Machine,
) -> None:
    q, poller = machine.open(maxmsg=1), Looking()
    (changes,) = q.queues(IN | OUT)
    changes.watch(poller)
    machine.receive(q)
    machine.send(q, b"handed over")
    assert poller.wakes == 0
    machine.send(q, b"queued")
    assert poller.wakes == 1
    machine.send(q, b"slides in")
    machine.receive(q)
    assert poller.wakes == 1
    machine.receive(q)
    assert poller.wakes == 2


# -- notification


def test_a_message_into_an_empty_queue_notifies_once(machine: Machine) -> None:
    q, sender = machine.open(), machine.new_process()
    q.notify_process(machine.process, SignalEvent(SIGUSR1, 77))
    SendMessage(q, sender, b"x", 0)()
    info = machine.process.pending.take(-1)
    assert info is not None
    assert (info.si_signo, info.si_code, info.si_value) == (SIGUSR1, SI_MESGQ, 77)
    assert (info.si_pid, info.si_uid) == (sender.pid, 0)
    machine.receive(q)
    machine.send(q, b"y")
    assert not pending(machine.process), "it was used up"


def test_nothing_is_notified_when_somebody_sleeps_or_the_queue_is_not_empty(
    machine: Machine,
) -> None:
    q = machine.open(maxmsg=2)
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    machine.receive(q)
    machine.send(q, b"handed over")
    assert not pending(machine.process)
    machine.send(q, b"first")
    assert pending(machine.process)
    machine.process.pending.take(-1)
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    machine.send(q, b"second")
    assert not pending(machine.process)


def test_a_sleeping_senders_message_that_slides_into_an_emptied_queue_notifies_nobody(
    machine: Machine,
) -> None:
    q = machine.open(maxmsg=1)
    machine.send(q, b"1")
    machine.send(q, b"2")
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    assert machine.receive(q).result == (b"1", 0)
    assert not pending(machine.process)
    machine.receive(q)
    machine.send(q, b"3")
    assert pending(machine.process)


@pytest.mark.parametrize("prompt", [True, False])
def test_a_sender_that_came_late_into_an_emptied_queue_tells_as_any_other(prompt: bool) -> None:
    """It was in a handler when there was room, and begins anew."""
    machine = Machine(prompt)
    q, poller = machine.open(maxmsg=1), Looking()
    machine.send(q, b"1")
    sender = machine.send(q, b"2")
    refusal = sender.refusal
    assert refusal is not None
    refusal.line.leave(sender)
    machine.receive(q)
    refusal.line.join(sender)
    q.queue.changes.watch(poller)
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    assert sender.attempt()
    assert poller.wakes == 1
    assert pending(machine.process)


@pytest.mark.parametrize("prompt", [True, False])
def test_a_message_that_comes_in_for_another_notifies_nobody_and_tells_no_poller(
    prompt: bool,
) -> None:
    machine = Machine(prompt)
    q, poller = machine.open(maxmsg=1), Looking()
    q.queue.changes.watch(poller)
    machine.send(q, b"1")
    sender = machine.send(q, b"2")
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    machine.receive(q)
    assert sender.asleep is False or sender.attempt()
    assert not pending(machine.process)
    assert poller.wakes == 1, "of the first"


def test_one_process_may_be_registered_and_only_it_unregisters(machine: Machine) -> None:
    q, other = machine.open(), machine.new_process()
    q.notify_process(machine.process, SignalEvent(0, 0, SIGEV_NONE))
    for process in (machine.process, other):
        assert failure(q.notify_process, process, SignalEvent(SIGUSR1)) == "EBUSY"
    q.notify_process(other, None)
    assert failure(q.notify_process, other, SignalEvent(SIGUSR1)) == "EBUSY"
    q.notify_process(machine.process, None)
    q.notify_process(other, SignalEvent(SIGUSR1))


def test_a_registration_without_signal_is_used_up_as_well(machine: Machine) -> None:
    q = machine.open()
    q.notify_process(machine.process, SignalEvent(0, 0, SIGEV_NONE))
    machine.send(q, b"x")
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    assert not pending(machine.process)


def test_closing_any_descriptor_of_the_queue_unregisters_and_so_does_the_end(
    machine: Machine,
) -> None:
    q, child = machine.open(), machine.kernel.fork(machine.process, "child")
    other = machine.open(flags=O_RDONLY)
    unrelated = machine.open(b"/other")
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    machine.process.table.close(machine.fd_of(unrelated))
    child.table.close(machine.fd_of(q, child))
    assert q.queue.registration is not None
    machine.process.table.close(machine.fd_of(other))
    assert q.queue.registration is None
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    machine.kernel.end(machine.process, 0)
    assert q.queue.registration is None


def test_the_next_program_of_a_process_is_not_told(machine: Machine) -> None:
    q = machine.open()
    machine.process.table[machine.fd_of(q)].cloexec = False
    q.notify_process(machine.process, SignalEvent(SIGUSR1))
    machine.kernel.execute(machine.process, "next")
    machine.process.set_action(SIGUSR1, Action(lambda *_: None))
    assert q.queue.registration is not None
    machine.send(q, b"x")
    assert q.queue.registration is None
    assert not pending(machine.process)


def test_what_is_no_way_to_notify(machine: Machine) -> None:
    q = machine.open()
    for event in (SignalEvent(65), SignalEvent(-1), SignalEvent(SIGUSR1, 0, 7)):
        assert failure(q.notify_process, machine.process, event) == "EINVAL"
    with pytest.raises(Unsupported, match="SIGEV_THREAD"):
        q.notify_process(machine.process, SignalEvent(SIGUSR1, 0, SIGEV_THREAD))
    q.notify_process(machine.process, SignalEvent(0))
    machine.send(q, b"x")
    assert not pending(machine.process), "signal 0 is none"


# -- the descriptor


def test_reading_it_tells_its_status_from_the_offset_on(machine: Machine) -> None:
    q = machine.open(flags=O_CREAT | O_RDWR)
    machine.send(q, b"hello")
    text = b"QSIZE:5          NOTIFY:0     SIGNO:0     NOTIFY_PID:0     \n"
    assert q.read(5) == text[:5]
    assert q.read(500) == text[5:]
    assert q.read(500) == b""
    assert q.seek(0, 0) == 0
    q.notify_process(machine.process, SignalEvent(12))
    pid = b"%-6d" % machine.process.pid
    assert q.read(500) == text.replace(b"SIGNO:0 ", b"SIGNO:12").replace(b"0     \n", pid + b"\n")
    q.notify_process(machine.process, None)
    q.notify_process(machine.process, SignalEvent(12, 0, SIGEV_NONE))
    assert q.read_at(26, 0) == b"QSIZE:5          NOTIFY:1 "
    assert q.seek(0, 2) == 80
    for offset, whence in ((-1, 0), (0, 9)):
        assert failure(q.seek, offset, whence) == "EINVAL"
    assert failure(q.read_at, 1, -1) == "EINVAL"


def test_writing_it_is_an_error(machine: Machine) -> None:
    q, r = machine.open(), machine.open(flags=O_RDONLY)
    w = machine.open(flags=O_WRONLY)
    assert failure(q.write, b"") == failure(q.write_at, b"", 0) == "EINVAL"
    assert failure(r.write, b"") == failure(w.read, 1) == failure(w.read_at, 1, 0) == "EBADF"
    assert failure(q.recv, 1, 0) == "ENOTSOCK"


def test_it_is_a_file_of_80_bytes_until_it_is_truncated(machine: Machine) -> None:
    machine.process.umask = 0o027
    q = machine.open(mode=0o7777)
    assert (q.status().mode, q.status().size, q.status().links) == (0o107750, 80, 1)
    assert failure(machine.open(flags=O_RDONLY).truncate, 0) == "EINVAL"
    q.truncate(0)
    assert q.status().size == 0
    machine.unlink()
    assert q.status().links == 0


def test_o_nonblock_belongs_to_the_open_file(machine: Machine) -> None:
    q, p = machine.open(), machine.open(flags=O_RDWR | O_NONBLOCK)
    assert (q.queue_attributes(), p.queue_attributes()) == ((0, 3, 16, 0), (O_NONBLOCK, 3, 16, 0))
    assert q.set_queue_flags(O_NONBLOCK) == (0, 3, 16, 0)
    assert q.set_queue_flags(0) == (O_NONBLOCK, 3, 16, 0)
    assert failure(q.set_queue_flags, 0o2000) == "EINVAL"


# -- names and limits


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (b"q", "EINVAL"),
        (b"", "EINVAL"),
        (b"/", "ENOENT"),
        (b"/a/b", "EACCES"),
        (b"//a", "EACCES"),
        (b"/a/", "EACCES"),
        (b"/.", "EACCES"),
        (b"/..", "EACCES"),
        (b"/" + b"a" * 255, "no error"),
        (b"/" + b"a" * 256, "ENAMETOOLONG"),
        (b"/" + b"a/" * 3000, "ENAMETOOLONG"),
        (b"/a b\n", "no error"),
    ],
)
def test_names_begin_with_the_only_slash(machine: Machine, name: bytes, error: str) -> None:
    assert failure(machine.open, name) == error
    assert failure(machine.unlink, name) == error


@pytest.mark.parametrize(
    ("maxmsg", "msgsize", "error"),
    [
        (0, 16, "EINVAL"),
        (-1, 16, "EINVAL"),
        (1, 0, "EINVAL"),
        (10, 8192, "no error"),
        (11, 16, "EINVAL"),
        (1, 8193, "EINVAL"),
    ],
)
def test_attributes_have_limits_that_count_when_it_is_made(
    machine: Machine, maxmsg: int, msgsize: int, error: str
) -> None:
    assert failure(machine.open, b"/new", O_CREAT, maxmsg, msgsize) == error
    machine.open(b"/there")
    assert machine.open(b"/there", O_CREAT | O_RDWR, maxmsg, msgsize).queue_attributes()[1:3] == (
        3,
        16,
    )


def test_o_creat_and_o_excl(machine: Machine) -> None:
    assert failure(machine.open, b"/q", O_RDWR) == "ENOENT"
    machine.open(flags=O_CREAT | O_EXCL | O_RDWR)
    assert failure(machine.open, b"/q", O_CREAT | O_EXCL) == "EEXIST"
    assert machine.open(flags=O_EXCL | O_RDWR)
    assert failure(machine.open, b"/q", 3) == "EINVAL"
    neither = machine.open(b"/new", O_CREAT | 3)
    assert machine.send(neither, b"").result == machine.receive(neither).result == errno.EBADF


def test_the_mode_bits_decide_who_opens_and_the_owner_unlinks(machine: Machine) -> None:
    machine.open(mode=0o644)
    user = machine.new_process(uid=1000)
    machine.open(flags=O_RDONLY, by=user)
    for flags in (O_WRONLY, O_RDWR, O_CREAT | O_RDWR):
        assert failure(lambda flags=flags: machine.open(flags=flags, by=user)) == "EACCES"
    assert failure(lambda: machine.open(flags=O_CREAT | O_EXCL, by=user)) == "EEXIST"
    assert failure(machine.unlink, b"/q", user) == "EACCES"
    machine.open(b"/own", by=user)
    machine.unlink(b"/own", user)
    assert failure(machine.unlink, b"/own", user) == "ENOENT"


def test_messages_stay_without_any_descriptor_and_a_new_one_of_the_name_is_another(
    machine: Machine,
) -> None:
    q = machine.open()
    machine.send(q, b"kept")
    machine.process.table.close(machine.fd_of(q))
    q = machine.open(flags=O_RDWR)
    machine.unlink()
    assert q.describe() == "/q (deleted)"
    assert machine.receive(machine.open()).asleep
    assert machine.receive(q).result == (b"kept", 0)


def test_a_users_queues_may_hold_so_many_bytes_until_they_are_gone(machine: Machine) -> None:
    files = [machine.open(b"/%d" % n, maxmsg=10, msgsize=8192) for n in range(9)]
    assert failure(machine.open, b"/9", O_CREAT, 10, 8192) == "EMFILE"
    machine.open(b"/small", maxmsg=1, msgsize=1)
    machine.open(b"/of another", maxmsg=10, msgsize=8192, by=machine.new_process(uid=7))
    machine.unlink(b"/0")
    assert failure(machine.open, b"/9", O_CREAT, 10, 8192) == "EMFILE", "it is still open"
    machine.process.table.close(machine.fd_of(files[0]))
    machine.open(b"/9", maxmsg=10, msgsize=8192)


def test_there_are_256_queues_and_that_is_asked_before_the_attributes(machine: Machine) -> None:
    for number in range(256):
        machine.open(b"/%d" % number, maxmsg=1, msgsize=1)
    assert failure(machine.open, b"/more", O_CREAT, 0, 0) == "ENOSPC"
    machine.open(b"/7")


def test_it_names_those_who_could_end_a_wait(machine: Machine) -> None:
    machine.open()
    r, w = machine.open(flags=O_RDONLY), machine.open(flags=O_WRONLY)
    assert w in r.wakers(IN)
    assert r not in r.wakers(IN)
    assert r in w.wakers(OUT)
    assert list(machine.kernel.message_queues) == [r.queue]
