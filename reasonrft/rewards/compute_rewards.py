"""What each reward gives each completion of a rollout, and their weighted sum.

    rollout: P prompts x G completions  ->  {name: rewards (P, G)}  ->  sum of weight * rewards

Rewards run side by side, each in a thread of its own, because a reward may wait for a server. They
may be anybody's code: one that fails, hangs, or gives no finite numbers ends the step with one
sentence. The threads are daemons, so that none of them keeps the process alive.

P prompts, G completions per prompt.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor

from reasonrft.errors import BadInput, Stopped
from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.rewards.completion import Completion
from reasonrft.rewards.faults import describe_error

POLL_SECONDS = 0.2


class RewardedRollout(Protocol):
    """What rewards need of a rollout."""

    @property
    def texts(self) -> Sequence[Sequence[str]]: ...  # P lists of G
    @property
    def lengths(self) -> Tensor: ...  # (P, G), in tokens
    @property
    def problems(self) -> Sequence[Problem]: ...  # P


def compute_rewards(
    rewards: Mapping[str, Reward],
    rollout: RewardedRollout,
    step: int = 0,
    stopped: Callable[[], bool] = lambda: False,
    time_limit: float = 120.0,
) -> dict[str, Tensor]:  # each (P, G)
    """Each reward's values, unweighted.

    Args:
        rewards: Rewards by the names under which they are logged.
        rollout: Completions with their lengths and problems.
        step: Training step, for rewards that start late.
        stopped: Asked while waiting; True ends the wait with `Stopped`.
        time_limit: Seconds that each reward may take.
    """
    completions = [
        [Completion(text, tokens) for text, tokens in zip(texts, lengths, strict=True)]
        for texts, lengths in zip(rollout.texts, rollout.lengths.tolist(), strict=True)
    ]
    calls = [
        _Call(name, reward, completions, rollout.problems, step) for name, reward in rewards.items()
    ]
    _wait_for(calls, time_limit, stopped)
    return {call.name: call.values() for call in calls}


def begin_early(rewards: Mapping[str, Reward]) -> Callable[[Problem, str, int], None] | None:
    """Tells the rewards that wait for others of a completion; None where there is none."""
    waiting = [reward for reward in rewards.values() if reward.begins_early]
    if not waiting:
        return None

    def begin(problem: Problem, text: str, tokens: int) -> None:
        for reward in waiting:
            reward.begin(Completion(text, tokens), problem)

    return begin


def take_work(rewards: Mapping[str, Reward]) -> dict[str, float]:
    """What rewards have done since this was asked last, as NAME of the reward/NAME."""
    return {
        f"{name}/{done}": value
        for name, reward in rewards.items()
        for done, value in reward.take_work().items()
    }


def weighted_sum(values: Mapping[str, Tensor], rewards: Mapping[str, Reward]) -> Tensor:  # (P, G)
    """The sum of rewards with their weights."""
    return torch.stack([rewards[name].weight * given for name, given in values.items()]).sum(0)


def right_completions(
    values: Mapping[str, Tensor], rewards: Mapping[str, Reward]
) -> Tensor | None:  # (P, G) bool
    """Which completions are wholly right, as evaluation counts them, if a reward tells.

    A reward may pay part of an answer; then its mean is no accuracy, but the mean of this is.
    """
    return next((given == 1 for name, given in values.items() if rewards[name].marks_right), None)


class _Call:
    """One reward at work on one rollout."""

    def __init__(
        self,
        name: str,
        reward: Reward,
        completions: Sequence[Sequence[Completion]],
        problems: Sequence[Problem],
        step: int,
    ) -> None:
        self.name, self.reward = name, reward
        self.completions, self.problems, self.step = completions, problems, step
        self.error: BaseException | None = None
        self.returned: Sequence[Sequence[float]] = ()
        self.finished = threading.Event()
        threading.Thread(target=self._run, name=f"reward {name}", daemon=True).start()

    def _run(self) -> None:
        try:
            self.returned = self.reward(self.completions, self.problems, self.step)
        except BaseException as error:  # anybody's code, told in the thread that waits
            self.error = error
        finally:
            self.finished.set()

    def describe(self) -> str:
        """The reward, and the problem that it is at if that is known."""
        problem = self.reward.current_problem
        return f"reward {self.name!r}" + (f" on problem {problem.id!r}" if problem else "")

    def values(self) -> Tensor:  # (P, G)
        """A finite number for each completion, or `BadInput`."""
        if not isinstance(self.returned, Sequence | Tensor) or len(self.returned) != len(
            self.problems
        ):
            raise BadInput(
                f"reward {self.name!r} must return one list of rewards for each of "
                f"{len(self.problems)} problems"
            )
        groups = zip(self.returned, self.completions, self.problems, strict=True)
        return torch.stack([self._values_of(*group) for group in groups])

    def _values_of(
        self, given: Sequence[float], completions: Sequence[str], problem: Problem
    ) -> Tensor:  # (G,)
        try:
            values = torch.as_tensor(given, dtype=torch.float32)
        except (TypeError, ValueError, OverflowError, RuntimeError):  # such as None
            values = torch.tensor([torch.nan])
        if not values.isfinite().all():
            raise BadInput(f"reward {self.name!r} is no finite number on problem {problem.id!r}")
        if values.shape != (len(completions),):
            raise BadInput(
                f"reward {self.name!r} gives {len(completions)} completions of problem "
                f"{problem.id!r} rewards of shape {list(values.shape)}"
            )
        return values


def _wait_for(calls: Sequence[_Call], time_limit: float, stopped: Callable[[], bool]) -> None:
    """Until all have finished; the first error, the time limit or `stopped` ends the wait."""
    started = time.monotonic()
    while True:
        for call in calls:
            if call.error is not None:
                problem = f"{call.describe()} failed: {describe_error(call.error)}"
                raise BadInput(problem) from call.error
        running = [call for call in calls if not call.finished.is_set()]
        if not running:
            return
        if stopped():
            raise Stopped
        left = time_limit - (time.monotonic() - started)
        if left <= 0:
            raise BadInput(
                f"{running[0].describe()} has taken more than its {time_limit:g} seconds"
            )
        running[0].finished.wait(min(POLL_SECONDS, left))
