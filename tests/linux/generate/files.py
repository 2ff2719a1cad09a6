"""Regular files: names and links, offsets, holes, appending, cutting; and their locks."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family

PATHS = "{$D/a $D/b $D/c $D/d/a $D/d/b}"
DIRECTORIES = "{$D/d $D/e}"
ANY = "{$D/a $D/b $D/c $D/d/a $D/d $D/e $D/e/a}"


class Files(Family):
    name = "files"
    tasks_max: ClassVar = 2
    opening: ClassVar[tuple[str, ...]] = ("f = open $D/a O_CREAT|O_RDWR", "mkdir $D/d")
    grammar = (
        """
        4 f:10 = open PATHS O_RDWR|{? O_CREAT O_EXCL O_TRUNC O_APPEND}
        2 f:10 = open PATHS O_CREAT|{O_RDONLY O_WRONLY O_RDWR}
        1 f:10 = open ANY {O_RDONLY O_WRONLY O_RDONLY|O_DIRECTORY}
        8 write <f> DATA:9000
        8 read <f> SIZE:9000
        3 writev <f> DATAS:4097
        3 readv <f> SIZES:4097
        4 pread <f> SIZE:9000 SIZE:9000
        4 pwrite <f> DATA:9000 SIZE:20000
        1 preadv <f> SIZES:100 SIZE:9000
        1 pwritev <f> DATAS:100 SIZE:20000
        4 lseek <f> SIZE:20000 {SEEK_SET SEEK_END SEEK_DATA SEEK_HOLE}
        2 lseek <f> {-1 -100 0 5} {SEEK_CUR SEEK_END SEEK_SET 9}
        3 ftruncate <f> SIZE:20000
        1 ftruncate <f> -1
        2 truncate ANY SIZE:20000
        3 fsize <f>
        2 blocks <f>
        2 nlink <f>
        2 poll <f>
        1 fionread <f>
        1 fcntl <f> F_GETFL
        1 fcntl <f> F_SETFL {0 O_APPEND O_NONBLOCK}
        2 * = dup <f>
        3 close <f>!
        3 link ANY ANY
        3 unlink ANY
        4 rename ANY ANY
        2 mkdir DIRECTORIES
        2 rmdir ANY
        2 listdir {$D $D/d $D/e}
        1 exists ANY
        1 isdir ANY
        1 ftype ANY
        1 nlink ANY
        1 mkfifo $D/e/a
        1 fsync <=f>
        2 sendfile <f> <f> {- 0 1 5000} SIZE:9000
        1 r:2 w = pipe O_NONBLOCK
        2 splice <f> <w> SIZE:9000 SPLICE_F_NONBLOCK
        2 splice <r> <f> SIZE:9000 SPLICE_F_NONBLOCK
        1 sendfile <w> <f> {- 0 1 5000} SIZE:9000
        1 drain <r>
        1 fork TASK
    """.replace("PATHS", PATHS)
        .replace("ANY", ANY)
        .replace("DIRECTORIES", DIRECTORIES)
    )


class Locks(Family):
    name = "locks"
    tasks_max: ClassVar = 4
    opening: ClassVar[tuple[str, ...]] = ("f = open $D/a O_CREAT|O_RDWR", "fork TASK", "fork TASK")
    grammar = """
        4 f:10 = open {$D/a $D/b} O_CREAT|O_RDWR
        1 f:10 = open {$D/a $D/b} O_CREAT|{O_RDONLY O_WRONLY}
       10 flock <f> {LOCK_SH LOCK_EX}|{! LOCK_NB}
        3 flock <f> LOCK_UN
       14 setlk <f> {F_SETLK F_OFD_SETLK} {F_RDLCK F_WRLCK F_UNLCK} {0 1 5 10 20} {0 1 5 10}
        2 setlk <f> {F_SETLK F_OFD_SETLK} {F_RDLCK F_WRLCK F_UNLCK} {0 1 5 -1} {-1 -5 3} {0 1 2}
       10 getlk <f> {F_GETLK F_OFD_GETLK} {F_RDLCK F_WRLCK} {0 1 5 10 20} {0 1 5 10}
        4 lockf <f> {LOCK_SH LOCK_EX}|{! LOCK_NB} {0 1 5} {0 3 9}
        2 lockf <f> LOCK_UN {0 1 5} {0 3 9}
        1 lseek <f> {0 5 10}
        1 write <f> DATA:20
        2 * = dup <f>
        3 close <f>!
        1 fork TASK
        1 unlink {$D/a $D/b}
    """
