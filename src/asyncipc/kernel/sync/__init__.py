"""Synchronisation in shared memory: futexes, and the sem_t, mutex and condition on them.

Their state lies in the memory that processes share, in the layout of glibc's
types, so that everybody who maps it sees it; who sleeps for it is known here, by
the word's place in its contents.  ``futex`` first (words, the lines at them, and
the grant that is the law of all), then ``semaphore``, ``named``, ``mutex``,
``ownership`` (what a process has locked), ``condition``, ``makers``.  They must never know a
descriptor, nor an event loop.
"""
