"""TRL's side of grpo_step.py: the same training by its GRPOTrainer."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any

import torch
from grpo_model import make_model
from grpo_sides import ALPHA, BETA, CLIP, MAX_NORM, RANK, optimizer, worth
from grpo_turns import Job, Turns
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList, PrinterCallback, TrainerCallback

from reasonrft.datamodules.batch_plans import shuffled
from reasonrft.datamodules.sampler import BatchSampler
from reasonrft.policy.parts import freeze, linear_layers
from reasonrft.policy.processors import load_processor
from reasonrft.policy.special_tokens import placeholder_ids, stop_ids
from reasonrft.problems import Problem
from reasonrft.tasks import find_task

VLLM_SHARE = 0.3
"""Of a GPU's memory, for vLLM in the same process: TRL's own default."""


class TheirTurns(TrainerCallback):
    """Turns of a trainer that shows callbacks no rollout, but tells its reward functions of it."""

    def __init__(self, turns: Turns, group_size: int) -> None:
        self.turns, self.group_size = turns, group_size
        self.problems: list[str] = []
        self.completion_tokens = self.seen = 0
        self.update_began: float | None = None

    def judge(
        self, completions: Any, completion_ids: Any, problem: Any, **others: Any
    ) -> list[float]:
        """The reward function."""
        self.problems = list(dict.fromkeys(problem))
        self.completion_tokens = sum(map(len, completion_ids))
        return [worth(messages[0]["content"]) for messages in completions]

    def prepared(self, prepare: Callable[..., Any], *args: Any) -> Any:
        """Prepare what the update needs; with the first of its micro-batches it begins."""
        inputs = prepare(*args)
        if self.update_began is None:
            self.turns.wait()
            self.update_began = time.perf_counter()
        return inputs

    def on_train_begin(self, *rest: Any, **others: Any) -> None:
        self.turns.begin()

    def on_optimizer_step(self, *rest: Any, **others: Any) -> None:
        self.turns.wait()
        assert self.update_began is not None
        self.turns.phases["update"] = time.perf_counter() - self.update_began
        self.update_began = None

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        # The tokens that TRL has seen so far: each prompt G times, and the completions.
        read = state.num_input_tokens_seen - self.seen - self.completion_tokens
        self.seen = state.num_input_tokens_seen
        self.turns.end(self.problems, read // self.group_size, self.completion_tokens)


class DrawnLengths(LogitsProcessor):
    """Lets each completion end by itself where the job says."""

    def __init__(self, job: Job, end: int) -> None:
        self.job, self.end = job, end
        self.lengths = torch.empty(0)
        self.written = 0

    def expect(self, generate: Callable[..., Any], inputs: Any) -> Any:
        """These rows are to be written: a problem's stand together."""
        names = dict.fromkeys(row["problem"] for row in inputs)
        lengths = [length for name in names for length in self.job.lengths_of(name)]
        self.lengths = torch.tensor(lengths, device=self.job.device)[:, None]
        self.written = 0
        return generate(inputs)

    def __call__(self, input_ids: Any, scores: Any) -> Tensor:
        self.written += 1
        ends = self.lengths == self.written
        forced = torch.full_like(scores, -torch.inf)
        forced[:, self.end] = 0.0
        return torch.where(ends, forced, scores)


def train_theirs(job: Job, turns: Turns, use_vllm: bool) -> None:
    trl = import_module("trl")
    processor = load_processor(job.folder)
    processor.tokenizer.padding_side = "left"
    model = make_model(job.folder, job.dtype, job.device)
    # Completions neither hold images nor end by themselves.
    never = sorted({*placeholder_ids(model, processor), *stop_ids(job.folder, processor)})
    reference = _begin(model, job, turns)
    if use_vllm:  # which reads its weights from there
        model.save_pretrained(job.folder)
    model = _with_adapter(model, job) if job.adapter else model
    callback = TheirTurns(turns, job.group_size)
    trained = [value for value in model.parameters() if value.requires_grad]
    settings = vllm_settings(job, never) if use_vllm else {}
    # It would read the reference's weights from the policy's folder, where there are none.
    theirs: Any = import_module("trl.trainer.grpo_trainer")
    theirs.create_model_from_path = lambda *_, **__: reference
    trainer = trl.GRPOTrainer(
        model=model,
        reward_funcs=callback.judge,
        args=their_settings(trl, job, never, **settings),
        train_dataset=their_data(job),
        processing_class=processor,
        callbacks=[callback],
        optimizers=(optimizer(trained), None),
    )
    trainer.remove_callback(PrinterCallback)
    if job.lengths == "natural":
        drawn = DrawnLengths(job, processor.tokenizer.eos_token_id)
        model.generate = partial(model.generate, logits_processor=LogitsProcessorList([drawn]))
        generate = trainer._generate_and_score_completions
        trainer._generate_and_score_completions = partial(drawn.expect, generate)
    turns.clock(trainer, "_generate_single_turn", "rollout")
    turns.clock(trainer, "_calculate_rewards", "reward")
    # Without gradients it scores the reference, and what vLLM sampled.
    scores = "_get_per_token_logps_and_entropies"
    turns.clock(trainer, scores, "reference", lambda: not torch.is_grad_enabled())
    trainer._prepare_inputs = partial(callback.prepared, trainer._prepare_inputs)
    trainer.train()


def _begin(model: Any, job: Job, turns: Turns) -> Any:
    """Say what of the model is trained, count what passes it, and make its reference."""
    freeze(model, job.train_parts)
    turns.watch(model)
    if job.adapter:  # switched off, it leaves the reference
        return None
    reference = make_model(job.folder, job.dtype, job.device)
    turns.watch(reference)
    return reference


def _with_adapter(model: Any, job: Job) -> Any:
    from peft import LoraConfig, get_peft_model

    layers = linear_layers(model, job.train_parts)
    settings = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=layers, task_type="CAUSAL_LM")
    return get_peft_model(model, settings)


def their_settings(trl: Any, job: Job, never: list[int], **others: Any) -> Any:
    rows = job.prompts * job.group_size
    options: dict[str, Any] = {
        "output_dir": f"{job.folder}/trl",
        "max_steps": job.steps,
        "per_device_train_batch_size": rows // job.parts,
        "gradient_accumulation_steps": job.parts,
        "steps_per_generation": job.parts,
        "num_iterations": 1,
        "num_generations": job.group_size,
        "max_completion_length": job.completion_tokens,
        "temperature": 1.0,
        "generation_kwargs": {"suppress_tokens": never},
        "use_vllm": False,
        "beta": BETA,
        "epsilon": CLIP,
        "loss_type": "grpo",
        "max_grad_norm": MAX_NORM,
        "lr_scheduler_type": "constant",
        # As on our side: TRL's default is to compute activations twice.
        "gradient_checkpointing": False,
        # On a GPU its default, on a CPU as on our side.
        "bf16": job.device == "cuda" and job.dtype == "bfloat16",
        "shuffle_dataset": False,
        "use_cpu": job.device == "cpu",
        "report_to": "none",
        "logging_strategy": "no",
        "save_strategy": "no",
        "disable_tqdm": True,
    }
    return trl.GRPOConfig(**(options | others))


def vllm_settings(job: Job, never: list[int]) -> dict[str, Any]:
    """Its engine in the trainer's process, on the same GPU."""
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": VLLM_SHARE,
        "vllm_max_model_length": 4096,
        "generation_kwargs": {
            "ignore_eos": True,
            "min_tokens": job.completion_tokens,
            "logit_bias": dict.fromkeys(never, -100.0),
        },
    }


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
