"""Descriptors in flight, and those that nobody can ever receive any more.

A socket that lies in its own receive buffer, or two that lie in each other's,
hold each other for ever.  So whenever a UNIX socket is released while sockets
are in flight, those are looked for that no table and no sleeping call reaches:
they are only held by messages, which lie in sockets like them (unix_gc in
net/unix/garbage.c).  Their messages are dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, final

from asyncipc.kernel.sockets.socket import AF_UNIX, Socket
from asyncipc.kernel.unix.connection import ConnectedSocket

if TYPE_CHECKING:
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.sockets.ancillary import Rights


@final
class InFlight:
    """All rights that are queued somewhere, each with the socket it is queued at."""

    __slots__ = ("_carriers", "_collecting", "_counts", "_leaving", "_letting_go")

    def __init__(self) -> None:
        self._carriers: dict[Rights, Socket] = {}
        self._counts: dict[int, int] = {}
        self._leaving: deque[OpenFile] = deque()
        self._letting_go = False
        self._collecting = False

    def __len__(self) -> int:
        """How many descriptors."""
        return sum(self._counts.values())

    def of_user(self, uid: int) -> int:
        """How many of a user's (``unix_inflight``)."""
        return self._counts.get(uid, 0)

    def add(self, rights: Rights, carrier: Socket) -> None:
        self._carriers[rights] = carrier
        self._counts[rights.uid] = self.of_user(rights.uid) + len(rights.files)

    def remove(self, rights: Rights) -> None:
        del self._carriers[rights]
        self._counts[rights.uid] -= len(rights.files)

    def let_go(self, files: Iterable[OpenFile]) -> None:
        """Hold them no more.  One after the other, however deep they lie in one another."""
        self._leaving.extend(files)
        if self._letting_go:
            return
        self._letting_go = True
        try:
            while self._leaving:
                self._leaving.popleft().drop()
        finally:
            self._letting_go = False

    # -- cycles

    def collect(self) -> None:
        """A UNIX socket was released: drop what lies in sockets that nobody can reach."""
        if self._collecting or not self._carriers:
            return
        self._collecting = True
        try:
            while dead := self._unreachable():
                for carrier in dead:
                    carrier.drop_rights()
        finally:
            self._collecting = False

    def _unreachable(self) -> list[Socket]:
        """The carriers among the sockets that only messages in such sockets hold."""
        flying: dict[Socket, int] = {}
        for rights in self._carriers:
            for socket in _sockets(rights):
                flying[socket] = flying.get(socket, 0) + 1
        lost = dict.fromkeys(each for each, count in flying.items() if count == each.holders)
        homes = _homes(lost) if lost else {}
        contents: dict[Socket, list[Socket]] = {}
        for rights, carrier in self._carriers.items():
            contents.setdefault(homes.get(carrier, carrier), []).extend(_sockets(rights))
        reached = [home for home in contents if home not in lost]
        for home in reached:  # what lies in a socket that can be reached can be received
            for socket in contents.get(home, ()):
                if socket in lost:
                    del lost[socket]
                    reached.append(socket)
        carriers = dict.fromkeys(self._carriers.values())
        return [carrier for carrier in carriers if homes.get(carrier, carrier) in lost]


def _sockets(rights: Rights) -> Iterator[Socket]:
    for file in rights.files:
        if isinstance(file, Socket) and file.family == AF_UNIX:
            yield file


def _homes(sockets: Iterable[Socket]) -> dict[Socket, Socket]:
    """Those that wait to be accepted, with the listener through which alone they are reached."""
    return {
        waiting: socket
        for socket in sockets
        if isinstance(socket, ConnectedSocket) and socket.backlog is not None
        for waiting in socket.backlog
    }
