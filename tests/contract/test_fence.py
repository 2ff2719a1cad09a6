"""What would leave a simulation on virtual time is refused at the exact call, by name."""

from __future__ import annotations

import _thread
import asyncio
import multiprocessing
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
import trio

import asyncipc
from asyncipc import posix
from asyncipc.errors import Escape
from asyncipc.runtime import fence, lent

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("on real time nothing is an escape")


def nothing() -> None: ...


def a_socket() -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM)


def a_thread() -> None:
    threading.Thread(target=nothing).start()


CALLS: dict[str, tuple[str, Callable[[], object]]] = {
    "a socket": ("socket.socket", a_socket),
    "a socket pair": ("socket.socketpair", lambda: socket.socketpair()),
    "a connection": ("socket.socket", partial(socket.create_connection, ("127.0.0.1", 9))),
    "a lookup": ("socket.getaddrinfo", partial(socket.getaddrinfo, "localhost", 80)),
    "an old lookup": ("socket.gethostbyname", partial(socket.gethostbyname, "localhost")),
    "a subprocess": ("subprocess.Popen", partial(subprocess.run, ["true"], check=True)),
    "a shell": ("os.system", partial(os.system, "true")),
    "a fork": ("os.fork", os.fork),
    "a process of multiprocessing": (
        "os.fork",
        lambda: multiprocessing.get_context("fork").Process(target=nothing).start(),
    ),
    "exec": ("os.exec", partial(os.execv, "/bin/true", ["true"])),
    "a spawn": ("os.posix_spawn", partial(os.posix_spawn, "/bin/true", ["true"], {})),
    "a sleep": ("time.sleep", lambda: time.sleep(0.001)),
    "a thread": ("threading.Thread.start", a_thread),
    "a bare thread": (
        "threading.Thread.start",
        lambda: _thread.start_new_thread(nothing, ()),
    ),
    "a timer": ("threading.Thread.start", lambda: threading.Timer(0, nothing).start()),
    "an executor": (
        "threading.Thread.start",
        lambda: ThreadPoolExecutor(1).submit(nothing),
    ),
}


@pytest.fixture(params=CALLS.values(), ids=CALLS)
def escape(request: pytest.FixtureRequest) -> tuple[str, Callable[[], object]]:
    found: tuple[str, Callable[[], object]] = request.param
    if found[0] == "os.fork":
        warnings.filterwarnings("ignore", "This process", DeprecationWarning)
    return found


def sleep(seconds: float) -> None:
    time.sleep(seconds)


async def doing(call: Callable[[], object]) -> None:
    call()


# -- what is refused


def test_an_escape_is_refused_by_name_with_a_hint(
    run: Run, escape: tuple[str, Callable[[], object]]
) -> None:
    name, call = escape
    with pytest.raises(Escape, match=rf"^{name}\(\) from inside a simulation") as caught:
        run(doing, call)
    assert caught.value.call == name
    (note,) = caught.value.__notes__
    assert note.startswith("hint: ")


def test_the_traceback_ends_in_the_line_of_the_program(run: Run) -> None:
    async def main() -> None:
        sleep(1)

    with pytest.raises(Escape) as caught:
        run(main)
    lines = [frame.line for frame in traceback.extract_tb(caught.value.__traceback__)]
    begin = lines.index("sleep(1)")
    assert lines[begin + 1] == "time.sleep(seconds)"


def test_a_program_can_catch_it_and_go_on(run: Run) -> None:
    async def main() -> float:
        try:
            sleep(100)
        except Escape:
            await anyio.sleep(100)
        return anyio.current_time()

    assert run(main) == 100


def test_children_and_tasks_are_inside_too(run: Run) -> None:
    refused: list[str] = []

    async def child(where: str) -> None:
        try:
            a_socket()
        except Escape:
            refused.append(where)

    async def main() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(child, "task")
        posix.fork(child, "process")
        await posix.wait()
        asyncipc.current_simulation().host("other").spawn(child, "host")

    run(main)
    assert refused == ["task", "process", "host"]


