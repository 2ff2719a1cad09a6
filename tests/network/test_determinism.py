"""A network under faults is the same run for the same seed, in every interpreter."""

from __future__ import annotations

from pathlib import Path

import pytest

from asyncipc import check_determinism
from asyncipc.events import Event, Transit
from tests.network import determinism, gossip
from tests.network.gossip import digest_of

SEEDS = 20


def test_the_gossip_has_most_of_what_can_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[Event] = []

    class Keeper:
        events = 0

        def __call__(self, event: Event) -> None:
            events.append(event)

    monkeypatch.setattr(gossip, "Digest", Keeper)
    for seed in range(5):
        digest_of(seed)
    packets = [event for event in events if isinstance(event, Transit)]
    fates = {event.fate for event in packets}
    assert {"sent", "arrived", "copied", "damaged"} <= fates
    causes = {fate.removeprefix("dropped: ") for fate in fates if fate.startswith("dropped: ")}
    assert {"loss", "cut", "rule", "down"} <= causes
    kinds = {event.what.partition(" ")[0] for event in packets}
    assert len(kinds) > 1
    calls = {getattr(event, "call", "") for event in events}
    assert {"sendto", "recvfrom", "connect", "accept", "recv"} <= calls


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_a_seed_is_the_same_run_in_two_interpreters_that_hash_differently(backend: str) -> None:
    found = list(determinism.differences(range(SEEDS), backend))
    assert found == [(seed, False) for seed in range(SEEDS)]


def test_a_seed_that_differs_is_told(tmp_path: Path) -> None:
    liar = tmp_path / "liar"
    liar.write_text("#!/bin/sh\nfor seed in 0 1; do echo $seed 1 $PYTHONHASHSEED; done\n")
    liar.chmod(0o755)
    found = list(determinism.differences(range(3), "trio", (str(liar), str(liar))))
    assert found == [(0, True), (1, True)]


def test_another_seed_is_another_run() -> None:
    assert len({digest_of(seed).hexdigest() for seed in range(4)}) == 4


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_the_check_of_determinism_agrees(backend: str) -> None:
    digest = check_determinism(gossip.gossip, seed=3, backend=backend)  # type: ignore[arg-type]
    assert digest == digest_of(3, backend).hexdigest()
