import threading
import time

import pytest

from reasonrft.rewards import AccuracyReward
from reasonrft.symbolic import VERIFIER, SymbolicVerifier, batch_limit, expressions_agree
from tests.conftest import problem

HANGING = [f"$9^{{9^{{9^{{{n}}}}}}}$" for n in range(2, 1002)]


@pytest.fixture
def verifier():
    verifier = SymbolicVerifier(limit=1.0)
    assert agrees_now(verifier, "$3$", "$3$")
    yield verifier
    verifier.close()


def agrees_now(verifier, first, second) -> bool:
    """A check with a worker that has started; on a busy machine starting takes longer than 1 s."""
    if verifier.worker is not None:
        verifier.worker.wait_ready(time.monotonic() + 60)
    return verifier.agree(first, second)


def test_equal_expressions_agree():
    assert expressions_agree("x(x+2)", "x^2+2x")
    assert expressions_agree(r"\frac{x}{2}", "0.5x")
    assert not expressions_agree("x(x+3)", "x^2+2x")
    assert not expressions_agree("", "x")


def test_a_hanging_expression_costs_the_limit_and_no_more(verifier):
    started = time.monotonic()
    assert not verifier.agree("$3$", HANGING[-1])
    assert time.monotonic() - started < 2 * verifier.limit
    assert agrees_now(verifier, "$3$", "$3$")


def test_the_limit_works_outside_the_main_thread(verifier):
    found = []

    def check():
        found.append(verifier.agree("$3$", HANGING[-1]))
        found.append(agrees_now(verifier, "$x+1$", "$1+x$"))

    thread = threading.Thread(target=check)
    thread.start()
    thread.join(timeout=90)
    assert found == [False, True]


def test_what_hung_once_is_not_asked_again(verifier):
    verifier.agree("$3$", HANGING[-1])
    started = time.monotonic()
    assert not any(verifier.agree("$3$", HANGING[-1]) for _ in range(1000))
    assert time.monotonic() - started < verifier.limit


def test_length_and_nesting_are_refused_at_once(verifier):
    started = time.monotonic()
    for text in ("9" * 1_000_000, "(" * 10_000 + "3" + ")" * 10_000, r"\sqrt{" * 10_000):
        assert not verifier.agree("$3$", text)
    assert time.monotonic() - started < verifier.limit


def test_a_batch_of_hostile_answers_costs_one_limit():
    VERIFIER.agree("$3$", "$3$")
    hostile = [*HANGING, "9**9**9**9", "(" * 10_000 + "3" + ")" * 10_000, "9" * 1_000_000]
    started = time.monotonic()
    (scores,) = AccuracyReward("scripts")([hostile], [problem("3")])
    assert scores == [0.0] * len(hostile)
    assert time.monotonic() - started < 2 * VERIFIER.limit


def test_a_batch_limit_ends_with_its_batch(verifier):
    with batch_limit(0.0):
        assert not verifier.agree("$x+1$", "$1+x$")
    assert agrees_now(verifier, "$x+1$", "$1+x$")


def test_a_dead_worker_is_replaced(verifier):
    verifier.worker.process.kill()
    verifier.worker.process.wait()
    assert not verifier.agree("$y$", "$y$")
    assert agrees_now(verifier, "$x+1$", "$1+x$")
