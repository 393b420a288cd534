"""The two sides of grpo_step.py: the same training by TRL and by this package.

Each runs in a process of its own, takes a step when it is told to, and tells what that took.
P prompts in a step, G completions of each.
"""

import contextlib
import functools
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from torch import nn
from transformers import PrinterCallback, TrainerCallback

from reasonrft.datamodules import GeneralDataModule, ProblemSource
from reasonrft.datamodules.batch_plans import shuffled
from reasonrft.datamodules.sampler import BatchSampler
from reasonrft.losses import GRPOLoss
from reasonrft.modules import GRPOModule
from reasonrft.policy import Policy
from reasonrft.policy.loading import load_model
from reasonrft.policy.parts import PARTS, Part, freeze
from reasonrft.policy.processors import load_processor
from reasonrft.policy.special_tokens import placeholder_ids, stop_ids
from reasonrft.problems import Problem
from reasonrft.rewards import Reward
from reasonrft.rollout import Sampling
from reasonrft.tasks import find_task

BETA, CLIP, MAX_NORM = 0.04, 0.2, 1.0
PHASES = ("rollout", "reference", "reward", "update")


@dataclass(frozen=True)
class Job:
    """What both sides do."""

    folder: str
    """Model and processor that training starts from."""
    problems: Sequence[Problem]
    """P for every step, and P more, for loaders read ahead."""
    prompts: int
    group_size: int
    completion_tokens: int
    steps: int
    dtype: Any
    train_tower: bool
    threads: int

    @property
    def parts(self) -> tuple[Part, ...]:
        """What is trained."""
        return PARTS if self.train_tower else ("language",)


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


class Turns:
    """Lets a run take a step when its turn has come, and measures it from outside."""

    def __init__(self, line: Connection, steps: int) -> None:
        self.line, self.left = line, steps
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
        """Tell what the step took; the next begins in the next turn."""
        seconds = time.perf_counter() - self.started
        phases = {name: self.phases[name] for name in PHASES}
        told = (problems, prompt_tokens, completion_tokens, self.images, self.positions)
        self.line.send(Step(seconds, phases, *told))
        self.left -= 1
        if self.left:
            self.begin()

    def clock(self, owner: Any, name: str, phase: str) -> None:
        """Let a method of some object add its seconds to a phase."""
        method = getattr(owner, name)

        @functools.wraps(method)
        def timed(*args: Any, **options: Any) -> Any:
            start = time.perf_counter()
            try:
                return method(*args, **options)
            finally:
                self.phases[phase] += time.perf_counter() - start

        setattr(owner, name, timed)

    def watch(self, model: Any) -> None:
        """Count what passes a model's tower and decoder."""
        model.get_encoder("image").register_forward_pre_hook(self._see, with_kwargs=True)
        model.get_decoder().register_forward_pre_hook(self._read, with_kwargs=True)

    def _see(self, tower: nn.Module, args: Any, options: dict[str, Any]) -> None:
        self.images += len(options["grid_thw"])

    def _read(self, decoder: nn.Module, args: Any, options: dict[str, Any]) -> None:
        self.positions += options["inputs_embeds"][..., 0].numel()


def run(side: str, job: Job, line: Connection) -> None:
    """Train on one side, as the main program of a process."""
    torch.set_num_threads(job.threads)
    torch.manual_seed(0)
    # What trainers print belongs beside the table, not into it.
    with contextlib.redirect_stdout(sys.stderr):
        SIDES[side](job, Turns(line, job.steps))


def optimizer(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=1e-6, weight_decay=0.0)


def worth(completion: str) -> float:
    """A reward that differs between completions of equally many tokens."""
    return len(completion) / 100


class Length(Reward):
    def reward(self, completion: str, problem: Problem) -> float:
        return worth(completion)


class Given(ProblemSource):
    """Problems that are at hand."""

    splits = ("train",)

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.given = problems

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        return self.given


class OurTurns(Callback):
    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_start(self, trainer: Trainer, module: Any) -> None:
        self.turns.watch(module.policy.model)
        self.turns.clock(module, "add_reference_log_probs", "reference")
        self.turns.begin()

    def on_train_batch_end(self, trainer: Trainer, module: Any, *rest: Any) -> None:
        record, phases = module.step_record, self.turns.phases
        for name in ("rollout", "reward", "update"):
            phases[name] = record.metrics[f"time/{name}"]
        phases["update"] -= phases["reference"]
        names = [problem.id for problem in record.problems]
        self.turns.end(names, record.work["prompt_tokens"], record.work["decoded_tokens"])


