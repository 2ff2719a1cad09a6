"""What processes agree by in memory: the model's between tasks, the C library's between processes.

Read in this order: ``makers`` (who makes which), ``semaphore``, ``mutex``, ``condition``.
"""
