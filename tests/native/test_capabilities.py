"""What a test leaves behind is no capability."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.capabilities import Capabilities

TESTS = '''"""Things."""
import pytest

pytestmark = pytest.mark.parametrize("machine", ["native"])

@pytest.fixture
def isolated():
    yield

@pytest.fixture
def leaky():
    yield
    raise AssertionError("a descriptor was left open")

@pytest.fixture
def broken():
    raise AssertionError("there is no machine")

def test_good(machine, isolated): pass
def test_left_something(machine, isolated, leaky): pass
def test_never_began(machine, isolated, broken): pass
def test_wrong(machine, isolated): raise AssertionError
'''


def test_failures_before_and_after_a_test_are_failures_of_it(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]")
    (tmp_path / "test_things.py").write_text(TESTS)
    table = tmp_path / "table.md"
    options = ["-q", "-p", "no:cacheprovider", f"--rootdir={tmp_path}", str(tmp_path)]
    assert pytest.main(options, plugins=[Capabilities(table)]) == pytest.ExitCode.TESTS_FAILED
    text = table.read_text()
    assert "| Things | 0 | 1 |  |\n" in text
    assert text.endswith("\n\n* good\n")
