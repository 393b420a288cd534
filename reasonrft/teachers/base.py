"""What a teacher is: the log-probs of another model, token by token of what the policy sampled.

    A_t = A_i + weight * (log pi_teacher(o_t) - log pi_old(o_t))

Its mean over the policy's own samples is the divergence KL(pi_old || pi_teacher), which falls.

N completion tokens of a micro-batch.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import Tensor

from reasonrft.errors import BadInput
from reasonrft.losses import PolicyLoss
from reasonrft.policy.policy import Policy
from reasonrft.policy.scoring import Group


class Teacher:
    """Scores completions; subclass it, and override `prepare` and `log_probs`."""

    computes_here: ClassVar[bool] = False
    """Whether its passes are work of this process, and are counted with it."""

    def __init__(self, weight: float = 1.0) -> None:
        """
        Args:
            weight: Factor of its part of a token's advantage.
        """
        if not 0 < weight < math.inf:
            raise BadInput(f"the teacher's weight must be a positive number, not {weight}")
        self.weight = weight

    def check_loss(self, loss: PolicyLoss) -> None:
        """Refuse a loss in which advantages of single tokens mean nothing."""
        if not loss.tells_tokens_apart:
            raise BadInput(
                f"a teacher judges each token, and {type(loss).__name__} a completion as a whole: "
                "take another loss, such as GRPOLoss"
            )

    def should_stop(self) -> bool:
        """Whether the run was asked to end while it waits; trainers put their own in its place."""
        return False

    def prepare(self, policy: Policy, temperature: float) -> None:
        """Before the first step: get ready for this policy, or refuse it."""
        raise NotImplementedError(f"{type(self).__name__} does not define prepare")

    def log_probs(self, micro_batches: Sequence[Sequence[Group]]) -> list[Tensor]:  # each (N,)
        """Log-probs of all completions, without gradient, on the policy's device.

        Each rank asks for its own, at its own pace.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define log_probs")


def vocabulary_hash(tokenizer: Any) -> str:
    """A hash of all tokens with their ids."""
    words = sorted((number, word) for word, number in tokenizer.get_vocab().items())
    return hashlib.sha256(repr(words).encode()).hexdigest()
