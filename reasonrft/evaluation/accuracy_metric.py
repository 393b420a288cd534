"""Scores of all ranks, as a torchmetrics metric."""

import json
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from reasonrft.evaluation.results import Score


class Scoreboard(Metric):
    """Collects the scores of all ranks.

    Its state is JSON lines in bytes: which templates there are is not known beforehand, and a
    problem that two ranks have answered must count once.
    """

    full_state_update = False
    lines: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("lines", default=[], dist_reduce_fx="cat")
        self.reset()

    def reset(self) -> None:
        super().reset()
        # A rank without any score would otherwise be joined as floats.
        self._append("")

    def update(self, scores: Sequence[Score]) -> None:
        self._append("".join(json.dumps(score) + "\n" for score in scores))

    def _append(self, text: str) -> None:
        content = np.frombuffer(text.encode(), dtype=np.uint8).copy()
        self.lines.append(torch.from_numpy(content).to(self.device))

    def compute(self) -> list[Score]:
        """One score for each prompt."""
        lines = self.lines if isinstance(self.lines, list) else [self.lines]
        content = b"".join(part.cpu().numpy().tobytes() for part in lines)
        scores = [Score(*json.loads(line)) for line in content.splitlines()]
        return list({score.key: score for score in scores}.values())
