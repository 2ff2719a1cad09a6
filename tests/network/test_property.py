"""Whatever the wire does, the laws of TCP, of UDP and of the books hold (tests/network/worlds).

So many worlds as ``--examples`` says; ``python -m tests.network.search`` looks at thousands.
"""

from __future__ import annotations

from typing import Any

import pytest

from asyncipc.network.internet.stack import Stack
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.connections import Connections
from asyncipc.network.tcp.receiver import Receiver
from asyncipc.network.tcp.scoreboard import Scoreboard
from asyncipc.network.traffic import Traffic
from tests.network.search import broken, replay
from tests.network.worlds import World

FIRST_BAD = 100
"""So many worlds are enough to find each of the defects below."""


def test_in_every_world_what_is_read_was_written_and_complete_and_nothing_is_left(
    examples: int,
) -> None:
    for seed in range(examples):
        law = broken(seed)[1]
        assert law is None, f"{law}\n{replay(seed)}"


def test_a_seed_is_one_world() -> None:
    def tell(seed: int) -> list[str]:
        lines: list[str] = []
        World(seed, lines.append).live()
        return lines

    assert tell(3) == tell(3) != tell(4)


def test_among_few_worlds_there_is_every_kind() -> None:
    worlds = [World(seed) for seed in range(60)]
    assert {len(world.names) for world in worlds} == {2, 3, 4}
    assert any(world.crashing for world in worlds)
    assert any(not host.stack.checksums for world in worlds for host in world.hosts.values())
    conversations = [one for world in worlds for one in world.conversations]
    assert {end.ending.manner for one in conversations for end in one.ends} == {
        *("half", "late", "rough", "linger")
    }
    assert sum(one.is_gentle for one in conversations) > len(conversations) / 3


# -- each law can be broken, and is seen to be


def take_again(self: Receiver, start: int, data: bytes) -> list[bytes | memoryview]:
    """What has come before is not cut off."""
    if start > self.next:
        return []
    self.next = max(self.next, start + len(data))
    return [data]


def forget_finish(self: Receiver) -> bool:
    """A FIN counts, though bytes before it are missing."""
    if self.finish is None or self.finished:
        return False
    self.next = self.finish + 1
    self.finished = True
    return True


def lose(self: Traffic, flight: Any, cause: str) -> None:
    self._forget(flight)


def let_in(self: Stack, packet: Packet) -> None:
    packet.damaged = False
    plain_take_in(self, packet)


plain_take_in = Stack._take_in


@pytest.mark.parametrize(
    ("where", "name", "defect", "law"),
    [
        (Receiver, "take", take_again, r"the bytes from \d+ on are others|bytes read"),
        (Receiver, "take_finish", forget_finish, r"the stream ended at \d+ of \d+ bytes"),
        (Scoreboard, "mark_all_lost", lambda self: None, "no end at|ETIMEDOUT at"),
        (Connections, "time_wait", lambda self, transport, left: None, "left in"),
        (Connections, "forget", lambda self, transport: None, "left in|ports|accepted twice"),
        (Traffic, "drop", lose, "sent \\+ \\d+ copied|packets are not conserved"),
        (Stack, "_take_in", let_in, "nobody has sent|bytes from"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_a_defect_breaks_a_law_in_one_of_few_worlds(
    where: type, name: str, defect: Any, law: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(where, name, defect)
    with pytest.raises(AssertionError, match=law):
        for seed in range(FIRST_BAD):
            World(seed).live()
