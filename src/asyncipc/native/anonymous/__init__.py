"""Descriptors that wait for something: epoll, eventfd, timerfd, pidfd.

Read in this order: ``file`` (what they do alike), ``eventfd``, ``timerfd``, ``pidfd``, ``epoll``.
"""
