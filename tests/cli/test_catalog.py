from __future__ import annotations

import pkgutil
from pathlib import Path

import pytest

import demos
from asyncipc.cli import catalog


def test_every_demo_is_listed() -> None:
    modules = [module.name for module in pkgutil.iter_modules(demos.__path__)]
    assert sorted(catalog.names()) == sorted(modules)


def test_the_pipe_comes_first() -> None:
    assert catalog.names()[0] == "pipe"


@pytest.mark.parametrize("name", demos.READING_ORDER)
def test_every_demo_has_a_summary_of_one_sentence(name: str) -> None:
    summary = catalog.summary(name)
    assert summary.endswith(".")
    assert len(summary) <= 61  # beside its name in 80 columns


def test_the_source_is_the_program() -> None:
    assert "async def main() -> None:" in catalog.source("pipe")


def test_an_installation_without_demos_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "CHECKOUT", Path("no", "such", "folder"))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="has no demos"):
        catalog.names()
