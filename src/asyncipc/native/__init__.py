"""The native machine: the real kernel's objects behind the same verbs.

It knows the operating system's calls, non-blocking descriptors, and how each
scheduler waits for one to be ready.  It must never know a face, or be known by
one: whatever a program asks of an open file, a simulated one answers as well.

Laws:

* A verb is one call of the operating system that does not block.  EAGAIN is
  its refusal, and the line that it names waits for the descriptor.
* Errors, addresses, options and sizes are the operating system's own.
* What it can only do blocking is tried again and again (:class:`line.RetryLine`).
* A number of the operating system belongs to one open file, which closes it.
* What tasks of one interpreter cannot have is refused by name.

Read in this order: ``line`` (who waits), ``descriptor`` (what all native files
do alike), ``files/pipe`` (the pattern), then the rooms, which are the kernel's:
``files/``, ``sockets/``, ``memory/``, ``sync/``, ``sysv/``, ``anonymous/``;
``processes/`` (children that are the operating system's); ``adopt`` (what class a
number is of), ``backend`` (who makes what), ``machine`` (the choice).
"""
