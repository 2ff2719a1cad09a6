"""Programs that a random search wrote for shared storage, measured (``storage_random.json``).

Files of a tmpfs, their names and permissions, locks, splices, memory and segments, by
several processes at once.  Those called ``found`` are what the search once told
the two machines apart by, cut short; the others are a sample of those that
both agreed on.
"""

from __future__ import annotations

import pytest

from tests.linux.machine import BackendName, Case
from tests.linux.replay import HERE, differences, load


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
@pytest.mark.parametrize("case", load(HERE / "storage_random.json"), ids=lambda case: case.id)
def test_simulated_machine_does_what_linux_did(case: Case, backend: BackendName) -> None:
    assert [str(difference) for difference in differences(case, backend)] == []