def test_a_real_socket_that_was_made_outside_does_not_reach_the_network_from_inside(
    run: Run,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as real:
        for name, call in (
            ("bind", partial(real.bind, ("127.0.0.1", 0))),
            ("connect", partial(real.connect, ("127.0.0.1", 9))),
            ("sendto", partial(real.sendto, b"x", ("127.0.0.1", 9))),
            ("sendmsg", partial(real.sendmsg, [b"x"], [], 0, ("127.0.0.1", 9))),
        ):
            with pytest.raises(Escape, match=rf"^socket\.{name}\(\)"):
                run(doing, call)
        assert real.getsockname() == ("0.0.0.0", 0)


LOOP_CALLS: dict[str, tuple[str, Callable[[], Awaitable[object]]]] = {
    "a name": ("socket.getaddrinfo", partial(anyio.getaddrinfo, "example.org", 80)),
    "anyio's connection": ("socket", partial(anyio.connect_tcp, "127.0.0.1", 9)),
    "anyio's listener": ("socket", anyio.create_tcp_listener),
    "a subprocess": ("s", partial(anyio.run_process, ["true"])),
}


@pytest.mark.parametrize(("name", "call"), LOOP_CALLS.values(), ids=LOOP_CALLS)
def test_what_the_loop_offers_leads_outside_no_less(
    run: Run, name: str, call: Callable[[], Awaitable[object]]
) -> None:
    async def main() -> str:
        try:
            await call()
        except BaseException as error:
            while isinstance(error, BaseExceptionGroup):
                (error,) = error.exceptions
            return f"{type(error).__name__}: {error}"
        return "it left"

    assert run(main).startswith(f"Escape: {name}")


def test_trio_starts_no_process_in_a_borrowed_thread() -> None:
    async def main() -> None:
        await trio.run_process(["true"])

    with pytest.raises(Escape, match=r"^subprocess\.Popen"):
        asyncipc.run(main)


# -- threads


@pytest.mark.parametrize("seed", [None, 1])
def test_a_borrowed_thread_holds_time_and_is_refused_with_a_seed(
    run: Run, seed: int | None
) -> None:
    async def main() -> bool:
        return await anyio.to_thread.run_sync(lambda: time.sleep(0.001) is None)

    for _ in range(2):  # the second finds a thread that waits for work
        if seed is None:
            assert run(main)
        else:
            with pytest.raises(Escape, match=r"^to_thread\(\)"):
                run(main, seed=seed)


@pytest.mark.parametrize("seed", [None, 1])
def test_asyncio_borrows_threads_under_the_same_law(seed: int | None) -> None:
    async def in_a_pool() -> None:
        with pool:
            await asyncio.get_running_loop().run_in_executor(pool, nothing)

    for program in (partial(asyncio.to_thread, nothing), in_a_pool):
        pool = ThreadPoolExecutor(1)

        async def main(program: Callable[[], Awaitable[None]] = program) -> None:
            await program()

        if seed is None:
            asyncipc.run(main, backend="asyncio")
        else:
            with pytest.raises(Escape, match=r"^to_thread\(\)"):
                asyncipc.run(main, backend="asyncio", seed=seed)


def test_a_release_of_trio_that_has_moved_its_threads_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(trio._threads, "start_thread_soon")
    with pytest.raises(RuntimeError, match=r"has moved trio\._threads\.start_thread_soon, which"):
        lent.hear_trio_threads(nothing)


# -- what passes


def test_numbers_are_no_lookup_and_no_time_is_no_sleep(run: Run) -> None:
    async def main() -> list[object]:
        sleep(0)
        found: list[object] = [socket.gethostbyname("10.0.0.1")]
        for host in ("127.0.0.1", "::1"):
            found += [entry[4][0] for entry in socket.getaddrinfo(host, 80)[:1]]
        return found

    assert run(main) == ["10.0.0.1", "127.0.0.1", "::1"]


def test_observers_and_the_console_may_leave(run: Run) -> None:
    left: list[str] = []

    def observer(event: object) -> None:
        a_socket_and_a_thread("observer")

    def console(data: bytes) -> None:
        a_socket_and_a_thread("console")

    def a_socket_and_a_thread(who: str) -> None:
        socket.socket().close()
        thread = threading.Thread(target=nothing)
        thread.start()
        thread.join()
        left.append(who)

    async def main() -> None:
        await posix.write(1, b"x")

    run(main, observers=[observer], console=console)
    assert set(left) == {"observer", "console"}


def test_a_module_may_look_around_while_it_is_imported(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"fence_probe_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text("import socket\nsocket.socket().close()\nfound = True\n")
    monkeypatch.syspath_prepend(tmp_path)

    async def main() -> bool:
        return bool(__import__(name).found)

    try:
        assert run(main)
    finally:
        sys.modules.pop(name, None)


def test_a_program_that_is_run_while_a_module_is_imported_is_fenced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"fence_program_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(
        "import asyncipc, time\nasync def main(): time.sleep(1)\nasyncipc.run(main)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Escape, match=r"^time\.sleep"):
        __import__(name)


def test_outside_of_a_run_and_in_other_threads_nothing_is_refused(run: Run) -> None:
    done: list[str] = []

    def outside() -> None:
        sleep(0.001)
        socket.socket().close()
        subprocess.run(["true"], check=True)
        done.append("outside")

    async def main() -> None:
        await anyio.to_thread.run_sync(outside)

    run(main)
    outside()
    assert done == ["outside"] * 2


def test_an_embedded_simulation_on_real_time_has_no_fence(backend: str) -> None:
    async def main() -> None:
        async with asyncipc.Simulation():
            sleep(0.001)
            socket.socket().close()

    anyio.run(main, backend=backend)


def test_a_run_on_real_time_has_no_fence(backend: str) -> None:
    async def main() -> str:
        sleep(0.001)
        socket.socket().close()
        return "left"

    assert asyncipc.run(main, backend=backend, time="real") == "left"  # type: ignore[arg-type]


# -- the three words


def echo() -> str:
    return subprocess.run(["echo", "x"], check=True, capture_output=True, text=True).stdout


def test_allowed_escapes_pass(run: Run) -> None:
    async def main() -> str:
        sleep(0.001)
        socket.socket().close()
        return echo()

    assert run(main, escapes="allow") == "x\n"


def test_a_warning_names_the_call_and_its_line(run: Run) -> None:
    async def main() -> str:
        sleep(0.001)
        return "went on"

    with pytest.warns(RuntimeWarning, match=r"^time\.sleep\(\) from inside .*anyio\.sleep") as told:
        assert run(main, escapes="warn") == "went on"
    assert [(warned.filename, warned.lineno) for warned in told] == [
        (__file__, sleep.__code__.co_firstlineno + 1)
    ]


def test_another_word_is_a_value_error(run: Run) -> None:
    with pytest.raises(ValueError, match="'refuse', 'warn' or 'allow', not 'forbid'"):
        run(doing, nothing, escapes="forbid")


def test_a_fence_ends_with_its_run(run: Run) -> None:
    with pytest.raises(LookupError):
        run(doing, partial({}.__getitem__, 1))
    assert not fence._standing
