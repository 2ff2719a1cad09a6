"""Cases of locks that the shared scope leaves out, measured on the same kernel (``locks.json``).

Left out of them: who of several that one release wakes comes first, where
Linux leaves it to its scheduler.
"""

from __future__ import annotations

import pytest

from tests.linux.machine import BackendName, Case
from tests.linux.replay import HERE, differences, load


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
@pytest.mark.parametrize("case", load(HERE / "locks.json"), ids=lambda case: case.id)
def test_simulated_machine_does_what_linux_did(case: Case, backend: BackendName) -> None:
    assert [str(difference) for difference in differences(case, backend)] == []
