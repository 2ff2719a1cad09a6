from __future__ import annotations

from collections.abc import Callable

import pytest

from asyncipc.kernel.console import Console
from asyncipc.kernel.files.namespace import (
    O_CREAT,
    O_DIRECTORY,
    O_EXCL,
    O_TRUNC,
    Namespace,
)
from asyncipc.kernel.files.node import S_IFDIR, S_IFIFO, Directory, FifoNode
from asyncipc.kernel.files.regular import S_IFREG, RegularNode
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_RDONLY, O_RDWR, O_WRONLY
from asyncipc.kernel.processes.process import Process
from tests.kernel.helpers import failure


class Hand:
    """A clock that stands where it is put."""

    def __init__(self) -> None:
        self.ns = 0

    def now(self) -> int:
        return self.ns

    def arm(self, due_ns: int, action: Callable[[], None]) -> None:  # type: ignore[override]
        raise AssertionError

    def cancel(self, timer: object) -> None:
        raise AssertionError


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def names(kernel: Kernel) -> Namespace:
    return kernel.names


@pytest.fixture
def root(kernel: Kernel) -> Process:
    return kernel.first_process("main", Console(kernel, lambda data: None))


@pytest.fixture
def user(kernel: Kernel, root: Process) -> Process:
    process = kernel.fork(root, "user")
    process.uid = process.gid = 1000
    return process


@pytest.fixture
def tree(names: Namespace, root: Process) -> Namespace:
    """In the working directory: a FIFO ``f``, an empty ``g``, and ``d`` with ``e`` in it."""
    names.mkfifo(root, b"f", 0o666)
    names.mkdir(root, b"d", 0o777)
    names.mkdir(root, b"d/e", 0o777)
    names.mkdir(root, b"g", 0o777)
    return names


def test_a_process_begins_in_tmp_and_paths_are_absolute_or_from_there(
    tree: Namespace, root: Process
) -> None:
    assert tree.getcwd(root) == b"/tmp"
    assert tree.lookup(root, b"f") is tree.lookup(root, b"/tmp/f")
    assert tree.lookup(root, b"d/e/../../f") is tree.lookup(root, b"/../tmp//./f")
    tree.chdir(root, b"d/e")
    assert tree.getcwd(root) == b"/tmp/d/e"
    assert tree.lookup(root, b"../../f") is tree.lookup(root, b"/tmp/f")
    tree.chdir(root, b"/")
    assert tree.getcwd(root) == b"/"
    assert tree.listdir(root, b".") == [b"tmp", b"dev"]
    assert tree.listdir(root, b"tmp/") == [b"f", b"d", b"g"]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (b"", "ENOENT"),
        (b"x", "ENOENT"),
        (b"x/f", "ENOENT"),
        (b"f/", "ENOTDIR"),
        (b"f/x", "ENOTDIR"),
        (b"f/..", "ENOTDIR"),
        (b"n" * 255, "ENOENT"),
        (b"n" * 256, "ENAMETOOLONG"),
        (b"n" * 256 + b"/x", "ENAMETOOLONG"),
        ((b"./" * 2048)[:4095], "no error"),
        (b"./" * 2048, "ENAMETOOLONG"),
    ],
)
def test_what_a_path_can_fail_with(tree: Namespace, root: Process, path: bytes, error: str) -> None:
    assert failure(tree.stat, root, path) == error


@pytest.mark.parametrize(
    ("path", "fifo", "directory"),
    [
        (b"f", "EEXIST", "EEXIST"),
        (b"f/", "EEXIST", "EEXIST"),
        (b"d", "EEXIST", "EEXIST"),
        (b".", "EEXIST", "EEXIST"),
        (b"..", "EEXIST", "EEXIST"),
        (b"/", "EEXIST", "EEXIST"),
        (b"", "ENOENT", "ENOENT"),
        (b"x/y", "ENOENT", "ENOENT"),
        (b"f/x", "ENOTDIR", "ENOTDIR"),
        (b"new/", "ENOENT", "no error"),
        (b"new", "no error", "no error"),
        (b"n" * 256, "ENAMETOOLONG", "ENAMETOOLONG"),
    ],
)
def test_what_cannot_be_made(
    tree: Namespace, root: Process, path: bytes, fifo: str, directory: str
) -> None:
    assert failure(tree.mkfifo, root, path, 0o666) == fifo
    if fifo == "no error":
        tree.unlink(root, path)
    assert failure(tree.mkdir, root, path, 0o777) == directory


