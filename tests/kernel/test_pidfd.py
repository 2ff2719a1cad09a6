from __future__ import annotations

from signal import SIGTERM

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.anonymous.pidfd import PIDFD_NONBLOCK, PIDFD_THREAD, PidFile
from asyncipc.kernel.console import Console
from asyncipc.kernel.kernel import Kernel, exit_status
from asyncipc.kernel.processes.children import P_PIDFD, WEXITED, WNOHANG
from asyncipc.kernel.processes.process import Process
from asyncipc.kernel.readiness import HUP, READABLE
from asyncipc.kernel.signals.disposition import SignalInfo
from tests.kernel.helpers import Asleep, failure, refused


class Family:
    """A parent, its child, and a pidfd of the child in the parent's table."""

    def __init__(self, flags: int = 0) -> None:
        self.kernel = Kernel()
        self.parent = self.kernel.first_process("parent", Console(self.kernel, lambda _: None))
        self.child: Process = self.kernel.fork(self.parent, "child")
        self.pidfd: PidFile = self.kernel.anonymous.pidfd(self.child.pid, flags)
        self.fd = self.parent.table.open(self.pidfd, cloexec=True)[0].fd

    def wait(self, options: int = WEXITED) -> object:
        return self.kernel.waitid(self.parent, P_PIDFD, self.fd, options)


def test_it_is_ready_at_the_end_and_hung_up_once_that_was_told() -> None:
    family = Family()
    watcher = Asleep()
    family.pidfd.read_queue().watch(watcher)
    assert family.pidfd.poll() == 0
    family.kernel.end(family.child, exit_status(7))
    assert (family.pidfd.poll(), watcher.wakes) == (READABLE, 1)
    info = family.wait()
    assert isinstance(info, SignalInfo)
    assert (info.si_pid, info.si_status) == (family.child.pid, 7)
    assert (family.pidfd.poll(), watcher.wakes) == (READABLE | HUP, 2)


def test_waiting_for_it_sleeps_or_not_as_it_was_opened() -> None:
    assert refused(Family().wait)
    assert Family().wait(WEXITED | WNOHANG) is None
    assert failure(Family(PIDFD_NONBLOCK).wait) == "EAGAIN"
    assert Family(PIDFD_NONBLOCK).wait(WEXITED | WNOHANG) is None


def test_who_was_waited_for_is_nobodys_child_and_hears_nothing() -> None:
    family = Family()
    send = family.pidfd.send_signal
    send(family.parent, 0, 0)
    family.kernel.end(family.child, exit_status(0))
    send(family.parent, SIGTERM, 0)
    family.wait()
    assert failure(family.wait) == "ECHILD"
    assert failure(send, family.parent, 99, 0) == "ESRCH"
    assert failure(family.kernel.anonymous.pidfd, family.child.pid, 0) == "ESRCH"


def test_it_sends_to_the_very_process() -> None:
    family = Family()
    family.pidfd.send_signal(family.parent, SIGTERM, 0)
    assert family.child.status == SIGTERM
    assert not family.child.alive


def test_wrong_arguments_fail_as_linux_says() -> None:
    family = Family()
    make, wait = family.kernel.anonymous.pidfd, family.kernel.waitid
    assert [failure(make, pid, 0) for pid in (0, -1, 999)] == ["EINVAL", "EINVAL", "ESRCH"]
    assert failure(make, family.child.pid, 1) == "EINVAL"
    assert failure(family.pidfd.send_signal, family.parent, 99, 0) == "EINVAL"
    assert failure(family.pidfd.send_signal, family.parent, 0, 8) == "EINVAL"
    assert failure(wait, family.parent, P_PIDFD, -1, WEXITED) == "EINVAL"
    assert failure(wait, family.parent, P_PIDFD, 99, WEXITED) == "EBADF"
    assert failure(wait, family.parent, P_PIDFD, 0, WEXITED) == "EBADF"
    own = family.parent.table.open(make(family.parent.pid, 0), cloexec=True)[0].fd
    assert failure(wait, family.parent, P_PIDFD, own, WEXITED) == "ECHILD"
    with pytest.raises(Unsupported):
        make(family.child.pid, PIDFD_THREAD)
    with pytest.raises(Unsupported):
        family.pidfd.send_signal(family.parent, SIGTERM, 1)


def test_it_is_no_file_to_read() -> None:
    pidfd = Family().pidfd
    assert failure(pidfd.read, 8) == "EINVAL"
    assert failure(pidfd.write, b"") == "EINVAL"
    assert failure(pidfd.seek, 0, 0) == "ESPIPE"
    assert failure(pidfd.read_at, 8, 0) == "EINVAL"
    assert failure(pidfd.truncate, 0) == "EOPNOTSUPP"


def test_one_of_a_peer_that_is_gone_means_nobody() -> None:
    gone = Kernel().anonymous.pidfd_of_peer(999)
    assert gone.poll() == READABLE | HUP
    assert gone.wakers(READABLE) == ()
