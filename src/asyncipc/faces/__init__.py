"""The faces: how a program speaks to a machine.

Thin: each turns a call into one :func:`asyncipc.runtime.syscall.syscall` on an
open file's verb, and an errno into what its users expect.  They must never
know which machine answers, nor hold state that an endpoint has.

``asyncipc.posix``: descriptors, as in ``os`` and ``socket``; it stands one
floor up because that is its public name.  ``channels``: what a program holds,
and pipes as anyio's byte streams; ``stream_sockets``, ``listeners`` and
``datagram_sockets``: sockets as anyio's.  ``trio_stream``: a channel as a
``trio.abc`` stream.  ``open_process``: fork in a structured form.  ``calls``: how they are
made anew, or whole.  Of shared
storage: ``open_file`` and ``file_lock``; ``address_range`` (what a program holds
of mapped memory), of which ``memory_map`` and ``attached_memory`` are two kinds,
``memory_fault``, and ``shared_memory``; ``semaphore``, ``mutex`` and ``condition``,
which lie in it.  ``message_queue``: messages with priorities.
"""
