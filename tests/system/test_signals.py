"""Signals become a flag inside `interruptible`, and nothing stays behind."""

import os
import signal
import threading

import pytest

from spred_bench.system import signals


def send(signum):
    os.kill(os.getpid(), signum)


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_is_a_flag_until_it_is_checked(signum, code):
    former = signal.getsignal(signum)
    with signals.interruptible():
        signals.check()
        send(signum)
        assert signals.requested() == signum
        with pytest.raises(signals.Interrupted, match="SIG") as error:
            signals.check()
        assert error.value.code == code
        assert not isinstance(error.value, Exception)  # a handler of failed cells lets it through
    assert signals.requested() is None
    assert signal.getsignal(signum) is former


def test_nested_blocks_share_the_flag():
    with signals.interruptible():
        with signals.interruptible():
            send(signal.SIGTERM)
        assert signals.requested() == signal.SIGTERM


def test_only_a_later_second_ctrl_c_is_at_once(monkeypatch):
    with signals.interruptible():
        send(signal.SIGINT)
        send(signal.SIGINT)
        monkeypatch.setattr(signals, "_SECOND_CTRL_C_AFTER_S", -1)
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_ignored_signals_stay_ignored_and_sigusr2_is_left_alone():
    submitit = signal.getsignal(signal.SIGUSR2)
    former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals.interruptible():
            send(signal.SIGTERM)
            assert signals.requested() is None
            assert signal.getsignal(signal.SIGUSR2) is submitit
    finally:
        signal.signal(signal.SIGTERM, former)


def test_sigusr2_when_asked():
    with signals.interruptible([signal.SIGUSR2]):
        send(signal.SIGUSR2)
        with pytest.raises(signals.Interrupted) as error:
            signals.check()
    assert error.value.code == 128 + signal.SIGUSR2


def test_another_thread_installs_nothing():
    seen = []

    def work():
        with signals.interruptible():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


@pytest.fixture
def scheduler():
    """A handler of SIGUSR2 as submitit installs one; the signals it got."""
    got = []
    former = signal.signal(signal.SIGUSR2, lambda signum, frame: got.append(signum))
    yield got
    signal.signal(signal.SIGUSR2, former)


def test_sigusr2_is_held_back_to_a_safe_point_and_then_passed_on(scheduler):
    with pytest.raises(signals.Interrupted), signals.interruptible(signals.STOPPING):
        send(signal.SIGUSR2)
        assert scheduler == []
        signals.check()
    assert scheduler == []
    signals.pass_on(signal.SIGUSR2)
    assert scheduler == [signal.SIGUSR2]
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_sigusr2_reaches_the_scheduler_where_no_safe_point_comes(scheduler, monkeypatch):
    monkeypatch.setattr(signals, "_REQUEUE_WITHIN_S", 0.01)
    with signals.interruptible(signals.STOPPING):
        send(signal.SIGUSR2)
        while not scheduler:
            pass
    assert scheduler == [signal.SIGUSR2]
