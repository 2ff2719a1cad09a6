"""System V's three, by the C library; what would block there is tried again by time.

Read in this order: ``messages``, ``semaphore_sets``, ``segments``.
"""
