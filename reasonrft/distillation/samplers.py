"""Who samples: a policy through a rollout engine, or a model behind an endpoint.

Images are encoded once, and a prompt is prefilled once, for all samples of a problem.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from typing import Any, Protocol

import torch

from reasonrft.distillation.choose_chains import Sample
from reasonrft.evaluation.endpoint_client import Endpoint
from reasonrft.evaluation.weights import weights_digest
from reasonrft.modules import GRPOModule
from reasonrft.policy.hub_paths import portable_name
from reasonrft.problems import Problem
from reasonrft.rollout import Sampling


class Sampler(Protocol):
    """Answers each of some problems several times."""

    @property
    def identity(self) -> dict[str, Any]:
        """All that its samples depend on but problems, number and seed."""

    def ready(self) -> AbstractContextManager[None]:
        """What `sample` is called within."""

    def length(self, problem: Problem, text: str) -> int:
        """Tokens of a prompt; 0 where that is not known."""

    def sample(
        self, problems: Sequence[Problem], texts: Sequence[str], count: int, seed: str
    ) -> list[list[Sample]]:
        """So many samples of each problem."""


class PolicySampler:
    """The policy of a module of stage 2, sampled as that samples: by its engine."""

    def __init__(self, module: GRPOModule, accelerator: str = "auto") -> None:
        """
        Args:
            module: Whose policy samples.
            accelerator: The trainer's: a GPU is taken where there is one, unless it is cpu.
        """
        self.policy, self.engine, self.sampling = module.policy, module.engine, module.sampling
        self.policy.load()
        on_gpu = accelerator != "cpu" and torch.cuda.is_available()
        self.policy.to("cuda" if on_gpu else "cpu")

    @property
    def identity(self) -> dict[str, Any]:
        policy, engine = self.policy, self.engine
        identity = {
            "policy": portable_name(policy.path),
            "weights": weights_digest(policy),
            "pixels": [policy.min_pixels, policy.max_pixels],
            "sampling": asdict(self.sampling),
        }
        return identity | ({} if engine.is_scorer else {"engine": type(engine).__name__})

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Within it, the engine holds the policy's weights."""
        with self.engine.ready(self.policy, 0):
            yield

    def length(self, problem: Problem, text: str) -> int:
        return self.policy.encoder.length(problem, text)

    def sample(
        self, problems: Sequence[Problem], texts: Sequence[str], count: int, seed: str
    ) -> list[list[Sample]]:
        batch = self.policy.encoder.prompts(problems, texts)
        rollout = self.engine.generate(batch, count, self.sampling, seed)
        return [
            [
                Sample(text, len(completion.ids), completion.stopped)
                for text, completion in zip(*group, strict=True)
            ]
            for group in zip(rollout.texts, rollout.completions, strict=True)
        ]


class EndpointSampler:
    """A model behind an OpenAI-compatible endpoint."""

    def __init__(self, endpoint: Endpoint, sampling: Sampling) -> None:
        self.endpoint, self.sampling = endpoint, sampling

    @property
    def identity(self) -> dict[str, Any]:
        asked = self.endpoint
        sampling = {"temperature": self.sampling.temperature, "top_p": self.sampling.top_p}
        return {
            "policy": asked.model,
            "endpoint": asked.address,
            "sampling": sampling | {"max_tokens": self.sampling.max_tokens},
            "request": asked.request,
            "omit": list(asked.omit),
        }

    @contextmanager
    def ready(self) -> Iterator[None]:
        yield

    def length(self, problem: Problem, text: str) -> int:
        return 0

    def sample(
        self, problems: Sequence[Problem], texts: Sequence[str], count: int, seed: str
    ) -> list[list[Sample]]:
        """Each is a request of its own, with a seed of its own; replies are cached as always."""
        asked = [(p, t) for p, t in zip(problems, texts, strict=True) for _ in range(count)]
        fields = [
            {"temperature": self.sampling.temperature, "top_p": self.sampling.top_p}
            | {"seed": _number(f"{seed}/{problem.id}/{number}")}
            for problem in problems
            for number in range(count)
        ]
        replies = self.endpoint.ask_all(
            [p for p, _ in asked], [t for _, t in asked], self.sampling.max_tokens, fields
        )
        samples = [
            # Not every endpoint counts tokens.
            Sample(reply.text, reply.tokens or len(reply.text.split()), not reply.truncated)
            for reply in replies
        ]
        return [samples[at : at + count] for at in range(0, len(samples), count)]


def _number(seed: str) -> int:
    """A whole number that an API takes as a seed."""
    return int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big") >> 1
