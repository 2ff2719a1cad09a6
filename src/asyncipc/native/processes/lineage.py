"""The lineage: a run's first interpreter, the *ancestor*, and all below it.

Nobody of a run outlives it, and no zombie stays, whatever is killed:

* The **lifeline** is a pipe whose write end only the ancestor has.  Each
  descendant has asked the operating system for SIGKILL at its end (F_SETSIG),
  so it dies with the ancestor, or when that lets go, however busy it is.
  PR_SET_PDEATHSIG won't do: a child outlives its parent as long as the run lasts.
* The ancestor adopts orphans (PR_SET_CHILD_SUBREAPER) and reaps them, as init
  does.  It knows them by their pidfd, which the **word** brings: a socket on
  which all descendants tell of births, and write what is for its console.
* Who is killed as it gives birth tells nobody.  So a newborn tells as well; if
  the run is over by then it dies, known by the **family**'s name.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NamedTuple, final

from asyncipc.kernel.openfile import F_SETSIG
from asyncipc.kernel.processes.process import PR_GET_CHILD_SUBREAPER, PR_SET_CHILD_SUBREAPER
from asyncipc.native.libc import prctl
from asyncipc.native.processes.bell import Bell
from asyncipc.native.processes.letter import Letter

PR_SET_NAME: Final = 15
PIECE: Final = 65536
"""So many bytes for the console are one message at most."""
PATIENCE_MS: Final = 10_000
"""How long the ancestor waits for who was killed: its last system call may take a while."""


def kill(pidfd: int, number: int = signal.SIGKILL) -> bool:
    """pidfd_send_signal(2).  False if it has been reaped."""
    try:
        signal.pidfd_send_signal(pidfd, number)
    except ProcessLookupError:
        return False
    return True


def await_end(pidfd: int) -> None:
    """Return when a process that was killed is a zombie, or gone."""
    question = select.poll()
    question.register(pidfd, select.POLLIN)
    question.poll(PATIENCE_MS)


class Tie(NamedTuple):
    """What ties a descendant to its ancestor: two descriptors, which its children inherit,
    and the name of their family, by which even a zombie is known (PR_SET_NAME).
    """

    lifeline: int
    word: int
    family: bytes

    def numbers(self) -> tuple[int, int]:
        return self.lifeline, self.word

    def fasten(self) -> None:
        """From here on this interpreter does not outlive the ancestor."""
        for number in self.numbers():
            os.set_inheritable(number, False)
        name = ctypes.create_string_buffer(self.family)
        prctl(PR_SET_NAME, ctypes.addressof(name), 0, 0, 0)
        # F_SETOWN is of the open file: each needs one of its own.
        own = os.open(f"/proc/self/fd/{self.lifeline}", os.O_RDONLY | os.O_NONBLOCK)
        fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(own, F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(own, fcntl.F_SETFL, os.O_NONBLOCK | fcntl.FASYNC)
        question = select.poll()
        question.register(own, 0)
        if question.poll(0):  # it had been let go before
            os.kill(os.getpid(), signal.SIGKILL)

    def announce(self, pid: int, pidfd: int, letter: Letter) -> None:
        """A process was born.  Waits while the ancestor is behind with its reading."""
        with socket.socket(fileno=os.dup(self.word)) as word:
            socket.send_fds(word, [b"B%d" % pid], [pidfd, letter.number])

    def print(self, data: bytes) -> None:
        """To the ancestor's console."""
        for place in range(0, len(data), PIECE):
            os.write(self.word, b"C" + data[place : place + PIECE])


@final
class Kin:
    """A descendant that is somebody else's child, until that has ended."""

    __slots__ = ("alive", "letter", "pid", "pidfd")

    def __init__(self, pid: int, pidfd: int, letter: Letter) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.letter = letter
        self.alive = True

    def is_reaped(self) -> bool:
        return not kill(self.pidfd, 0)

    def close(self) -> None:
        os.close(self.pidfd)
        self.letter.close()