@pytest.mark.parametrize(
    ("path", "unlinked", "removed"),
    [
        (b"x", "ENOENT", "ENOENT"),
        (b"x/", "ENOENT", "ENOENT"),
        (b"f", None, "ENOTDIR"),
        (b"f/", "ENOTDIR", "ENOTDIR"),
        (b"d", "EISDIR", "ENOTEMPTY"),
        (b"d/", "EISDIR", "ENOTEMPTY"),
        (b"g/", "EISDIR", "no error"),
        (b".", "EISDIR", "EINVAL"),
        (b"d/.", "EISDIR", "EINVAL"),
        (b"..", "EISDIR", "ENOTEMPTY"),
        (b"/", "EISDIR", "EBUSY"),
    ],
)
def test_what_cannot_be_removed(
    tree: Namespace, root: Process, path: bytes, unlinked: str | None, removed: str
) -> None:
    if unlinked is not None:
        assert failure(tree.unlink, root, path) == unlinked
    assert failure(tree.rmdir, root, path) == removed


@pytest.mark.parametrize(
    ("former", "new", "error"),
    [
        (b"d", b"d/e/x", "EINVAL"),
        (b"d", b"d/e", "EINVAL"),
        (b"d/e", b"d", "ENOTEMPTY"),
        (b"g", b"d", "ENOTEMPTY"),
        (b"f", b"d", "EISDIR"),
        (b"d", b"f", "ENOTDIR"),
        (b"f/", b"x", "ENOTDIR"),
        (b"f", b"x/", "ENOTDIR"),
        (b".", b"x", "EBUSY"),
        (b"f", b".", "EBUSY"),
        (b"/", b"x", "EBUSY"),
        (b"x", b"y", "ENOENT"),
        (b"x", b"f", "ENOENT"),
    ],
)
def test_what_cannot_be_renamed_and_stays_as_it_is(
    tree: Namespace, root: Process, former: bytes, new: bytes, error: str
) -> None:
    before = tree.listdir(root, b"."), tree.listdir(root, b"d")
    assert failure(tree.rename, root, former, new) == error
    assert (tree.listdir(root, b"."), tree.listdir(root, b"d")) == before


def test_a_renamed_node_is_the_same_one_and_replaces_what_bore_the_name(
    tree: Namespace, root: Process
) -> None:
    fifo, inner = tree.lookup(root, b"f"), tree.lookup(root, b"d/e")
    tree.mkfifo(root, b"other", 0o666)
    other = tree.lookup(root, b"other")
    tree.rename(root, b"f", b"other")
    assert tree.lookup(root, b"other") is fifo
    assert not other.linked
    tree.rename(root, b"d/e", b"g/")
    assert tree.lookup(root, b"g") is inner
    assert inner.path() == b"/tmp/g"
    tree.rename(root, b"g", b"g")
    assert tree.listdir(root, b".") == [b"d", b"other", b"g"]
    tree.rename(root, b"g", b"d/deep/")
    tree.chdir(root, b"d/deep")
    assert tree.getcwd(root) == b"/tmp/d/deep"
    assert tree.lookup(root, b"..") is tree.lookup(root, b"/tmp/d")


def test_a_removed_directory_is_still_somewhere_but_nothing_can_be_made_in_it(
    tree: Namespace, root: Process
) -> None:
    tree.chdir(root, b"g")
    tree.rmdir(root, b"../g")
    assert failure(tree.getcwd, root) == "ENOENT"
    assert failure(tree.mkfifo, root, b"x", 0o666) == "ENOENT"
    assert tree.listdir(root, b".") == []
    assert tree.stat(root, b".").links == 0
    assert root.cwd.path() == b"/tmp/g (deleted)"
    assert tree.lookup(root, b"..") is tree.tmp


def test_modes_obey_the_umask_and_a_directory_takes_no_set_id_bits(
    names: Namespace, root: Process
) -> None:
    root.umask = 0o027
    names.mkdir(root, b"d", 0o7777)
    names.mkfifo(root, b"f", 0o7777)
    assert names.stat(root, b"d").mode == S_IFDIR | 0o1750
    assert names.stat(root, b"f").mode == S_IFIFO | 0o7750
    names.chmod(root, b"f", 0o17604)
    assert names.stat(root, b"f").mode == S_IFIFO | 0o7604


