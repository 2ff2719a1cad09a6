"""Both kinds of message queues against plain models, over random programs.

Sleepers that can be served in their sleep (trio) must do exactly as the model.
Among those who try by themselves (asyncio) the order of attempts is free; there
nothing may be lost, doubled or stranded.
"""

from __future__ import annotations

import errno
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.mqueue.calls import ReceiveMessage, SendMessage
from asyncipc.kernel.mqueue.queue import QueueAttributes
from asyncipc.kernel.sysv.identifiers import IPC_CREAT
from asyncipc.kernel.sysv.message_calls import MSG_EXCEPT, MSG_NOERROR, ReceiveTyped, SendTyped
from tests.kernel.queues import Served

MAXMSG = 2
QBYTES = 12
kinds = st.integers(1, 4)
which = st.integers(0, 99)


class PosixQueue(RuleBasedStateMachine):
    """One POSIX queue of two messages.  ``expected``: what each call should have got."""

    prompt = True

    def __init__(self) -> None:
        super().__init__()
        kernel = Kernel()
        self.process = kernel.first_process("p", Console(kernel, lambda _: None))
        attributes = QueueAttributes(0, MAXMSG, 8)
        queues = kernel.message_queues
        self.file = queues.open(self.process, b"/q", 0o102, 0o600, attributes)
        self.number = 0
        self.messages: list[tuple[int, int, bytes]] = []
        self.senders: list[tuple[Served, tuple[int, int, bytes]]] = []
        self.receivers: list[Served] = []
        self.expected: list[tuple[Served, object]] = []

    def arrives(self, message: tuple[int, int, bytes]) -> None:
        if self.receivers:
            self.expected.append((self.receivers.pop(0), (message[2], -message[0])))
        else:
            self.messages.append(message)

    @rule(priority=st.integers(0, 3))
    def send(self, priority: int) -> None:
        self.number += 1
        data = str(self.number).encode()
        message = -priority, self.number, data
        call = Served(SendMessage(self.file, self.process, data, priority))
        if len(self.messages) < MAXMSG:
            self.arrives(message)
            self.expected.append((call, None))
        else:
            self.senders.append((call, message))

    @rule()
    def receive(self) -> None:
        call = Served(ReceiveMessage(self.file, 8))
        if not self.messages:
            self.receivers.append(call)
            return
        first = min(self.messages)
        self.messages.remove(first)
        self.expected.append((call, (first[2], -first[0])))
        if self.senders:
            sender, message = self.senders.pop(0)
            # its number is that of its coming in, behind those of its priority
            self.number += 1
            self.messages.append((message[0], self.number, message[2]))
            self.expected.append((sender, None))

    @rule(index=which)
    def cancel_a_sender(self, index: int) -> None:
        if self.senders:
            self.senders.pop(index % len(self.senders))[0].cancel()

    @rule(index=which)
    def cancel_a_receiver(self, index: int) -> None:
        if self.receivers:
            self.receivers.pop(index % len(self.receivers)).cancel()

    @invariant()
    def agrees(self) -> None:
        for call, result in self.expected:
            assert not call.asleep
            assert call.result == result
        self.expected.clear()
        assert len(self.file.queue) == len(self.messages)
        for sleeper in self.receivers + [sender for sender, _ in self.senders]:
            assert sleeper.asleep


