"""Path names of the operating system: below a root, of each process's own directory and umask."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import asyncipc
from asyncipc import posix
from asyncipc.native.files.names import NativeNames, confined, interpreters_umask
from asyncipc.runtime.process import current

Run = Callable[..., Any]
NEW = os.O_CREAT | os.O_RDWR


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Where the run's paths lie."""
    return tmp_path / "root"


def fails(number: int, call: Callable[..., object], *args: object) -> None:
    with pytest.raises(OSError) as caught:
        call(*args)
    assert caught.value.errno == number


def names() -> NativeNames:
    found = current().machine.names
    assert isinstance(found, NativeNames)
    return found


def test_a_root_is_made_with_what_programs_expect_in_it(run: Run, root: Path) -> None:
    async def main() -> None:
        assert posix.getcwd() == "/tmp"
        assert sorted(posix.listdir("/")) == ["dev", "tmp"]
        assert posix.stat("/dev/shm").st_mode == posix.stat("/tmp").st_mode == 0o41777
        await posix.open("/dev/shm/here", NEW)

    run(main)
    assert (root / "dev" / "shm" / "here").is_file()


@pytest.mark.parametrize(
    ("path", "depth", "expected"),
    [
        (b"/a/b", 0, b"/a/b"),
        (b"/..", 0, b"/."),
        (b"/../../etc/", 0, b"/././etc/"),
        (b"/a/../../b", 0, b"/a/.././b"),
        (b"..", 1, b".."),
        (b"../../x", 1, b".././x"),
        (b"./a//../..", 1, b"./a//../.."),
        (b"a..b/..c", 0, b"a..b/..c"),
    ],
)
def test_only_what_would_leave_the_root_is_taken_out(
    path: bytes, depth: int, expected: bytes
) -> None:
    assert confined(path, depth) == expected


def test_no_dots_lead_out_of_the_root(run: Run) -> None:
    async def main() -> None:
        root = posix.stat("/").st_ino
        posix.mkdir("d")
        posix.chdir("d")
        for path in ("../..", "../../..", "/..", "/../..", "/tmp/../.."):
            assert posix.stat(path).st_ino == root
        with pytest.raises(FileNotFoundError):
            await posix.open("../../../../../../../etc/passwd", os.O_RDONLY)
        fails(errno.ENOENT, posix.stat, "none/..")
        await posix.open("f", NEW)
        fails(errno.ENOTDIR, posix.stat, "f/..")

    run(main)


def test_the_root_is_no_name_to_be_taken_away(run: Run) -> None:
    async def main() -> None:
        posix.mkdir("d")
        for call in (lambda: posix.rmdir("/"), lambda: posix.rename("/", "/x")):
            fails(errno.EBUSY, call)
        fails(errno.EBUSY, posix.rename, "d", "/")
        fails(errno.EINVAL, posix.rmdir, "d/.")
        fails(errno.ENOTEMPTY, posix.rmdir, "d/..")

    run(main)


def test_each_process_has_its_own_directory_and_the_interpreter_keeps_its(run: Run) -> None:
    async def child() -> None:
        assert posix.getcwd() == "/tmp/d"
        posix.chdir("/dev")

    async def main() -> None:
        before = os.getcwd()
        posix.mkdir("d")
        posix.chdir("d")
        await posix.waitpid(posix.fork(child))
        assert posix.getcwd() == "/tmp/d"
        assert os.getcwd() == before

    run(main)


def test_a_directory_that_is_renamed_or_removed_is_still_where_one_is(run: Run) -> None:
    async def main() -> None:
        posix.mkdir("d")
        posix.chdir("d")
        posix.rename("/tmp/d", "/e")
        assert posix.getcwd() == "/e"
        await posix.open("f", NEW)
        assert posix.listdir("/e") == ["f"]
        posix.unlink("f")
        inode = posix.stat(".").st_ino
        posix.rmdir("/e")
        fails(errno.ENOENT, posix.getcwd)
        assert (posix.stat(".").st_ino, posix.stat(".").st_nlink) == (inode, 0)
        with pytest.raises(FileNotFoundError):
            await posix.open("f", NEW)

    run(main)


