"""A reward that never comes back."""

import time
from pathlib import Path

from reasonrft.problems import Problem
from reasonrft.rewards import Reward


class Hanging(Reward):
    """Leaves a file when it is asked, and sleeps for an hour."""

    def reward(self, completion: str, problem: Problem) -> float:
        Path("asked").touch()
        time.sleep(3600)
        return 0.0
