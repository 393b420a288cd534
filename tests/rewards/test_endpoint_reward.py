"""Endpoints that are slow, wrong, rude and down, and what a reward makes of them."""

import threading
import time

import pytest
import torch

from reasonrft.errors import BadInput
from reasonrft.losses import group_advantages
from reasonrft.rewards import JudgeReward
from reasonrft.rewards.compute_rewards import compute_rewards
from tests.evaluation.serving import Answer, said, serving
from tests.rewards.judging import KEY, answers, blocks, endpoint, grades, problem
from tests.rewards.test_compute_rewards import Written


def judge(server, tmp_path, client=None, **options) -> JudgeReward:
    return JudgeReward(endpoint(server, tmp_path, **(client or {})), **options)


def only_on(**faults: Answer):
    """A judge that gives 10 to right, 0 to others, and its own response about some answers."""
    judged = grades(right=10)

    def judge(number, body):
        return faults.get(blocks(body)[-1]) or judged(number, body)

    return judge


FAULTS = {
    "slow": Answer(after=2.0),
    "trickling": Answer(body=" " * 200, trickle=0.02),
    "no json": Answer(body="<html>busy</html>"),
    "no choices": Answer(body={"choices": []}),
    "no grade": said("A fine answer."),
    "off the scale": said("Grade: 11"),
    "cut": said("Grade: 1", finish_reason="length"),
    "500": Answer(500, "oops"),
    "429": Answer(429, "", {"Retry-After": "0"}),
    "400": Answer(400, {"error": {"message": "too long"}}),
    "closed": Answer(body='{"choi', claimed=100),
    "endless": Answer(body=" " * (17 << 20)),
    "compressed": Answer(body="x", headers={"Content-Encoding": "gzip"}),
}


def test_calls_that_fail_leave_the_others(tmp_path):
    group = answers("right", "wrong", *FAULTS)
    with serving(only_on(**FAULTS)) as server:
        judge(server, tmp_path)([group[:2]], [problem()])  # a cache has time
        hasty = judge(server, tmp_path, {"timeout": 0.5, "concurrency": 20}, seconds=1.0)
        rewards = hasty([group], [problem()])
    assert rewards == [[1.0, 0.0, *[0.5] * len(FAULTS)]]  # the mean of the others
    advantages = group_advantages(torch.tensor(rewards))
    assert (advantages[0, 2:] == 0).all() and advantages[0, 0] > 0
    assert hasty.take_work()["failures"] == len(FAULTS)
    with pytest.raises(BadInput, match="no answer from"):  # nobody is there any more
        judge(server, tmp_path / "other", fallback="stop")([group], [problem()])


def test_the_fallback_may_be_a_number_or_the_end(tmp_path):
    group = answers("right", "wrong", "lost")
    with serving(only_on(lost=Answer(500))) as server:
        assert judge(server, tmp_path, fallback=0.25)([group], [problem()]) == [[1.0, 0.0, 0.25]]
        written = Written([group], torch.tensor([[1, 2, 3]]), [problem()])
        message = "^reward 'judge' on problem 'p1' failed: http://.* 500; given up after 1 try"
        with pytest.raises(BadInput, match=message):
            compute_rewards({"judge": judge(server, tmp_path, fallback="stop")}, written)
        assert judge(server, tmp_path)([answers("lost", "lost")], [problem()]) == [[0.0, 0.0]]


def test_many_failures_one_after_the_other_end_the_run(tmp_path):
    names = [f"lost{number}" for number in range(4)]
    with serving(lambda *_: said("I do not grade.")) as server:
        reward = judge(server, tmp_path, stop_after=3)
        told = "^3 calls have failed one after the other, now so: a reply of http://.*'I do not gr"
        with pytest.raises(BadInput, match=told):
            reward([answers(*names)], [problem()])
        patient = judge(server, tmp_path, stop_after=None)
        assert patient([answers(*names)], [problem()]) == [[0.0] * 4]
        # A grade in between begins the count anew.
        server.respond = grades(right=10)
        again = judge(server, tmp_path, stop_after=3)
        mixed = answers("lost0", "lost1", "right", "lost2", "lost3")
        assert again([mixed], [problem()]) == [[1.0] * 5]
    with pytest.raises(BadInput, match=r"2 calls have failed .*no answer from http://127\.0\.0\.1"):
        judge(server, tmp_path, stop_after=2)([answers("a", "b", "c")], [problem()])


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_every_call_would_meet_ends_the_run_at_once(status, tmp_path):
    refusal = Answer(status, {"error": {"message": f"no access for {KEY}"}})
    with serving(lambda *_: refusal) as server, pytest.raises(BadInput) as no:
        judge(server, tmp_path, fallback=0.0, stop_after=None)([answers("a")], [problem()])
    assert KEY not in str(no.value) and "***" in str(no.value)
    assert ("TEST_KEY" in str(no.value)) == (status != 404)