def test_links_of_a_directory_count_the_directories_in_it(tree: Namespace, root: Process) -> None:
    assert tree.stat(root, b".").links == 4
    assert tree.stat(root, b"g").links == 2
    assert tree.stat(root, b"f").links == 1
    assert tree.stat(root, b"g").inode != tree.stat(root, b"d").inode


def test_times_tell_when_a_node_and_the_names_in_it_have_changed(
    kernel: Kernel, tree: Namespace, root: Process
) -> None:
    kernel.timers = hand = Hand()  # type: ignore[assignment]
    hand.ns = 5
    tree.mkfifo(root, b"d/x", 0o666)
    assert tree.stat(root, b"d/x")[6:9] == (5, 5, 5)
    assert tree.stat(root, b"d")[6:9] == (0, 5, 5)
    hand.ns = 6
    tree.chmod(root, b"d/x", 0)
    assert tree.stat(root, b"d/x")[6:9] == (5, 5, 6)
    assert tree.stat(root, b"d")[6:9] == (0, 5, 5)
    node = tree.lookup(root, b"d/x")
    hand.ns = 7
    tree.listdir(root, b"d")
    tree.unlink(root, b"d/x")
    assert node.status()[6:9] == (5, 5, 7)
    assert tree.stat(root, b"d")[6:9] == (7, 7, 7)


def test_every_directory_on_the_way_must_let_the_process_search_it(
    tree: Namespace, root: Process, user: Process
) -> None:
    tree.chmod(root, b"d", 0o766)
    for call in (tree.stat, tree.unlink, tree.rmdir, tree.chdir):
        assert failure(call, user, b"d/e") == "EACCES"
    assert failure(tree.chdir, user, b"d") == "EACCES"
    assert tree.listdir(user, b"d") == [b"e"], "reading needs no searching"
    tree.chmod(root, b"d", 0o711)
    assert failure(tree.listdir, user, b"d") == "EACCES"
    assert failure(tree.stat, user, b"d/e") == "no error"
    assert failure(tree.mkfifo, user, b"d/x", 0o666) == "EACCES"
    assert failure(tree.rmdir, user, b"d/e") == "EACCES"
    assert failure(tree.stat, root, b"d/e") == "no error"


def test_in_a_sticky_directory_only_ones_own_can_be_taken_away(
    tree: Namespace, root: Process, user: Process
) -> None:
    tree.mkfifo(user, b"mine", 0o666)
    for call in (tree.unlink, lambda *args: tree.rename(*args, b"g/x")):
        assert failure(call, user, b"f") == "EPERM"
    assert failure(tree.rmdir, user, b"g") == "EPERM"
    assert failure(tree.rename, user, b"mine", b"f") == "EPERM"
    assert failure(tree.chmod, user, b"f", 0o777) == "EPERM"
    assert failure(tree.chmod, user, b"mine", 0o777) == "no error"
    assert failure(tree.unlink, user, b"mine") == "no error"
    tree.chmod(root, b".", 0o777)
    assert failure(tree.unlink, user, b"f") == "no error"


def test_the_owner_of_a_sticky_directory_may_take_away_what_is_in_it(
    tree: Namespace, root: Process, user: Process
) -> None:
    tree.mkdir(user, b"mine", 0o1777)
    tree.mkfifo(root, b"mine/x", 0o666)
    assert failure(tree.unlink, user, b"mine/x") == "no error"


def test_a_directory_that_moves_elsewhere_must_be_writable(
    tree: Namespace, root: Process, user: Process
) -> None:
    tree.mkdir(user, b"mine", 0o555)
    tree.mkdir(user, b"mine2", 0o777)
    assert failure(tree.rename, user, b"mine", b"still_mine") == "no error"
    assert failure(tree.rename, user, b"still_mine", b"mine2/x") == "EACCES"


def test_the_owner_is_judged_by_the_owners_bits_alone(
    tree: Namespace, root: Process, user: Process
) -> None:
    tree.mkdir(user, b"mine", 0o777)
    tree.chmod(user, b"mine", 0o077)
    assert failure(tree.listdir, user, b"mine") == "EACCES"
    user.uid = 1001
    assert failure(tree.listdir, user, b"mine") == "no error"


