"""A pool of processes that survives its workers: one process per job, so many at a time, whatever each comes to.

Children are forked by a small server that has loaded the libraries and done nothing else: a child starts in
milliseconds, and inherits neither threads nor a CUDA context. A child that is killed ends alone; the others go on.
"""

import contextlib
import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection, forkserver, resource_tracker
from pathlib import Path
from typing import Any

from spred_bench.system import signals
from spred_bench.system.files import regular

_POLL_S = 0.2


@dataclass(frozen=True)
class ProcessEnd:
    """How a process ended: what its function returned, or None and the exit code (negative: killed by that signal)."""

    answer: Any
    exit_code: int | None

    @property
    def reason(self) -> str:
        """What to tell of a process that returned nothing."""
        if self.exit_code is None:
            return "not started"
        if self.exit_code >= 0:
            return f"its process ended with exit code {self.exit_code}"
        hint = " (out of memory?)" if self.exit_code == -signal.SIGKILL else ""
        return f"its process was killed by {signal.Signals(-self.exit_code).name}{hint}"


@dataclass
class _Running:
    number: int
    process: Any
    pipe: connection.Connection


def run_all(
    target: Callable[[Any], Any],
    arguments: Sequence[Any],
    n_at_once: int,
    *,
    preload: Sequence[str] = (),
    environments: Sequence[Mapping[str, str]] = ({},),
    logs: Sequence[Path | None] | None = None,
    started: Callable[[int, int], None] = lambda number, pid: None,
    ended: Callable[[int, ProcessEnd], None] = lambda number, end: None,
) -> list[ProcessEnd]:
    """`target(argument)` for each argument in a process of its own, `n_at_once` at a time.

    preload: modules that the server of the pool imports.  environments: variables of the first, second, ... place of
    the pool, in turns.  logs: where the output of each job goes.  A signal is passed on to the children until they
    end; what is not started by then is not started any more, and this returns when they have ended.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    endings = [ProcessEnd(None, None)] * len(arguments)
    waiting, places = list(range(len(arguments)))[::-1], list(range(n_at_once))[::-1]
    running: dict[int, _Running] = {}  # by place
    with signals.interruptible(signals.STOPPING):
        try:
            if waiting:
                _wait_for_server(context)
            while running or (waiting and not signals.requested()):
                while waiting and places and not signals.requested():
                    number, place = waiting.pop(), places.pop()
                    environment = environments[place % len(environments)]
                    log = logs[number] if logs else None
                    running[place] = _start(context, number, target, arguments[number], environment, log)
                    started(number, running[place].process.pid)
                connection.wait([job.process.sentinel for job in running.values()], _POLL_S)
                for place in [place for place, job in running.items() if not job.process.is_alive()]:
                    job = running.pop(place)
                    places.append(place)
                    endings[job.number] = _reap(job)
                    ended(job.number, endings[job.number])
                if signals.requested():
                    for job in running.values():
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(job.process.pid, signal.SIGTERM)
        finally:
            for job in running.values():  # only after a second Ctrl-C, or an error of our own
                job.process.kill()
                job.process.join()
    return endings


def _wait_for_server(context) -> None:
    """Start the server if there is none, and wait until it has loaded its modules.

    A signal to the whole group is for the parent, which passes it on: the server holds it back. So do its children,
    until they can note it.
    """
    resource_tracker.ensure_running()  # which would unblock them
    # The mask passes from here to the server, and from there to the children.
    former = signal.pthread_sigmask(signal.SIG_BLOCK, signals.STOPPING)
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)
    first = context.Process(target=_nothing)
    first.start()  # returns when the server has loaded what it is to load
    first.join()


def _nothing() -> None:
    """The work of the child that shows that the server is ready."""


def _start(context, number: int, target, argument, environment, log) -> _Running:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(theirs, target, argument, os.getcwd(), dict(environment), log))
    process.start()
    theirs.close()
    return _Running(number, process, ours)


def _reap(job: _Running) -> ProcessEnd:
    job.process.join()
    try:
        answer = job.pipe.recv() if job.pipe.poll() else None
    except EOFError:
        answer = None
    job.pipe.close()
    return ProcessEnd(answer, job.process.exitcode)


def _serve(pipe, target, argument, directory: str, environment: dict, log: Path | None) -> None:
    """The child."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the server ignores it
    with signals.interruptible(signals.STOPPING):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.STOPPING)
        os.chdir(directory)
        os.environ.update(environment)
        if log is not None:
            _redirect(log)
        threading.Thread(target=_leave_with_parent, daemon=True).start()
        pipe.send(target(argument))


def _redirect(log: Path) -> None:
    """Let all output, also that of libraries and of a crash, go to a file; nowhere if it cannot be written."""
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = regular(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)
    sys.stdout.reconfigure(line_buffering=True)
    faulthandler.enable()


def _leave_with_parent() -> None:
    """Stop at the next safe point when the command that started us is gone: nobody waits for the answer."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)
