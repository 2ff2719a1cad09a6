"""Random programs of semaphores, mutexes and message queues, measured on the same kernel.

Those of ``sync_random.json`` called ``found`` are what the search once told the two
machines apart by, cut short, and what it was then asked about the same corners;
the others are a sample of those that both agreed on.  Left out of them:
``pthread_mutex_trylock`` of a mutex that is not recoverable, which glibc leaves locked.
"""

from __future__ import annotations

import pytest

from tests.linux.machine import BackendName, Case
from tests.linux.replay import HERE, differences, load


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
@pytest.mark.parametrize("case", load(HERE / "sync_random.json"), ids=lambda case: case.id)
def test_simulated_machine_does_what_linux_did(case: Case, backend: BackendName) -> None:
    assert [str(difference) for difference in differences(case, backend)] == []