def train_ours(job: Job, turns: Turns) -> None:
    policy = Policy(job.folder, dtype=job.dtype, train_parts=job.parts)
    policy.stop_ids = frozenset({-1})  # no completion ends by itself
    module = GRPOModule(
        policy,
        {"length": Length()},
        job.group_size,
        Sampling(temperature=1.0, max_tokens=job.completion_tokens),
        loss=GRPOLoss(CLIP, CLIP),
        beta=BETA,
        max_grad_norm=MAX_NORM,
        optimizer=optimizer,
    )
    trainer = Trainer(
        accelerator="cpu",
        max_steps=job.steps,
        max_epochs=-1,
        callbacks=[OurTurns(turns)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(module, GeneralDataModule(Given(job.problems), batch_size=job.prompts))


class TheirTurns(TrainerCallback):
    """Turns of a trainer that shows callbacks no rollout, but tells its reward functions of it."""

    def __init__(self, turns: Turns, group_size: int) -> None:
        self.turns, self.group_size = turns, group_size
        self.problems: list[str] = []
        self.completion_tokens = self.seen = 0
        self.update_began = 0.0

    def judge(
        self, completions: Any, completion_ids: Any, problem: Any, **others: Any
    ) -> list[float]:
        """The reward function."""
        self.problems = list(dict.fromkeys(problem))
        self.completion_tokens = sum(map(len, completion_ids))
        return [worth(messages[0]["content"]) for messages in completions]

    def prepared(self, prepare: Callable[..., Any], *args: Any) -> Any:
        """Prepare what the update needs; then it begins."""
        inputs = prepare(*args)
        self.update_began = time.perf_counter()
        return inputs

    def on_train_begin(self, *rest: Any, **others: Any) -> None:
        self.turns.begin()

    def on_optimizer_step(self, *rest: Any, **others: Any) -> None:
        self.turns.phases["update"] = time.perf_counter() - self.update_began

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        # The tokens that TRL has seen so far: each prompt G times, and the completions.
        read = state.num_input_tokens_seen - self.seen - self.completion_tokens
        self.seen = state.num_input_tokens_seen
        self.turns.end(self.problems, read // self.group_size, self.completion_tokens)


def train_theirs(job: Job, turns: Turns) -> None:
    trl = import_module("trl")
    model: Any = load_model(job.folder, job.dtype, "sdpa")
    freeze(model, job.parts)
    processor = load_processor(job.folder)
    processor.tokenizer.padding_side = "left"
    callback = TheirTurns(turns, job.group_size)
    # Completions neither hold images nor end by themselves.
    never = {*placeholder_ids(model, processor), *stop_ids(job.folder, processor)}
    trained = [value for value in model.parameters() if value.requires_grad]
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=callback.judge,
        args=their_settings(trl, job, sorted(never)),
        train_dataset=their_data(job),
        processing_class=processor,
        callbacks=[callback],
        optimizers=(optimizer(trained), None),
    )
    trainer.remove_callback(PrinterCallback)
    for one in (model, trainer.ref_model):
        turns.watch(one)
    turns.clock(trainer, "_generate_single_turn", "rollout")
    turns.clock(trainer, "_calculate_rewards", "reward")
    turns.clock(trainer.ref_model, "forward", "reference")
    trainer._prepare_inputs = partial(callback.prepared, trainer._prepare_inputs)
    trainer.train()


def their_settings(trl: Any, job: Job, never: list[int]) -> Any:
    rows = job.prompts * job.group_size
    return trl.GRPOConfig(
        output_dir=f"{job.folder}/trl",
        max_steps=job.steps,
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=1,
        steps_per_generation=1,
        num_iterations=1,
        num_generations=job.group_size,
        max_completion_length=job.completion_tokens,
        temperature=1.0,
        generation_kwargs={"suppress_tokens": never},
        use_vllm=False,
        beta=BETA,
        epsilon=CLIP,
        loss_type="grpo",
        max_grad_norm=MAX_NORM,
        lr_scheduler_type="constant",
        # As on our side: TRL's defaults are to compute activations twice, and in bfloat16.
        gradient_checkpointing=False,
        bf16=False,
        shuffle_dataset=False,
        use_cpu=True,
        report_to="none",
        logging_strategy="no",
        save_strategy="no",
        disable_tqdm=True,
    )


def their_data(job: Job) -> Any:
    """The same problems in the order in which our sampler reads them."""
    order = BatchSampler(partial(shuffled, len(job.problems), job.prompts), "the problems given")
    return import_module("datasets").Dataset.from_list(
        [
            {
                "problem": problem.id,
                "prompt": [{"role": "user", "content": find_task(problem.task).prompt(problem)}],
                "images": problem.open_images(),
            }
            for problem in _in_order(job.problems, order)
        ]
    )


def _in_order(problems: Sequence[Problem], order: BatchSampler) -> Iterator[Problem]:
    return (problems[item] for batch in order for item in batch)


SIDES: dict[str, Callable[[Job, Turns], None]] = {"TRL": train_theirs, "ours": train_ours}
