"""Imported by the server that forks the children of a pool: a signal to the whole group is for them, not for it."""

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
