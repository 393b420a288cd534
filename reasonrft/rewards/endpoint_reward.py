"""Rewards for which a model is asked that somebody serves.

    completion ──question──> nothing to ask: its reward is known
                        └──> endpoint ──reply──> grade ──> reward from 0 to 1
                                     └──no reply, or no grade──> fallback

Calls begin as soon as a completion is there, go on side by side, and are kept on disk
(`evaluation/endpoint_calls.py`, `evaluation/reply_cache.py`).

P prompts, G completions per prompt.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from statistics import fmean
from typing import ClassVar, Literal

from reasonrft.conversation import Message
from reasonrft.errors import BadInput, check_at_least
from reasonrft.evaluation.endpoint_calls import Answered, EndpointCalls
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.evaluation.endpoint_errors import NoReply
from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.rewards.completion import Completion
from reasonrft.symbolic import batch_limit

Fallback = float | Literal["skip", "stop"]

WORK = (
    "calls",
    "cache_hits",
    "failures",
    "unasked",
    "early_calls",
    "early_replies",
    "prompt_tokens",
    "answer_tokens",
    "cost",
)
"""What is counted: docs/judges.md says what each is."""


class Asked:
    """A completion about which a call goes on, or none has to."""

    def __init__(self) -> None:
        self.known: float | None = None
        """What it earns without a call."""
        self.future: Future[Answered | None] = Future()
        self.is_shared = False
        """Whether another completion of the same words has had its reply already."""

    @property
    def is_replied(self) -> bool:
        """Whether an endpoint has answered by now."""
        return self.future.done() and not self.future.exception() and self.known is None


class EndpointReward(Reward):
    """Asks about each completion; a subclass overrides `question` and `grade`."""

    begins_early: ClassVar[bool] = True

    def __init__(
        self,
        endpoint: Endpoint,
        max_tokens: int = 1024,
        seconds: float = 60.0,
        fallback: Fallback = "skip",
        stop_after: int | None = 32,
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            endpoint: Who is asked, and how.
            max_tokens: Most tokens of a reply.
            seconds: Seconds that a call may take, with all that is tried again.
            fallback: What a completion earns whose call has failed: a number from 0 to 1; "skip",
                the mean of the others in its group, so that it has no advantage; "stop" ends the
                run instead.
            stop_after: So many calls that fail one after the other end the run; null never does.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        name = type(self).__name__
        check_at_least(1, max_tokens=max_tokens, stop_after=stop_after)
        if not 0 < seconds < math.inf:
            raise BadInput(f"seconds of {name} must be a positive number, not {seconds}")
        if fallback not in ("skip", "stop") and not 0 <= float(fallback) <= 1:
            raise BadInput(
                f"fallback of {name} must be skip, stop or a number from 0 to 1, not {fallback}"
            )
        self.endpoint, self.fallback, self.stop_after = endpoint, fallback, stop_after
        self.calls = EndpointCalls(endpoint, seconds, max_tokens)
        self.work: Counter[str] = Counter()
        self._asked: dict[tuple, Asked] = {}
        """What is to be rewarded yet, by what a question depends on."""
        self._failed = 0
        """Calls without a grade since the last one that had one."""
        self._paid = (0, 0, 0)
        """Replies and tokens that `take_work` has told of."""

    def question(self, completion: Completion, problem: Problem) -> str | float:
        """What the endpoint is asked, or what the completion earns without."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it asks")

    def grade(self, reply: str, problem: Problem) -> float | None:
        """What a completion earns by a reply, from 0 to 1; None if the reply does not say."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a reply is worth")

    def begin(self, completion: Completion, problem: Problem) -> None:
        self._ask(completion, problem)

    def __call__(
        self, completions: Sequence[Sequence[str]], problems: Sequence[Problem], step: int = 0
    ) -> list[list[float]]:  # (P, G)
        pairs = _pairs(completions, problems)
        early = [self._asked[key] for pair in pairs if (key := _key(*pair)) in self._asked]
        self.work["early_replies"] += sum(asked.is_replied for asked in early)
        self.work["early_calls"] += len(early)
        for pair in pairs:
            self._ask(*pair)
        try:
            with batch_limit():
                rewards = [
                    self._values(group, problem)
                    for group, problem in zip(completions, problems, strict=True)
                ]
        except BaseException:
            self.calls.give_up()  # nobody will hear the others
            raise
        finally:
            for pair in pairs:
                self._asked.pop(_key(*pair), None)
        self.current_problem = None
        return rewards

    def _ask(self, completion: str, problem: Problem) -> Asked:
        """Begin the call about a completion, unless that has begun."""
        key = _key(completion, problem)
        if key not in self._asked:
            asked = self._asked[key] = Asked()

            def write() -> list[Message] | None:
                question = self.question(_known(completion), problem)
                if isinstance(question, str):
                    return [{"role": "user", "content": question}]
                asked.known = float(question)
                return None

            asked.future = self.calls.begin(write)
        return self._asked[key]

    def _values(self, completions: Sequence[str], problem: Problem) -> list[float]:  # (G,)
        self.current_problem = problem
        values = [self._value(completion, problem) for completion in completions]
        graded = [value for value in values if value is not None]
        missing = self.fallback if isinstance(self.fallback, int | float) else None
        if missing is None:
            missing = fmean(graded) if graded else 0.0
        return [missing if value is None else value for value in values]

    def _value(self, completion: str, problem: Problem) -> float | None:
        """What a completion earns, None where its call has failed."""
        asked = self._asked[_key(completion, problem)]
        try:
            answered = asked.future.result()
        except NoReply as fault:
            self._fail(str(fault))
            return None
        if answered is None:
            self.work["unasked"] += 1
            return asked.known
        if asked.is_shared or not answered.paid:
            self.work["cache_hits"] += 1
        asked.is_shared = True
        value = self.grade(answered.reply.text, problem)
        if value is None or answered.reply.truncated:
            self._fail(self._ungraded(answered))
            return None
        self._failed = 0
        return value

    def _ungraded(self, answered: Answered) -> str:
        reply = answered.reply
        if reply.truncated:
            return (
                f"a reply of {self.endpoint.address} was cut after "
                f"max_tokens={self.calls.max_tokens:,}"
            )
        end = reply.text.strip()[-80:]
        return (
            f"a reply of {self.endpoint.address} does not end as it was told to, but with {end!r}"
        )

    def _fail(self, fault: str) -> None:
        """Count a call without a grade; `BadInput` where the run is to end by it."""
        self.work["failures"] += 1
        self._failed += 1
        if self.fallback == "stop" or self.stop_after == 1:
            raise BadInput(fault)
        if self.stop_after is not None and self._failed >= self.stop_after:
            raise BadInput(f"{self._failed} calls have failed one after the other, now so: {fault}")

    def take_work(self) -> dict[str, float]:
        asked, before = self.endpoint, self._paid
        self._paid = asked.replies_paid, asked.prompt_tokens, asked.answer_tokens
        paid = (now - then for now, then in zip(self._paid, before, strict=True))
        self.work["calls"], self.work["prompt_tokens"], self.work["answer_tokens"] = paid
        work = {name: float(self.work[name]) for name in WORK}
        work["cost"] = asked.price(work["prompt_tokens"], work["answer_tokens"])
        self.work.clear()
        return work

    def describe_work(self, work: Mapping[str, float]) -> str:
        return (
            f"{work['calls']:,.0f} calls to {self.endpoint.model} at {self.endpoint.address}, "
            f"{work['cache_hits']:,.0f} replies from the cache, {work['failures']:,.0f} failures, "
            f"{work['unasked']:,.0f} completions not asked about; {work['prompt_tokens']:,.0f} + "
            f"{work['answer_tokens']:,.0f} tokens, cost {work['cost']:.4f}"
        )


def _pairs(
    completions: Sequence[Sequence[str]], problems: Sequence[Problem]
) -> list[tuple[str, Problem]]:
    return [
        (completion, problem)
        for group, problem in zip(completions, problems, strict=True)
        for completion in group
    ]


def _key(completion: str, problem: Problem) -> tuple:
    """What a question depends on: not the id, which is another where images are distorted."""
    return problem.task, problem.question, problem.answer, problem.choices, str(completion)


def _known(text: str) -> Completion:
    return text if isinstance(text, Completion) else Completion(text)
