"""The same cases on the real kernel, by raw calls: the oracle of the replayer.

A test asks ``conductor`` (the only door: ``outcomes`` and ``RealKernel``).  It
talks with one small process (``init``) that forks a worker for each case, gives
it orders (``leader``) and looks whether it sleeps (``task``).  Orders travel
through memory and futexes (``slot``), so a worker holds no descriptor that a
program could close or see.  ``worker`` carries them out; the ``*_ops`` modules
are one function per operation, and call the system itself, nothing of asyncipc.
Shared with the simulated machine is ``oplang``: how lines are read and values written.
"""
