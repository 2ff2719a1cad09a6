"""The output of every demo, unseeded and seeded, on both event loops."""

from __future__ import annotations

import pytest

from asyncipc.cli import catalog
from asyncipc.cli.showing import Backend, Stage
from tests.conftest import Leftovers


@pytest.fixture(params=[None, 7], ids=["unseeded", "seed 7"])
def shown(
    request: pytest.FixtureRequest,
    backend: Backend,
    capsys: pytest.CaptureFixture[str],
    leftovers: Leftovers,
) -> dict[str, str]:
    """The output of every demo, by name; none may leave anything behind."""
    return Shown(Stage(backend, request.param), capsys)


class Shown(dict[str, str]):
    def __init__(self, stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self._stage = stage
        self._capsys = capsys

    def __missing__(self, name: str) -> str:
        assert catalog.load(name).run(self._stage) == 0
        output, errors = self._capsys.readouterr()
        assert errors == ""
        return self.setdefault(name, output)