class TypedQueueModel(RuleBasedStateMachine):
    """One System V queue of twelve bytes."""

    def __init__(self) -> None:
        super().__init__()
        kernel = Kernel()
        self.process = kernel.first_process("p", Console(kernel, lambda _: None))
        self.queues = kernel.system_v_messages
        self.id = self.queues.get(self.process, 0, IPC_CREAT | 0o600)
        self.queue = self.queues[self.id]
        self.queue.limit = QBYTES
        self.messages: list[tuple[int, bytes]] = []
        self.senders: list[tuple[Served, tuple[int, bytes]]] = []
        self.receivers: list[tuple[Served, int, int, int]] = []
        self.expected: list[tuple[Served, object]] = []

    def fits(self, data: bytes) -> bool:
        used = sum(len(each) for _, each in self.messages)
        return used + len(data) <= QBYTES and len(self.messages) < QBYTES

    @staticmethod
    def wants(kind: int, flags: int, message: tuple[int, bytes]) -> bool:
        if kind < 0:
            return message[0] <= -kind
        if kind > 0:
            return (message[0] != kind) if flags & MSG_EXCEPT else (message[0] == kind)
        return True

    def arrives(self, message: tuple[int, bytes]) -> None:
        for receiver in list(self.receivers):
            call, kind, flags, size = receiver
            if not self.wants(kind, flags, message):
                continue
            self.receivers.remove(receiver)
            if len(message[1]) > size and not flags & MSG_NOERROR:
                self.expected.append((call, errno.E2BIG))
                continue
            self.expected.append((call, (message[0], message[1][:size])))
            return
        self.messages.append(message)

    @rule(kind=kinds, size=st.integers(0, 9))
    def send(self, kind: int, size: int) -> None:
        data = bytes(size)
        call = Served(SendTyped(self.queues, self.process, self.id, kind, data, 0))
        if self.fits(data):
            self.arrives((kind, data))
            self.expected.append((call, None))
        else:
            self.senders.append((call, (kind, data)))

    @rule(
        kind=st.integers(-4, 4),
        size=st.integers(0, 9),
        flags=st.sampled_from([0, MSG_EXCEPT, MSG_NOERROR, MSG_EXCEPT | MSG_NOERROR]),
    )
    def receive(self, kind: int, size: int, flags: int) -> None:
        call = Served(ReceiveTyped(self.queues, self.process, self.id, size, kind, flags))
        wanted = [each for each in self.messages if self.wants(kind, flags, each)]
        if not wanted:
            self.receivers.append((call, kind, flags, size))
            return
        chosen = wanted[0]
        if kind < 0:
            lowest = min(each[0] for each in wanted)
            chosen = next(each for each in wanted if each[0] == lowest)
        if len(chosen[1]) > size and not flags & MSG_NOERROR:
            self.expected.append((call, errno.E2BIG))
            return
        del self.messages[next(n for n, each in enumerate(self.messages) if each is chosen)]
        self.expected.append((call, (chosen[0], chosen[1][:size])))
        self.let_in()

    def let_in(self) -> None:
        fitting = [each for each in self.senders if self.fits(each[1][1])]
        self.senders = [each for each in self.senders if each not in fitting]
        for sender in fitting:
            call, message = sender
            if self.fits(message[1]):
                self.arrives(message)
                self.expected.append((call, None))
            else:
                self.senders.append(sender)

    @rule(index=which)
    def cancel_a_sender(self, index: int) -> None:
        if self.senders:
            self.senders.pop(index % len(self.senders))[0].cancel()

    @rule(index=which)
    def cancel_a_receiver(self, index: int) -> None:
        if self.receivers:
            self.receivers.pop(index % len(self.receivers))[0].cancel()

    @invariant()
    def agrees(self) -> None:
        for call, result in self.expected:
            assert not call.asleep
            assert call.result == result
        self.expected.clear()
        assert [(each.kind, each.data) for each in self.queue.messages] == self.messages
        assert self.queue.octets == sum(len(data) for _, data in self.messages)
        for sleeper in self.receivers + self.senders:
            assert sleeper[0].asleep


