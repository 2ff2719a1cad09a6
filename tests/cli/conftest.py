"""The output of every demo, unseeded and seeded, on both event loops."""

from __future__ import annotations

import pytest

from asyncipc.cli import catalog
from tests.conftest import Leftovers


@pytest.fixture(params=[None, 7], ids=["unseeded", "seed 7"])
def shown(
    request: pytest.FixtureRequest,
    backend: str,
    capsys: pytest.CaptureFixture[str],
    leftovers: Leftovers,
) -> dict[str, str]:
    """The output of every demo, by name; none may leave anything behind."""
    return Shown(backend, request.param, capsys)


class Shown(dict[str, str]):
    def __init__(self, backend: str, seed: int | None, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self._how = backend, seed
        self._capsys = capsys

    def __missing__(self, name: str) -> str:
        assert catalog.load(name).run(*self._how) == 0
        output, errors = self._capsys.readouterr()
        assert errors == ""
        return self.setdefault(name, output)
