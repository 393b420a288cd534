"""Whether the completion keeps to its form, right or wrong."""

from reasonrft.problems import Problem
from reasonrft.rewards.accuracy import Profile
from reasonrft.rewards.base import Reward
from reasonrft.tasks import reference_functions as reference

_SECTIONS = ("think", "answer")
_CAPTION_SECTIONS = ("summary", "caption", *_SECTIONS)


class FormatReward(Reward):
    """A thought, then an answer, and nothing else."""

    reads_answer = False

    def __init__(self, profile: Profile = "robust", weight: float = 1.0) -> None:
        """
        Args:
            profile: "robust" wants each block once and not empty; the others as the reference.
            weight: Factor in the sum of rewards.
        """
        super().__init__(weight)
        self.profile = profile

    def reward(self, completion: str, problem: Problem) -> float:
        if self.profile == "robust":
            return float(well_formed(completion, _SECTIONS))
        return reference.think_answer_format(completion)


class CaptionFormatReward(FormatReward):
    """A summary, a caption, a thought, then an answer, and nothing else."""

    def reward(self, completion: str, problem: Problem) -> float:
        if self.profile == "robust":
            return float(well_formed(completion, _CAPTION_SECTIONS))
        return reference.caption_format(completion)


def well_formed(text: str, names: tuple[str, ...]) -> bool:
    """Each section once, in order, with something in it; only white space around them."""
    for name in names:
        opening, closing = f"<{name}>", f"</{name}>"
        if text.count(opening) != 1 or text.count(closing) != 1:
            return False
        before, _, text = text.partition(opening)
        content, closed, text = text.partition(closing)
        if before.strip() or not closed or not content.strip() or _holds_tag(content, names):
            return False
    return not text.strip()


def _holds_tag(content: str, names: tuple[str, ...]) -> bool:
    return any(f"<{name}>" in content or f"</{name}>" in content for name in names)