def test_a_busy_endpoint_is_asked_again_when_it_says(tmp_path):
    def busy_once(number, body):
        return said("Grade: 4") if number else Answer(429, "", {"Retry-After": "1"})

    with serving(busy_once) as server:
        reward = judge(server, tmp_path, {"retries": 2})
        assert reward([answers("a")], [problem()]) == [[0.4]]
        assert server.times[1] - server.times[0] >= 1
        assert len(server.bodies) == 2


def test_a_run_that_was_killed_pays_for_no_reply_again(tmp_path):
    """The second judge knows of the first what is on disk."""
    group = answers("right", "wrong", "lost")
    with serving(only_on(lost=Answer(500))) as server:
        first = judge(server, tmp_path)
        first([group], [problem()])
        server.respond = grades(right=0, lost=5)  # of what is asked now
        second = judge(server, tmp_path, {"prices": (2.0, 10.0)})
        assert second([group], [problem()]) == [[1.0, 0.0, 0.5]]
        work = second.take_work()
    assert len(server.bodies) == 4
    assert (work["calls"], work["cache_hits"], work["failures"]) == (1, 2, 0)
    # 1000 prompt tokens at 2 and 10 answer tokens at 10, of a million.
    assert (work["prompt_tokens"], work["answer_tokens"]) == (1000, 10)
    assert work["cost"] == pytest.approx(0.0021)
    assert set(second.take_work().values()) == {0}
    assert KEY not in "".join(path.read_text() for path in tmp_path.rglob("*.json"))


def test_everything_that_is_sent_tells_replies_apart(tmp_path):
    with serving(grades(right=10)) as server:
        for options in ({}, {"scale": (0.0, 20.0)}, {"template": "{answer}"}, {"max_tokens": 9}):
            judge(server, tmp_path, **options)([answers("right")], [problem()])
        judge(server, tmp_path, {"request": {"seed": 2}})([answers("right")], [problem()])
        judge(server, tmp_path)([answers("right")], [problem(answer="a ball")])
        assert len(server.bodies) == 6
        judge(server, tmp_path)([answers("right")], [problem(2)])  # the same of another problem
        assert len(server.bodies) == 6


def test_equal_questions_are_one_call(tmp_path):
    """Also where both are asked before there is a reply."""
    late = said("Grade: 3")
    late.after = 0.2
    with serving(lambda *_: late) as server:
        reward = judge(server, tmp_path)
        group = ["<think>a</think><answer>x</answer>", "<think>b</think><answer>x</answer>"] * 2
        assert reward([group, group], [problem(1), problem(2)]) == [[0.3] * 4] * 2
        work = reward.take_work()
        assert len(server.bodies) == 1
    assert (work["calls"], work["cache_hits"]) == (1, 7)


def test_as_many_calls_at_a_time_as_allowed(tmp_path):
    now, most = [0], [0]
    three = threading.Barrier(3, timeout=30)

    def judged(number, body):
        now[0] += 1
        most[0] = max(most[0], now[0])
        three.wait()  # fewer at a time would break it
        time.sleep(0.1)  # in which a fourth would be seen
        now[0] -= 1
        return said("Grade: 1")

    with serving(judged) as server:
        judge(server, tmp_path, {"concurrency": 3})([answers(*"abcdefghi")], [problem()])
    assert most[0] == 3
    assert len(server.bodies) == 9


def test_what_was_done_is_said_in_a_line(tmp_path):
    with serving(grades()) as server:
        reward = judge(server, tmp_path, {"prices": (1.0, 1.0)})
        reward([answers("a", "a", "")], [problem()])
        line = reward.describe_work(reward.take_work())
        assert line == (
            f"1 calls to judge at {server.url}/chat/completions, 1 replies from the cache, "
            "0 failures, 1 completions not asked about; 1,000 + 10 tokens, cost 0.0010"
        )
