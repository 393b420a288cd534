"""Steps of one side of grpo_step.py: what it is told to do, when to take one, and what it took."""

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import torch
from grpo_floor import synchronize
from grpo_shapes import Lengths, lengths_of
from torch import nn

from reasonrft.policy.parts import PARTS, Part
from reasonrft.problems import Problem

PHASES = ("rollout", "reference", "reward", "update")


@dataclass(frozen=True)
class Job:
    """What both sides do."""

    folder: str
    """Config and processor of the model; its weights are made by each side, from one seed."""
    problems: Sequence[Problem]
    """P for every step, and P more, for loaders read ahead."""
    prompts: int
    group_size: int
    completion_tokens: int
    steps: int
    waited: int
    """The last of these steps, in which phases wait for the device."""
    dtype: Any
    device: str
    train_tower: bool
    adapter: bool
    """Whether a LoRA adapter learns instead of the weights."""
    lengths: Lengths
    parts: int
    """Micro-batches of TRL's update."""
    threads: int

    @property
    def train_parts(self) -> tuple[Part, ...]:
        """What is trained."""
        return PARTS if self.train_tower else ("language",)

    def lengths_of(self, problem: str) -> list[int]:
        """Tokens of each completion of a problem, if natural ones are asked for."""
        return lengths_of([problem], self.group_size, self.completion_tokens, self.lengths)[0]


@dataclass(frozen=True)
class Step:
    """What one step did, and the seconds that it took."""

    seconds: float
    """From one step to the next: reading data and logging too."""
    phases: dict[str, float]
    problems: list[str]
    prompt_tokens: int
    """Of P prompts, each counted once, without padding."""
    completion_tokens: int
    images: int
    """Images that the tower encoded."""
    positions: int
    """Positions that the language model computed, those of padding too."""
    allocated: int
    """The most bytes of a GPU so far that tensors took."""
    reserved: int
    """And that the allocator did."""


class Turns:
    """Lets a run take a step when its turn has come, and measures it from outside."""

    def __init__(self, line: Connection, job: Job) -> None:
        self.line, self.left = line, job.steps
        self.waited, self.device = job.waited, job.device
        self.phases: dict[str, float] = defaultdict(float)
        self.images = self.positions = 0
        self.started = 0.0

    def begin(self) -> None:
        """Say that all is ready, and wait."""
        self.line.send("ready")
        self.line.recv()
        self.phases.clear()
        self.images = self.positions = 0
        self.started = time.perf_counter()

    def end(self, problems: list[str], prompt_tokens: int, completion_tokens: int) -> None:
        """Tell what the step took, all that the device had to do too; the next begins later."""
        synchronize(self.device)
        seconds = time.perf_counter() - self.started
        phases = {name: self.phases[name] for name in PHASES}
        told = (problems, prompt_tokens, completion_tokens, self.images, self.positions)
        self.line.send(Step(seconds, phases, *told, *self.memory()))
        self.left -= 1
        if self.left:
            self.begin()

    def wait(self) -> None:
        """At the edges of phases: for the device, in the steps that are asked to."""
        if self.left <= self.waited:
            synchronize(self.device)

    def memory(self) -> tuple[int, int]:
        if self.device != "cuda":
            return 0, 0
        return torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()

    def clock(
        self, owner: Any, name: str, phase: str, when: Callable[[], bool] = lambda: True
    ) -> None:
        """Let a method of some object add its seconds to a phase."""
        method = getattr(owner, name)

        @functools.wraps(method)
        def timed(*args: Any, **options: Any) -> Any:
            if not when():
                return method(*args, **options)
            self.wait()
            start = time.perf_counter()
            try:
                return method(*args, **options)
            finally:
                self.wait()
                self.phases[phase] += time.perf_counter() - start

        setattr(owner, name, timed)

    def wait_before(self, owner: Any, name: str) -> None:
        """Let a method, at the edge of phases, begin when the device has done all before it."""
        method = getattr(owner, name)

        @functools.wraps(method)
        def waiting(*args: Any, **options: Any) -> Any:
            self.wait()
            return method(*args, **options)

        setattr(owner, name, waiting)

    def watch(self, model: Any, tokens: bool = True) -> None:
        """Count what passes a model's tower and decoder; single tokens too, or else by others."""
        model.get_encoder("image").register_forward_pre_hook(self._see, with_kwargs=True)
        read = functools.partial(self._read, 1 if tokens else 2)
        model.get_decoder().register_forward_pre_hook(read, with_kwargs=True)

    def _see(self, tower: nn.Module, args: Any, options: dict[str, Any]) -> None:
        self.images += len(options["grid_thw"])

    def _read(self, least: int, decoder: nn.Module, args: Any, options: dict[str, Any]) -> None:
        rows, length = options["inputs_embeds"].shape[:2]
        self.positions += rows * length if length >= least else 0
