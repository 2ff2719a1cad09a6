"""What the demos of shared storage have to show, on both event loops."""

from __future__ import annotations

from tests.cli.text import in_order, of_pid


def test_lost_update_loses_half_without_a_lock_and_none_with_one(shown: dict[str, str]) -> None:
    assert in_order(
        shown["lost_update"],
        "Without a lock:",
        "2 * 3 additions give 3\n",
        "With a semaphore from the load to the store:",
        "2 * 3 additions give 6\n",
    )


def test_torn_read_shows_a_sum_that_never_was_and_then_none(shown: dict[str, str]) -> None:
    trusting, careful = shown["torn_read"].split("A reader that looks at the version:")
    assert "= 90, which never was" in trusting
    assert "never was" not in careful
    assert careful.count("= 100\n") == 4


def test_ring_buffer_keeps_to_four_places(shown: dict[str, str]) -> None:
    text = shown["ring_buffer"]
    assert in_order(
        text,
        *(f"place {number % 4}: {letter * 16}\n" for number, letter in enumerate("ABCDEFGH")),
        "4 places are free again\n",
    )
    assert "[blocked 0.500 s]" in text


def test_record_locks_lets_readers_together_and_a_writer_of_another_record_in(
    shown: dict[str, str],
) -> None:
    text = shown["record_locks"]
    assert in_order(
        text,
        "read 0000100\n",
        "read 0000100\n",
        "$ lslocks\n",
        "POSIX",
        "WRITE*",
        "output │ 0000101\n",
        "output │ 0000201\n",
        "the lock is mine: the close gave it back\n",
    )
    assert "[blocked 0.900 s]" in text


def test_lock_order_is_refused_by_the_kernel_or_named_by_the_report(
    shown: dict[str, str],
) -> None:
    assert in_order(
        shown["lock_order"],
        "= EDEADLK",
        "refused: [Errno 35] Resource deadlock avoided",
        "has both\n",
        "Deadlock: nobody can run",
        "flock on /tmp/b",
        "flock on /tmp/a",
        "cycle: pid 3 -> pid 4 -> pid 3",
        "take them in one order",
        "both have had both\n",
    )


def test_dead_owner_is_forgotten_undone_or_told(shown: dict[str, str]) -> None:
    assert in_order(
        shown["dead_owner"],
        "+++ killed by SIGKILL +++",
        "Deadlock: nobody can run",
        "sem_wait(",
        "{0, -1, SEM_UNDO}",
        "the kernel has given it back\n",
        "pthread_mutex_lock(mutex at 0x0) = EOWNERDEAD\n",
        "it is mine, and its owner is dead",
        "pthread_mutex_consistent(mutex at 0x0) = 0\n",
    )


def test_priorities_gives_the_urgent_first_and_equals_in_order(shown: dict[str, str]) -> None:
    assert in_order(
        shown["priorities"],
        "the sender has ended\n",
        "9: put out the fire\n",
        "5: answer the door\n",
        "5: answer the phone\n",
        "1: sweep the yard\n",
        "1: water the plants\n",
        "A queue of two",
        "[blocked 1.000 s]",
    )


def test_epoll_server_serves_whoever_is_ready(shown: dict[str, str]) -> None:
    text = shown["epoll_server"]
    assert in_order(
        text,
        "epoll_ctl(4, EPOLL_CTL_ADD, 3, EPOLLIN) = 0\n",
        "= [3: EPOLLIN]",
        "FIRST OF CLIENT 3\n",
        "SECOND OF CLIENT 1\n",
    )


def test_passing_reads_what_it_may_not_open(shown: dict[str, str]) -> None:
    text = shown["passing"]
    assert "nobody holds the file, and it is open" in text
    assert in_order(
        of_pid(text, 3) + text,
        'openat(AT_FDCWD, "/tmp/secret", O_RDONLY) = EACCES\n',
        "[SCM_RIGHTS [3]]",
        "descriptor 3 reads: secret, and more of it\n",
    )
