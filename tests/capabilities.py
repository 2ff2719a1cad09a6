"""The capability table: what each machine offers, made from the tests' own results.

``python -m pytest tests/contract tests/faces tests/native --machine both
--capabilities docs/capabilities.md`` writes it.  A row is a file of tests; its
columns count the tests (not their variants) that passed on each machine in all
their variants, and its last one says why the others are for one machine alone.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

HEAD: Final = """# What each machine offers

Made from the results of the contract tests, which run on both machines:
`{command}`.
A number counts tests; each runs on trio and on asyncio where that applies.

| what is tested | simulated | native | for the simulated machine alone, and why |
|---|--:|--:|---|
"""
PROCESSES: Final = """
## With `Native(isolation="process")`

Children are processes of the operating system there, and have what tasks of one interpreter cannot
have. Each line is a test that passed.

"""
COMMAND: Final = (
    "python -m pytest tests/contract tests/faces tests/native --machine both"
    " --capabilities docs/capabilities.md"
)


@dataclass
class Row:
    """One file of tests: the failures of each test on each machine, and the reasons.

    What a test leaves behind is told when it is over, and is a failure, too.
    """

    title: str
    failures: dict[str, dict[str, int]] = field(default_factory=dict)
    reasons: dict[str, set[str]] = field(default_factory=dict)

    def count(self, test: str, machine: str, *, passed: bool) -> None:
        on_machine = self.failures.setdefault(machine, {})
        on_machine[test] = on_machine.get(test, 0) + (not passed)

    def passed(self, machine: str) -> int:
        return sum(not failures for failures in self.failures.get(machine, {}).values())

    def __str__(self) -> str:
        why = "; ".join(
            f"{reason} ({len(tests)})" for reason, tests in sorted(self.reasons.items())
        )
        return f"| {self.title} | {self.passed('simulated')} | {self.passed('native')} | {why} |"


class Capabilities:
    """A plugin that notes what passed where, and writes the table at the end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._rows: dict[str, Row] = {}
        self._processes: dict[str, bool] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Iterator[None]:
        report: pytest.TestReport = yield
        if isinstance(item, pytest.Function) and (report.when == "call" or report.failed):
            self._note(item, passed=report.passed)
        return report

    def _note(self, item: pytest.Function, *, passed: bool) -> None:
        if "isolated" in item.fixturenames:
            what = item.originalname.removeprefix("test_").replace("_", " ")
            self._processes[what] = self._processes.get(what, True) and passed
        machine = item.callspec.params.get("machine") if hasattr(item, "callspec") else None
        if machine is None:
            return
        title = (inspect.getdoc(item.module) or item.module.__name__).partition("\n")[0].rstrip(".")
        row = self._rows.setdefault(item.module.__name__, Row(title))
        row.count(item.originalname, machine, passed=passed)
        alone = item.get_closest_marker("simulated")
        if alone is not None:
            row.reasons.setdefault(str(alone.args[0]), set()).add(item.originalname)

    def pytest_sessionfinish(self) -> None:
        rows = "".join(f"{row}\n" for _, row in sorted(self._rows.items()))
        passed = sorted(what for what, all_passed in self._processes.items() if all_passed)
        lines = "".join(f"* {what}\n" for what in passed)
        self._file.write_text(HEAD.format(command=COMMAND) + rows + PROCESSES + lines)