class Crowd(RuleBasedStateMachine):
    """Sleepers that try by themselves, whenever, or are cancelled before they do."""

    def __init__(self) -> None:
        super().__init__()
        kernel = Kernel()
        self.process = kernel.first_process("p", Console(kernel, lambda _: None))
        self.number = 0
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.senders: list[tuple[Served, bytes]] = []
        self.receivers: list[Served] = []
        self.make(kernel)

    def make(self, kernel: Kernel) -> None:
        attributes = QueueAttributes(0, MAXMSG, 8)
        queues = kernel.message_queues
        self.file = queues.open(self.process, b"/q", 0o102, 0o600, attributes)

    def sending(self, data: bytes, kind: int) -> Any:
        return SendMessage(self.file, self.process, data, kind)

    def receiving(self, kind: int) -> Any:
        return ReceiveMessage(self.file, 8)

    def text_of(self, result: Any) -> bytes:
        text: bytes = result[0]
        return text

    def waiting(self) -> list[bytes]:
        return [message.data for message in self.file.queue._messages]

    def stranded(self) -> bool:
        """Is there a message, or room, for somebody whom nobody has woken?"""
        queue = self.file.queue
        unwoken = [receiver for receiver in self.receivers if not receiver.wakes]
        if queue._messages and unwoken:
            return True
        return any(not call.wakes for call, _ in self.senders) and not queue.full

    @rule(kind=kinds)
    def send(self, kind: int) -> None:
        self.number += 1
        data = b"%04d" % self.number
        call = Served(self.sending(data, kind), prompt=False)
        if call.asleep:
            self.senders.append((call, data))
        else:
            self.sent.append(data)

    @rule(kind=st.integers(-4, 4))
    def receive(self, kind: int) -> None:
        call = Served(self.receiving(kind), prompt=False)
        if call.asleep:
            self.receivers.append(call)
        else:
            self.got.append(self.text_of(call.result))

    @rule(index=which)
    def a_sender_tries(self, index: int) -> None:
        woken = [each for each in self.senders if each[0].wakes]
        if woken and (chosen := woken[index % len(woken)])[0].attempt():
            self.senders.remove(chosen)
            self.sent.append(chosen[1])

    @rule(index=which)
    def a_receiver_tries(self, index: int) -> None:
        if self.receivers and (it := self.receivers[index % len(self.receivers)]).attempt():
            self.receivers.remove(it)
            self.got.append(self.text_of(it.result))

    @rule(index=which)
    def a_sender_is_cancelled(self, index: int) -> None:
        if self.senders:
            call, data = self.senders.pop(index % len(self.senders))
            if call.cancel():
                self.sent.append(data)

    @rule(index=which)
    def a_receiver_is_cancelled(self, index: int) -> None:
        if self.receivers:
            self.receivers.pop(index % len(self.receivers)).cancel()

    @invariant()
    def nobody_is_stranded(self) -> None:
        assert not self.stranded()

    def teardown(self) -> None:
        """All that was sent was received once, or is there when nobody holds any."""
        for receiver in self.receivers:
            receiver.cancel()
        self.receivers.clear()
        self.sent += [data for call, data in self.senders if call.cancel()]
        assert sorted(self.got + self.waiting()) == sorted(self.sent)


class TypedCrowd(Crowd):
    def make(self, kernel: Kernel) -> None:
        self.queues = kernel.system_v_messages
        self.id = self.queues.get(self.process, 0, IPC_CREAT | 0o600)
        self.queue = self.queues[self.id]
        self.queue.limit = QBYTES

    def sending(self, data: bytes, kind: int) -> Any:
        return SendTyped(self.queues, self.process, self.id, kind, data, 0)

    def receiving(self, kind: int) -> Any:
        return ReceiveTyped(self.queues, self.process, self.id, 8, kind, 0)

    def text_of(self, result: Any) -> bytes:
        text: bytes = result[1]
        return text

    def waiting(self) -> list[bytes]:
        return [message.data for message in self.queue.messages]

    def stranded(self) -> bool:
        unwoken = [receiver for receiver in self.receivers if not receiver.wakes]
        for receiver in unwoken:
            verb: Any = receiver.verb
            if verb._choose(self.queue) is not None:
                return True
        return any(self.queue.fits(len(data)) and not call.wakes for call, data in self.senders)


def run(machine: type[RuleBasedStateMachine], examples: int) -> None:
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine, settings=settings(max_examples=examples, stateful_step_count=40, deadline=None)
    )


def test_a_posix_queue_does_as_its_model(examples: int) -> None:
    run(PosixQueue, examples)


def test_a_system_v_queue_does_as_its_model(examples: int) -> None:
    run(TypedQueueModel, examples)


def test_sleepers_of_a_posix_queue_that_try_by_themselves_lose_nothing(examples: int) -> None:
    run(Crowd, examples)


def test_sleepers_of_a_system_v_queue_that_try_by_themselves_lose_nothing(examples: int) -> None:
    run(TypedCrowd, examples)