@final
class Ancestor:
    """``outlet``: its console's.  ``failed``: called with the pid and the error of a
    descendant that has failed, if its parent has not asked; ``left``: when one has ended.
    """

    def __init__(
        self,
        bell: Bell,
        outlet: Callable[[bytes], None],
        failed: Callable[[int, BaseException], None],
        left: Callable[[], None],
    ) -> None:
        self._bell = bell
        self._outlet = outlet
        self._failed = failed
        self._left = left
        self._kin: list[Kin] = []
        self._own: dict[int, None] = {}
        self._word, word = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            lifeline, self._hold = os.pipe()
        except OSError:
            self._word.close()
            word.close()
            raise
        self._word.setblocking(False)
        self.tie = Tie(lifeline, word.detach(), b"ipc" + os.urandom(6).hex().encode())
        self._reaped_orphans_before = _becomes_subreaper()
        bell.hang(self._word.fileno(), self.listen)

    @property
    def has_living(self) -> bool:
        """Of others' children, as far as they were told of."""
        self.listen()
        return any(kin.alive for kin in self._kin)

    def knows(self, pid: int) -> None:
        """A child of its own, whom it buries as everybody does."""
        self._own[pid] = None

    def forgets(self, pid: int) -> None:
        self._own.pop(pid, None)

    def kill_group(self, group: int, number: int) -> None:
        """To others' children, as far as they were told of."""
        self.listen()
        for kin in self._kin:
            with suppress(ProcessLookupError, PermissionError):
                if kin.alive and os.getpgid(kin.pid) == group:
                    kill(kin.pidfd, number)

    # -- the word

    def listen(self) -> bool:
        """Read what has come.  False if there is nobody left who could tell."""
        while True:
            try:
                text, numbers, *_ = socket.recv_fds(
                    self._word, PIECE + 1, 2, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                return True
            if not text:
                return False
            if text.startswith(b"C"):
                self._outlet(text[1:])
            elif len(numbers) == 2:
                self._born(int(text[1:]), numbers[0], Letter(numbers[1]))
            else:  # RLIMIT_NOFILE let no more through: the lifeline will have to do
                for number in numbers:
                    os.close(number)

    def _born(self, pid: int, pidfd: int, letter: Letter) -> None:
        """Both the parent and the child tell, in case one of them is killed before."""
        kin = Kin(pid, pidfd, letter)
        if pid in self._own or any(each.pid == pid and each.alive for each in self._kin):
            kin.close()
            return
        self._kin.append(kin)
        self._bell.hang(pidfd, lambda: self._ended(kin))

    # -- the burial of orphans

    def _ended(self, kin: Kin) -> None:
        kin.alive = False
        self._bell.take_down(kin.pidfd)
        self.bury()
        self._left()

    def bury(self) -> None:
        """Somebody has ended: reap those who are orphans now."""
        for kin in [kin for kin in self._kin if not kin.alive]:
            try:
                told = os.waitid(os.P_PIDFD, kin.pidfd, os.WEXITED | os.WNOHANG)
            except ChildProcessError:  # its parent lives, and has asked or will
                if kin.is_reaped():
                    self._forget(kin, None)
                continue
            if told is not None:
                self._forget(kin, kin.letter.last_words())

    def _forget(self, kin: Kin, error: BaseException | None) -> None:
        self._kin.remove(kin)
        kin.close()
        if error is not None:
            self._failed(kin.pid, error)

    # -- the end

    def let_go(self) -> None:
        """Whoever is left dies now."""
        os.close(self._hold)
        os.close(self.tie.lifeline)
        os.close(self.tie.word)
        for kin in self._kin:
            kill(kin.pidfd)

    def close(self) -> None:
        """Return when all are gone; its own children are to be reaped after that."""
        question = select.poll()
        question.register(self._word, select.POLLIN)
        while self.listen() and question.poll(PATIENCE_MS):
            pass
        self._bell.take_down(self._word.fileno())
        self._word.close()

    def bury_all(self) -> None:
        """When its own children are reaped, all others are orphans."""
        for kin in self._kin:
            await_end(kin.pidfd)
            kin.alive = False
            self._bell.take_down(kin.pidfd)
        self.bury()
        for kin in self._kin:
            kin.close()
        self._kin.clear()
        bury_foundlings(self.tie.family)
        prctl(PR_SET_CHILD_SUBREAPER, self._reaped_orphans_before, 0, 0, 0)


def bury_foundlings(family: bytes) -> None:
    """Reap the dead of whom nobody had told: their parent was killed as it gave birth.

    They have got as far as their name and the end of the lifeline.
    """
    for task in os.listdir("/proc/self/task"):
        for pid in _lines(f"/proc/self/task/{task}/children").split():
            if _lines(f"/proc/{int(pid)}/comm").strip() == family:
                os.waitid(os.P_PID, int(pid), os.WEXITED)


def _lines(path: str) -> bytes:
    """Of a file in /proc; b"" if that is gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _becomes_subreaper() -> int:
    """Orphans come to this interpreter.  Whether they did before."""
    before = ctypes.c_int(0)
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.addressof(before), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    return before.value
