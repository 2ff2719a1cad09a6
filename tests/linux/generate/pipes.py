"""Pipes and FIFOs: sixteen slots, packets, sizes, splice and tee."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family


class Pipes(Family):
    name = "pipes"
    opening: ClassVar[tuple[str, ...]] = ("r w = pipe {! O_NONBLOCK}",) * 2
    tasks_max: ClassVar = 3
    grammar = """
        2 r:8 w = pipe {! O_NONBLOCK}|{? O_DIRECT O_CLOEXEC}
       10 write <w> DATA
       10 read <r> SIZE
        4 readlen <r> SIZE
        3 writev <w> DATAS:8192
        3 readv <r> SIZES:8192
        6 poll <r|w>
        3 fionread <r|w>
        1 select [<r>] [<w>] []
        1 fcntl <r|w> F_GETPIPE_SZ
        2 fcntl <r|w> F_SETPIPE_SZ {65536 0 1 4096 4097 8192 20000 1048576 2097152}
        1 fcntl <r|w> F_GETFL
        1 fcntl <r|w> F_SETFL {! O_NONBLOCK}|{? O_DIRECT}
        2 * = dup <r|w>
        2 close <r|w>!
        4 splice <r> <w> SIZE {! SPLICE_F_NONBLOCK}
        3 tee <r> <w> SIZE {! SPLICE_F_NONBLOCK}
        1 fill <w> {b*100 c*4096 d*10000}
        1 drain <r>
        1 fork TASK
    """


class Fifos(Pipes):
    name = "fifos"
    opening: ClassVar[tuple[str, ...]] = ("mkfifo $D/a", "r = open $D/a O_RDONLY|O_NONBLOCK")
    grammar = (
        """
        2 mkfifo {$D/a $D/b}
        4 r:8 = open {$D/a $D/b $D/c} O_RDONLY|{! O_NONBLOCK}
        4 w:8 = open {$D/a $D/b $D/c} O_WRONLY|{! O_NONBLOCK}
        2 w:8 = open {$D/a $D/b $D/c} O_RDWR|O_NONBLOCK
        1 unlink {$D/a $D/b $D/c}
        1 rename {$D/a $D/b} {$D/b $D/c}
        1 link {$D/a $D/b} {$D/b $D/c}
        1 exists {$D/a $D/b $D/c}
    """
        + Pipes.grammar
    )
