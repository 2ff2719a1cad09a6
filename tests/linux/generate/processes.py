"""Processes and signals: birth, death, groups; sending, blocking, handling, waiting for both."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import ClassVar

from tests.linux.generate.program import Family

SIGNALS = "{SIGUSR1 SIGUSR2 SIGTERM SIGRTMIN SIGRTMIN+1 SIGCHLD SIGWINCH}"
SOME = "[SIGUSR1] [SIGUSR1,SIGUSR2] [SIGTERM] [SIGRTMIN,SIGCHLD] [SIGCHLD] []"


class Signals(Family):
    """Those that end nobody, for the most part: all are blocked or handled at first."""

    name = "signals"
    tasks_max: ClassVar = 3
    settling = "kill"
    opening: ClassVar[tuple[str, ...]] = (
        "sigmask SIG_BLOCK [SIGUSR1,SIGUSR2,SIGTERM,SIGRTMIN,SIGCHLD]",
        "chandle SIGUSR1 0",
        "fork TASK",
    )
    grammar = """
       12 kill %PROCESS {SIGUSR1 SIGUSR2 SIGTERM SIGRTMIN SIGCHLD 0}
        6 sigqueue %PROCESS {SIGUSR1 SIGRTMIN SIGUSR2} {1 2 3}
        3 raise {SIGUSR1 SIGUSR2 SIGCHLD}
        3 sigmask SIG_BLOCK {SOME}
        2 sigmask SIG_UNBLOCK {SOME}
        1 sigmask SIG_SETMASK {SOME}
        6 sigpending
        8 sigtimedwait {[SIGUSR1] [SIGUSR1,SIGUSR2] [SIGTERM,SIGRTMIN] [SIGCHLD] [SIGKILL]} 0
        4 chandle {SIGUSR1 SIGRTMIN SIGRTMIN SIGKILL} {0 0 1 2 4}
        2 ignore {SIGUSR2 SIGTERM SIGCHLD}
        1 default {SIGUSR2 SIGTERM SIGCHLD}
        2 getsignal {SIGUSR2 SIGTERM SIGCHLD}
        6 clog
        1 kill %PROCESS {SIGSTOP SIGCONT SIGTSTP}
        1 kill %PROCESS SIGCONT
        1 f:2 = signalfd {[SIGUSR1] [SIGUSR1,SIGUSR2,SIGTERM] [SIGRTMIN,SIGCHLD]} SFD_NONBLOCK
        4 read_signalfd <f> {1 2 5}
        2 poll <f>
        1 fork TASK
        1 waitpid -1 WNOHANG|{? WUNTRACED WCONTINUED}
    """.replace("SOME", SOME.replace(" ", " "))

    def line(self, idle: Sequence[str]) -> str:
        """Whoever was sent a signal then makes a call, in which its handler runs."""
        line = super().line(idle)
        sent = re.search(r"\b(?:kill|sigqueue) %(\w)", line)
        if sent:
            self._forced.append((sent[1], "getpid"))
        return line


class Processes(Family):
    name = "processes"
    tasks_max: ClassVar = 8
    settling = "kill|exit|pidfd_send"
    opening: ClassVar[tuple[str, ...]] = ("fork TASK", "fork TASK")
    grammar = """
        6 fork TASK
        2 exit {0 1 3 255 256}
        2 kill %PROCESS {SIGKILL SIGTERM SIGUSR1}
        2 kill %PROCESS SIGSTOP
        3 kill %PROCESS SIGCONT
        3 kill %PROCESS 0
        8 waitpid {-1 %PROCESS 0} WNOHANG|{? WUNTRACED WCONTINUED}
        3 waitid {P_ALL 0} {0} WNOHANG|{WEXITED WEXITED|WSTOPPED WCONTINUED}|{? WNOWAIT}
        2 waitid P_PID %PROCESS WNOHANG|{WEXITED WEXITED|WSTOPPED WCONTINUED}|{? WNOWAIT}
        3 getppid
        3 getpgid %PROCESS
        2 getpgrp
        2 getsid %PROCESS
        3 setpgid {0 %PROCESS} {0 %PROCESS}
        1 setsid
        2 killpg %PROCESS {0 SIGCONT SIGTERM}
        1 kill -%PROCESS 0
        1 ignore {SIGCHLD SIGTERM}
        1 default {SIGCHLD SIGTERM}
        2 p:3 = pidfd_open %PROCESS
        2 poll <p>
        1 pidfd_send <p> {0 SIGCONT SIGTERM}
        1 waitid P_PIDFD <p> WNOHANG|WEXITED
        1 close <p>!
        1 subreaper {0 1}
        1 pdeathsig {0 SIGTERM}
        4 procstate %PROCESS
    """
