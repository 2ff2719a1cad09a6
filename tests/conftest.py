"""Fixtures for all tests: a machine on both event loops that may leave nothing behind."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import asyncipc
from asyncipc import Native
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.readiness import IN, OUT
from tests.capabilities import Capabilities
from tests.pace import Exactness, run_fast

EXAMPLES = 60
ROUNDS = 10
REAL_SECONDS = 30.0
NATIVE_SECONDS = 8.0
CONTRACTS = {"contract", "faces"}

settings.register_profile(
    "asyncipc",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("asyncipc")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--examples",
        type=int,
        default=EXAMPLES,
        metavar="N",
        help=f"how many random programs each randomized test tries (default {EXAMPLES})",
    )

    parser.addoption(
        "--rounds",
        type=int,
        default=ROUNDS,
        metavar="N",
        help=f"how often real processes are killed at random moments (default {ROUNDS})",
    )

    parser.addoption(
        "--machine",
        choices=("simulated", "native", "both"),
        default="simulated",
        help="where the contract tests run: on which machine, or on both",
    )
    parser.addoption(
        "--capabilities",
        type=Path,
        metavar="FILE",
        help="write the table of what each machine offers",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "simulated(reason): what is tested belongs to the simulated machine, or the native one "
        "refuses it",
    )
    file: Path | None = config.getoption("--capabilities")
    if file is not None:
        config.pluginmanager.register(Capabilities(file))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Who uses ``run`` is tried on the machines that were asked for."""
    if "run" not in metafunc.fixturenames:  # others have machines of their own
        return
    asked = metafunc.config.getoption("--machine")
    machines = ["simulated", "native"] if asked == "both" else [asked]
    if metafunc.module.__name__.startswith("tests.native."):
        machines = ["native"]
    if metafunc.definition.get_closest_marker("simulated") is not None:
        machines = ["simulated"]
    metafunc.parametrize("machine", machines)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A single case of a test may be marked ``simulated``, too.  And who asks for the native
    machine alone does not ask for the contract tests that run on the other.
    """
    native_alone = config.getoption("--machine") == "native"

    def is_refused(item: pytest.Item) -> bool:
        case = getattr(item, "callspec", None)
        native = case is not None and case.params.get("machine") == "native"
        if native:
            return item.get_closest_marker("simulated") is not None
        return native_alone and item.path.parent.name in CONTRACTS

    refused = [item for item in items if is_refused(item)]
    if refused:
        config.hook.pytest_deselected(items=refused)
        items[:] = [item for item in items if not is_refused(item)]


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> int:
    count: int = request.config.getoption("--examples")
    return count


@pytest.fixture(params=["trio", "asyncio"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class Leftovers:
    """Every kernel and open file that came to life, to see that none outlives its run."""

    def __init__(self) -> None:
        self.kernels: list[Kernel] = []
        self.files: list[OpenFile] = []

    def check(self) -> None:
        for kernel in self.kernels:
            assert list(kernel.processes) == [1], "a process outlived the run"
        for file in self.files:
            if isinstance(file, Console):  # held by the machine itself
                continue
            assert file.holders == 0, f"{file.describe()} was never released"
            for queue in file.queues(IN | OUT):
                assert not list(queue), f"somebody is stranded at {file.describe()}"
        self.kernels.clear()
        self.files.clear()


@pytest.fixture
def leftovers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Leftovers]:
    found = Leftovers()
    make_kernel, make_file = Kernel.__init__, OpenFile.__init__

    def kernel_made(self: Kernel, *args: Any, **kwargs: Any) -> None:
        found.kernels.append(self)
        make_kernel(self, *args, **kwargs)

    def file_made(self: OpenFile, kernel: Kernel, flags: int) -> None:
        found.files.append(self)
        make_file(self, kernel, flags)

    monkeypatch.setattr(Kernel, "__init__", kernel_made)
    monkeypatch.setattr(OpenFile, "__init__", file_made)
    yield found
    found.check()


@pytest.fixture
def run(
    backend: str, machine: str, leftovers: Leftovers, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """``asyncipc.run`` on one of the two event loops, on one of the two machines; it has to
    leave nothing behind.

    The native machine has a root directory of its own, and a clock that is fast.
    """

    def run_simulated(main: Callable[..., Any], *args: Any, **options: Any) -> Any:
        options.setdefault("wall_limit_s", REAL_SECONDS)
        try:
            return asyncipc.run(main, *args, backend=backend, **options)  # type: ignore[arg-type]
        finally:
            leftovers.check()

    def run_native(main: Callable[..., Any], *args: Any, **options: Any) -> Any:
        options.pop("wall_limit_s", None)
        native = Native(root=str(tmp_path / "root"))
        try:
            return run_fast(native, backend, main, args, NATIVE_SECONDS, **options)
        finally:
            leftovers.check()

    if machine == "native":
        gc.freeze()  # so that the collection below looks at what the test has made, and no more
    open_before = set(os.listdir("/proc/self/fd")) if machine == "native" else set()
    Exactness.virtual = machine == "simulated"
    yield run_native if machine == "native" else run_simulated
    Exactness.virtual = True
    if machine == "native":
        gc.collect()
        gc.unfreeze()
        assert set(os.listdir("/proc/self/fd")) == open_before, "a descriptor was left open"
