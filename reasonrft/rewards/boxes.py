"""Rewards for boxes: how well they overlap, how many are found, and what they are called."""

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from reasonrft.errors import BadInput
from reasonrft.problems import Problem
from reasonrft.rewards.base import Reward
from reasonrft.tasks import find_task
from reasonrft.tasks.box_answers import Boxes
from reasonrft.tasks.box_maths import COCO_THRESHOLDS, average_precision, mean_iou
from reasonrft.tasks.grounding import (
    GroundingTask,
    corners_of,
    gold_boxes,
    plain_label,
    worth,
)
from reasonrft.tasks.tags import read_response


class IoUReward(Reward):
    """The IoU of a box with the gold one; of several, the mean over the longer list."""

    def __init__(self, threshold: float = 0.0, weight: float = 1.0) -> None:
        """
        Args:
            threshold: IoU below which nothing is earned.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        if not 0 <= threshold <= 1:
            raise BadInput(f"threshold of IoUReward must be from 0 to 1, not {threshold}")
        self.threshold = threshold

    def reward(self, completion: str, problem: Problem) -> float:
        gold = corners_of(gold_boxes(problem))
        share = worth(completion, lambda boxes: mean_iou(corners_of(boxes), gold))
        return share if share >= self.threshold else 0.0


class DetectionReward(Reward):
    """Mean average precision over the gold labels, times min(1, gold boxes / boxes given).

    The factor is VLM-R1's odLength: without it, boxes that are too many cost nothing once the right
    ones have been given. Boxes of labels that are not asked for count as given.
    """

    def __init__(
        self,
        thresholds: Sequence[float] = COCO_THRESHOLDS,
        surplus: bool = True,
        weight: float = 1.0,
    ) -> None:
        """
        Args:
            thresholds: IoUs at which a box is right; precision is averaged over them.
            surplus: Whether boxes that are too many cost.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        if not thresholds or not all(0 < threshold <= 1 for threshold in thresholds):
            raise BadInput(
                "thresholds of DetectionReward must be one or more numbers above 0, 1 at most"
            )
        self.thresholds, self.surplus = tuple(thresholds), surplus

    def reward(self, completion: str, problem: Problem) -> float:
        gold = gold_boxes(problem)
        return worth(completion, lambda boxes: self._worth(boxes, gold))

    def _worth(self, given: Boxes, gold: Boxes) -> float:
        if not gold or not given:
            return float(len(given) == len(gold))
        factor = min(1.0, len(gold) / len(given)) if self.surplus else 1.0
        ranked = sorted(given, key=lambda box: -box.confidence)
        labels = {plain_label(box.label) for box in gold}
        return factor * fmean(self._precision(ranked, gold, label) for label in sorted(labels))

    def _precision(self, ranked: Sequence, gold: Boxes, label: str) -> float:
        # Gold boxes without a label take boxes of any.
        given = [box for box in ranked if not label or plain_label(box.label) == label]
        due = [box for box in gold if plain_label(box.label) == label]
        return average_precision(corners_of(given), corners_of(due), self.thresholds)


class ClassificationReward(Reward):
    """1 for the right label, and no other, wherever its box is; Visual-RFT's for classification.

    A completion whose task has no boxes is right if it is the gold label, letter case, spaces and
    punctuation aside: several labels in one answer are none.
    """

    def reward(self, completion: str, problem: Problem) -> float:
        if not isinstance(find_task(problem.task), GroundingTask):
            statements = read_response(completion).statements
            gold = _letters(problem.answer)
            return float(bool(statements) and all(_letters(text) == gold for text in statements))
        due = _labels(gold_boxes(problem))
        return worth(completion, lambda boxes: float(_labels(boxes) == due))


def _labels(boxes: Boxes) -> Counter[str]:
    return Counter(plain_label(box.label) for box in boxes)


def _letters(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())
