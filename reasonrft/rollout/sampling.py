"""How the next token is chosen: one record for sampling and scoring alike.

R rows, V vocabulary.
"""

import hashlib
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reasonrft.errors import BadInput


@dataclass(frozen=True)
class Sampling:
    """How completions are sampled.

    Args:
        temperature: Divides the logits, in scoring as in sampling; 0 takes the likeliest token.
        top_p: Smallest set of tokens that together are this likely; 1 keeps all.
        top_k: Number of likeliest tokens to choose from; 0 keeps all.
        min_p: Least probability, as a share of the likeliest token's.
        max_tokens: Tokens after which a completion is cut.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    max_tokens: int = 512

    def __post_init__(self) -> None:
        """Refuse what is out of range; no comparison holds for nan."""
        accepted = {
            "temperature": (0 <= self.temperature < math.inf, "a number of 0 or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (self.top_k >= 0, "0 or more"),
            "min_p": (0 <= self.min_p < 1, "from 0 to below 1"),
            "max_tokens": (self.max_tokens >= 1, "at least 1"),
        }
        for name, (fits, accepts) in accepted.items():
            if not fits:
                raise BadInput(f"sampling's {name} must be {accepts}, not {getattr(self, name)}")

    @property
    def scoring_temperature(self) -> float:
        """Greedy answers are scored by the model's own distribution."""
        return self.temperature or 1.0


def choose(log_probs: Tensor, uniform: Tensor, sampling: Sampling) -> Tensor:  # (R,)
    """A token for each row of log-probabilities (R, V), by one uniform number (R,) each."""
    if sampling.temperature == 0:
        return log_probs.argmax(-1)
    kept = _truncate(log_probs, sampling)
    edges = kept.exp().double().cumsum(-1)  # (R, V)
    aim = uniform.double()[:, None] * edges[:, -1:]
    chosen = torch.searchsorted(edges, aim, right=True).squeeze(-1)
    return chosen.clamp_max(log_probs.shape[-1] - 1)


def _truncate(log_probs: Tensor, sampling: Sampling) -> Tensor:
    """Log-probabilities with -inf where top-k, top-p or min-p leave a token out."""
    if sampling.min_p > 0:
        least = log_probs.amax(-1, keepdim=True) + torch.tensor(sampling.min_p).log()
        log_probs = log_probs.masked_fill(log_probs < least, -torch.inf)
    if sampling.top_k > 0:
        least = log_probs.topk(min(sampling.top_k, log_probs.shape[-1]), -1).values[:, -1:]
        log_probs = log_probs.masked_fill(log_probs < least, -torch.inf)
    if sampling.top_p < 1:
        ordered, places = log_probs.sort(-1, descending=True)
        shares = ordered.softmax(-1)
        # A token stays if the likelier ones do not yet make up top_p.
        out = shares.cumsum(-1) - shares >= sampling.top_p
        log_probs = log_probs.masked_fill(out.gather(-1, places.argsort(-1)), -torch.inf)
    return log_probs


def uniforms(
    seed: int | str, step: int, prompt: str, completion: int, count: int
) -> Tensor:  # (count,)
    """Random numbers that depend on these four alone, whatever else is in the batch."""
    name = f"{seed}/{step}/{prompt}/{completion}".encode()
    generator = torch.Generator().manual_seed(
        int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1
    )
    return torch.rand(count, generator=generator, dtype=torch.float64)
