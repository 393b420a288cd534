"""Accuracies of all ranks' answers, as a torchmetrics metric."""

import json
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric

from reasonrft.evaluation.results import AnswerAccuracy


class AccuracyMetric(Metric):
    """Collects the accuracies of all ranks' answers.

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
        # A rank without any answer would otherwise be joined as floats.
        self._append("")

    def update(self, accuracies: Sequence[AnswerAccuracy]) -> None:
        self._append("".join(json.dumps(accuracy) + "\n" for accuracy in accuracies))

    def _append(self, text: str) -> None:
        content = np.frombuffer(text.encode(), dtype=np.uint8).copy()
        self.lines.append(torch.from_numpy(content).to(self.device))

    def compute(self) -> list[AnswerAccuracy]:
        """One accuracy for each prompt."""
        lines = self.lines if isinstance(self.lines, list) else [self.lines]
        content = b"".join(line.cpu().numpy().tobytes() for line in lines)
        accuracies = [AnswerAccuracy(*json.loads(line)) for line in content.splitlines()]
        return list({accuracy.key: accuracy for accuracy in accuracies}.values())