@pytest.mark.parametrize(
    ("path", "flags", "error"),
    [
        (b"x", O_RDONLY, "ENOENT"),
        (b"x/", O_CREAT, "EISDIR"),
        (b"f/", O_CREAT, "EISDIR"),
        (b"d/", O_CREAT | O_EXCL, "EISDIR"),
        (b"none/x", O_CREAT | O_DIRECTORY, "EINVAL"),
        (b"d", O_DIRECTORY | O_TRUNC, "EISDIR"),
        (b".", O_CREAT | O_EXCL, "EEXIST"),
        (b"f/", O_RDWR, "ENOTDIR"),
        (b"f", O_RDWR | O_DIRECTORY, "ENOTDIR"),
        (b"f", O_RDWR | O_CREAT, "no error"),
        (b"f", O_RDWR | O_CREAT | O_EXCL, "EEXIST"),
        (b"f", O_RDWR | O_EXCL, "no error"),
        (b".", O_WRONLY, "EISDIR"),
        (b".", O_CREAT, "EISDIR"),
        (b"/", O_RDWR, "EISDIR"),
    ],
)
def test_what_cannot_be_opened(
    tree: Namespace, root: Process, path: bytes, flags: int, error: str
) -> None:
    assert failure(tree.to_open, root, path, flags) == error


def test_opening_needs_the_permissions_that_its_access_mode_asks(
    tree: Namespace, root: Process, user: Process
) -> None:
    tree.chmod(root, b"f", 0o604)
    assert isinstance(tree.to_open(user, b"f", O_RDONLY), FifoNode)
    assert failure(tree.to_open, user, b"f", O_RDONLY | O_TRUNC) == "EACCES"
    for flags in (O_WRONLY, O_RDWR):
        assert failure(tree.to_open, user, b"f", flags) == "EACCES"
    tree.chmod(root, b"f", 0o602)
    assert isinstance(tree.to_open(user, b"f", O_WRONLY), FifoNode)
    assert failure(tree.to_open, user, b"f", O_RDONLY) == "EACCES"


def test_o_creat_makes_a_regular_file_with_what_the_umask_leaves_of_the_mode(
    tree: Namespace, root: Process, user: Process
) -> None:
    made = tree.to_open(root, b"d/x", O_RDWR | O_CREAT | O_EXCL, 0o666)
    assert isinstance(made, RegularNode)
    status = tree.stat(root, b"d/x")
    assert status[:6] == (S_IFREG | 0o644, made.inode, 1, 0, 0, 0)
    assert tree.to_open(root, b"d/x", O_RDWR | O_CREAT, 0o666) is made
    tree.chmod(root, b"d", 0o755)
    assert failure(tree.to_open, user, b"d/y", O_RDWR | O_CREAT) == "EACCES"
    assert failure(tree.stat, root, b"d/y") == "ENOENT"


def test_who_makes_a_file_may_open_it_as_it_likes(tree: Namespace, user: Process) -> None:
    assert isinstance(tree.to_open(user, b"x", O_RDWR | O_CREAT, 0o000), RegularNode)
    assert failure(tree.to_open, user, b"x", O_RDWR | O_CREAT) == "EACCES"


def test_a_forked_process_has_its_own_working_directory(
    kernel: Kernel, tree: Namespace, root: Process
) -> None:
    tree.chdir(root, b"d")
    child = kernel.fork(root, "child")
    tree.chdir(child, b"e")
    assert (tree.getcwd(root), tree.getcwd(child)) == (b"/tmp/d", b"/tmp/d/e")
    assert isinstance(tree.lookup(child, b"."), Directory)


def test_directories_nest_deeper_than_calls_do(names: Namespace, root: Process) -> None:
    depth = 1500
    for _ in range(depth):
        names.mkdir(root, b"d", 0o777)
        names.chdir(root, b"d")
    assert names.getcwd(root) == b"/tmp" + b"/d" * depth
    innermost = root.cwd
    names.chdir(root, b"..")
    names.rmdir(root, b"d")
    assert innermost.path() == b"/tmp" + b"/d" * depth + b" (deleted)"