def test_what_is_no_directory_to_go_to(run: Run) -> None:
    async def main() -> None:
        await posix.open("f", NEW)
        fails(errno.ENOTDIR, posix.chdir, "f")
        fails(errno.ENOENT, posix.chdir, "none")
        fails(errno.ENAMETOOLONG, posix.chdir, "x" * 4096)
        assert posix.getcwd() == "/tmp"

    run(main)


def test_the_umask_is_lent_for_one_call(run: Run) -> None:
    async def child() -> None:
        posix.umask(0)
        posix.mkfifo("wide", 0o666)

    async def main() -> None:
        before = interpreters_umask()
        assert posix.umask(0o077) == before
        await posix.waitpid(posix.fork(child))
        posix.mkdir("d", 0o777)
        await posix.open("f", NEW, 0o666)
        modes = [stat.S_IMODE(posix.stat(name).st_mode) for name in ("wide", "d", "f")]
        assert modes == [0o666, 0o700, 0o600]
        assert interpreters_umask() == before

    run(main)


def test_stat_is_the_operating_systems(run: Run, root: Path) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        await posix.write(f, bytes(5000))
        for told in (posix.stat("f"), posix.fstat(f)):
            real = os.stat(root / "tmp" / "f")
            assert told == real
            assert told.st_mtime_ns == real.st_mtime_ns
            assert (told.st_blocks, told.st_blksize) == (real.st_blocks, real.st_blksize)

    run(main)


def test_a_symbolic_link_leads_where_it_says(run: Run, root: Path) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        os.symlink("f", root / "tmp" / "link")
        os.symlink("none", root / "tmp" / "dangling")
        os.symlink("loop", root / "tmp" / "loop")
        assert posix.stat("link").st_ino == posix.fstat(f).st_ino
        fails(errno.ENOENT, posix.stat, "dangling")
        fails(errno.ELOOP, posix.stat, "loop")
        posix.unlink("link")
        assert posix.fstat(f).st_nlink == 1

    run(main)


def test_the_numbers_in_proc_are_those_of_the_processs_table(run: Run) -> None:
    async def main() -> None:
        f = await posix.open("f", NEW)
        posix.dup2(f, 700)
        assert posix.listdir("/proc/self/fd") == ["0", "1", "2", "3", "700"]
        posix.chmod("/dev/fd/700", 0o600)
        posix.truncate(f"/proc/{posix.getpid()}/fd/3", 7)
        assert stat.S_IMODE(posix.fstat(f).st_mode) == 0o600
        assert posix.fstat(f).st_size == 7
        assert stat.S_ISCHR(posix.stat("/dev/stdout").st_mode)
        with pytest.raises(asyncipc.Unsupported, match="no name"):
            posix.chmod("/dev/stdout", 0o600)

    run(main)


def test_a_real_path_has_a_way_back(run: Run, root: Path) -> None:
    async def main() -> None:
        process = current().process
        for path, shown in ((b"f", b"/tmp/f"), (b"/", b"/"), (b"/dev/shm", b"/dev/shm")):
            assert names().shown(names().real(process, path)).rstrip(b"/") == shown.rstrip(b"/")
        assert names().real(process, b"f") == os.fsencode(root / "tmp" / "f")
        assert names().shown(b"/elsewhere") == b"/elsewhere"

    run(main)


def test_without_a_root_paths_are_the_operating_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: Any
) -> None:
    monkeypatch.chdir(tmp_path)

    async def main() -> None:
        assert posix.getcwd() == str(tmp_path)
        await posix.open("f", NEW)
        assert posix.stat(tmp_path / "f") == posix.stat("./f")
        assert posix.stat("/..").st_ino == os.stat("/").st_ino
        posix.chdir("..")
        assert posix.getcwd() == str(tmp_path.parent)

    asyncipc.run(main, machine="native", backend=backend)
    assert (tmp_path / "f").is_file()
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize("call", [posix.unlink, posix.stat, posix.listdir, posix.rmdir])
def test_an_error_does_not_tell_where_the_root_is(run: Run, call: Callable[[str], object]) -> None:
    async def main() -> None:
        with pytest.raises(FileNotFoundError) as caught:
            call("/tmp/nothing")
        assert str(caught.value) == "[Errno 2] No such file or directory"
        with pytest.raises(FileNotFoundError) as caught:
            await posix.open("/tmp/nothing", os.O_RDONLY)
        assert str(caught.value) == "[Errno 2] No such file or directory"

    run(main)
