"""Random programs that pass descriptors, sockets through sockets, against a model that counts.

The model knows for every open file who holds it: numbers of the table, and
messages that lie in sockets that are not released.  A released socket drops its
messages; and whenever a socket is released, what no number leads to is too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asyncipc.faces.ancillary import descriptors_in
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.sockets.ancillary import MSG_CTRUNC, cmsg_len
from asyncipc.kernel.sockets.socket import (
    MSG_PEEK,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Message,
)
from tests.kernel.passing import ControlRoom, Host

KINDS = [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET]
NUMBERS_MAX = 30


@dataclass(eq=False)
class Node:
    """An open file as the model has it; ``kind`` 0 is the end of a pipe."""

    file: OpenFile
    kind: int = 0
    peer: Node | None = None
    queue: list[Parcel] = field(default_factory=list)
    released: bool = False


@dataclass
class Parcel:
    data: bytes
    nodes: list[Node]


class Model:
    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.table: dict[int, Node] = {}

    def holders(self, node: Node) -> int:
        held = [each for each in self.table.values() if each is node]
        return len(held) + sum(each is node for each in self.under_way())

    def under_way(self) -> list[Node]:
        live = [node for node in self.nodes if not node.released]
        return [each for node in live for parcel in node.queue for each in parcel.nodes]

    def settle(self) -> None:
        """Release what nobody holds; if that was a socket, also what nobody can reach."""
        swept = False
        while True:
            gone = [n for n in self.nodes if not n.released and not self.holders(n)]
            if not gone and swept:
                for node in self._unreachable():
                    for parcel in node.queue:
                        parcel.nodes = []
                gone = [n for n in self.nodes if not n.released and not self.holders(n)]
            if not gone:
                return
            for node in gone:
                node.released = True
                node.queue.clear()
                swept = swept or node.kind != 0

    def _unreachable(self) -> list[Node]:
        reached = list(self.table.values())
        for node in reached:
            found = (each for parcel in node.queue for each in parcel.nodes)
            reached += [each for each in found if each not in reached]
        return [node for node in self.nodes if not node.released and node not in reached]

    def read(self, node: Node, size: int, *, peek: bool) -> tuple[bytes, list[Node]]:
        """What a receive gets, by the rules of unix(7)."""
        if node.kind != SOCK_STREAM:
            parcel = node.queue[0] if peek else node.queue.pop(0)
            return parcel.data[:size], parcel.nodes
        data, place = b"", 0
        # One that only peeks looks on for descriptors (unix_stream_read_generic).
        while (size or peek) and place < len(node.queue):
            parcel = node.queue[place]
            part, nodes = parcel.data[:size], parcel.nodes
            data += part
            size -= len(part)
            if peek:
                place += 1
            else:
                parcel.data, parcel.nodes = parcel.data[len(part) :], []
                if not parcel.data:
                    node.queue.pop(0)
            if nodes:
                return data, nodes
        return data, []


def number(data: st.DataObject, table: dict[int, Node], *, socket: bool) -> int:
    found = sorted(fd for fd, node in table.items() if node.kind or not socket)
    return data.draw(st.sampled_from(found))


class Passing(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.host = Host()
        self.model = Model()
        self.make_pair(SOCK_STREAM)

    def has_room(self) -> bool:
        return len(self.model.table) < NUMBERS_MAX

    def has_socket(self) -> bool:
        return any(node.kind for node in self.model.table.values())

    def _adopt(self, fds: tuple[int, int], kind: int) -> None:
        one, other = (Node(self.host.file(fd), kind) for fd in fds)
        one.peer, other.peer = other, one
        self.model.nodes += [one, other]
        self.model.table.update(zip(fds, (one, other), strict=True))

    @precondition(has_room)
    @rule(kind=st.sampled_from(KINDS))
    def make_pair(self, kind: int) -> None:
        self._adopt(self.host.pair(kind), kind)

    @precondition(has_room)
    @rule()
    def make_pipe(self) -> None:
        self._adopt(self.host.pipe(), 0)

    @precondition(has_socket)
    @rule(data=st.data(), count=st.integers(0, 3), size=st.integers(1, 3))
    def send(self, data: st.DataObject, count: int, size: int) -> None:
        fd = number(data, self.model.table, socket=True)
        passed = [number(data, self.model.table, socket=False) for _ in range(count)]
        node, content = self.model.table[fd], bytes(range(size))
        assert node.peer is not None
        try:
            if passed:
                assert self.host.pass_on(fd, *passed, data=content) == size
            else:
                assert self.host.socket(fd).send(content, 0) == size
        except OSError:
            assert node.peer.released
            if node.kind == SOCK_DGRAM:  # the association is gone, and what came of it
                node.queue.clear()
                self.model.settle()
            return
        assert not node.peer.released
        node.peer.queue.append(Parcel(content, [self.model.table[each] for each in passed]))

    @precondition(has_socket)
    @rule(data=st.data(), size=st.integers(1, 8), room=st.integers(0, 4), peek=st.booleans())
    def receive(self, data: st.DataObject, size: int, room: int, peek: bool) -> None:
        fd = number(data, self.model.table, socket=True)
        node = self.model.table[fd]
        control = ControlRoom(self.host.process, cmsg_len(4 * room), 0) if room else None
        try:
            message = self.host.socket(fd).recvmsg(size, MSG_PEEK if peek else 0, control)
        except OSError:  # a reset, or a socket without a peer
            return
        if not isinstance(message, Message) or not node.queue:
            assert not node.queue
            return
        content, nodes = self.model.read(node, size, peek=peek)
        assert message.data == content
        fds = descriptors_in(message.ancillary)
        assert [self.host.file(each) for each in fds] == [each.file for each in nodes[:room]]
        assert bool(message.flags & MSG_CTRUNC) == (len(nodes) > room)
        self.model.table.update(zip(fds, nodes, strict=False))
        self.model.settle()

    @precondition(has_socket)
    @rule(data=st.data(), size=st.integers(1, 8))
    def read(self, data: st.DataObject, size: int) -> None:
        fd = number(data, self.model.table, socket=True)
        node = self.model.table[fd]
        try:
            content = self.host.file(fd).read(size)
        except OSError:
            return
        if node.queue:
            assert content == self.model.read(node, size, peek=False)[0]
            self.model.settle()

    @precondition(lambda self: bool(self.model.table))
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        fd = number(data, self.model.table, socket=False)
        del self.model.table[fd]
        self.model.settle()
        self.host.close(fd)

    @invariant()
    def every_file_has_the_holders_that_it_has(self) -> None:
        for node in self.model.nodes:
            assert node.file.holders == self.model.holders(node)
            assert node.released == (node.file.holders == 0)
        assert len(self.host.kernel.in_flight) == len(self.model.under_way())

    def teardown(self) -> None:
        """When all numbers are closed, and one more socket, nothing is held."""
        for fd in list(self.model.table):
            self.host.close(fd)
        self.host.close(*self.host.pair())
        assert all(node.file.holders == 0 for node in self.model.nodes)
        assert len(self.host.kernel.in_flight) == 0


@pytest.mark.filterwarnings("error")
def test_every_open_file_is_released_with_its_last_holder(examples: int) -> None:
    profile = settings(max_examples=examples, stateful_step_count=50, deadline=None)
    run_state_machine_as_test(Passing, settings=profile)  # type: ignore[no-untyped-call]
