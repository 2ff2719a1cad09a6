"""System V's three: shared memory, semaphore sets, message queues, by key; sysvipc(7).

They have no descriptor and no path: an identifier stands for each until it is
removed, whoever still lives.  ``identifiers`` first (keys, permissions, and how
an identifier is made), then ``segments``, ``semaphores`` with ``pending`` and
``semaphore_call``, ``messages`` and their ``message_calls``; all sets and all queues
are ``semaphore_sets`` and ``message_queues``.  They must never know
a descriptor, nor who waits.
"""
