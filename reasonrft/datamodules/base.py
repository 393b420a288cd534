"""Problems of one task on their way to a module."""

import os
import random
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_info

from reasonrft.datamodules.batch_plans import (
    of_similar_length,
    of_similar_size,
    shard_evenly,
    share_of_examples,
    share_of_tokens,
    shuffled,
)
from reasonrft.datamodules.curriculum import (
    Curriculum,
    CurriculumSampler,
    LevelLog,
    check_reports,
    items_by_level,
    note_groups,
)
from reasonrft.datamodules.encode_batch import Asking, Encode, Kind, Target
from reasonrft.datamodules.mixture import MixtureSampler, items_by_source
from reasonrft.datamodules.problem_sources import ProblemSource
from reasonrft.datamodules.sampler import BatchSampler, ProblemLoader, ResumableLoader
from reasonrft.datamodules.split_checks import check, left_out, named_splits, validation_note
from reasonrft.errors import BadInput, check_at_least
from reasonrft.evaluation.image_modes import ImageMode, in_image_mode, left_out_of
from reasonrft.problems import Problem
from reasonrft.tasks import TASKS, Task, find_task

Stage = Literal["fit", "validate", "test", "predict"]


class TaskDataModule(LightningDataModule):
    """Problems of a task: to learn from in training, to be answered in every other stage.

    What a batch is, the module says that is trained: it has an `encoder`, and learns from
    "examples" (fine-tuning), from "prompts" (reinforcement) or from "pairs" (preference).
    """

    task_name: ClassVar[str | None] = None
    """The task of all problems; each problem's own if None."""
    image_count: ClassVar[int | None] = None
    """How many images a problem has; any number but in all of them if None."""

    def __init__(
        self,
        source: ProblemSource,
        task: Task | None = None,
        target: Target = "cot",
        batch_size: int = 16,
        batch_tokens: int | None = None,
        group_by_length: bool = True,
        eval_batch_size: int = 32,
        max_tokens: int = 4096,
        limit: int | None = None,
        skip: int = 0,
        val_splits: Sequence[str] | None = None,
        curriculum: Curriculum | None = None,
        workers: int = 0,
        seed: int = 0,
    ) -> None:
        """
        Args:
            source: Where the problems come from.
            task: A task with prompts of one's own, or of one's own class.
            target: Prompts ask for, and fine-tuning learns, chain of thought or the bare answer.
            batch_size: Examples or prompts in a batch of training, per process: those of all
                processes are planned as one batch, and each reads its share.
            batch_tokens: Instead of a number of examples, as many as fit into so many tokens, per
                process; the share of one of several may be larger by less than an example.
            group_by_length: Fine-tune on batches of similar length, which need little padding.
            eval_batch_size: Problems that are answered together.
            max_tokens: Longest example (prompt, if learning from prompts); others are left out.
            limit: Train on so many problems only, drawn at random.
            skip: Train on none of those that a limit of this number draws: a stage before did.
            val_splits: Splits that validation answers while training, val if not given; "ood*" is
                all that begin so.
            curriculum: Train on the easiest level of the problems first, and open the next one
                when most of the newest is answered rightly.
            workers: Processes that load data.
            seed: Another seed is another order.
        """
        super().__init__()
        check_at_least(1, batch_size=batch_size, eval_batch_size=eval_batch_size)
        check_at_least(1, batch_tokens=batch_tokens, max_tokens=max_tokens, limit=limit)
        check_at_least(0, skip=skip, workers=workers)
        if batch_tokens is not None and batch_tokens < max_tokens:
            raise BadInput(
                f"batch_tokens={batch_tokens:,} has no room for an example of max_tokens="
                f"{max_tokens:,}: make it at least as large"
            )
        if curriculum is not None and batch_tokens is not None:
            raise BadInput("curriculum makes batches of batch_size: leave batch_tokens out")
        if source.weights and batch_tokens is not None:
            raise BadInput("weights make batches of batch_size: leave batch_tokens out")
        if source.weights and curriculum is not None:
            raise BadInput(
                "curriculum chooses problems by level and weights by source: leave one of them out"
            )
        self.source, self.target, self.seed = source, target, seed
        self.curriculum = curriculum
        self._levels: LevelLog | None = None
        self._loader: ResumableLoader | None = None
        self.limit, self.skip = limit, skip
        self.val_splits = named_splits(val_splits, source.splits)
        self._validation_note = validation_note(val_splits, self.val_splits, source.splits)
        fixed = find_task(self.task_name) if self.task_name else None
        self.common_task = task or fixed
        self.task = task or fixed or find_task("general")
        self.batch_size, self.batch_tokens = batch_size, batch_tokens
        self.group_by_length, self.max_tokens = group_by_length, max_tokens
        self.eval_batch_size, self.workers = eval_batch_size, workers
        self.problems: dict[str, Sequence[Problem]] = {}
        self.lengths: list[int] = []
        self._altered: dict[tuple[str, ImageMode], Sequence[Problem]] = {}

    def eval_splits(self, stage: Stage, images: ImageMode = "own") -> tuple[str, ...]:
        """The splits that a stage answers, in the order of its loaders.

        Without their images, or with another problem's, only those that have images to alter.
        """
        if stage in ("fit", "validate"):
            splits = self.val_splits
        else:
            splits = tuple(split for split in self.source.splits if split not in ("train", "val"))
        return tuple(s for s in splits if images == "own" or self._in_image_mode(s, images))

    @property
    def train_sources(self) -> tuple[str, ...]:
        """The sources of the problems that are trained on, where they are of several."""
        names = dict.fromkeys(problem.source for problem in self.problems.get("train", ()))
        return tuple(name for name in names if name)

    def prepare_data(self) -> None:
        self.source.prepare(self._wanted(self._stage()))

    def setup(self, stage: str) -> None:
        if stage == "fit" and "train" not in self.source.splits:
            raise BadInput("the data names no problems to train on: name them as train")
        if stage == "fit" and self.curriculum is not None:
            check_reports(self._module)
        if stage in ("fit", "validate") and self._validation_note:
            rank_zero_info(self._validation_note)
        for split in self._wanted(stage):
            if split not in self.problems:
                self.problems[split] = self._read(split)

    def train_dataloader(self) -> ResumableLoader:
        encode = self._encode(self._kind)
        problems = self.problems["train"]
        self._loader = ResumableLoader(problems, self._batch_sampler(), encode, self.workers)
        return self._loader

    def note_pass_rates(self, groups: Sequence[tuple[Problem, float]]) -> dict[str, float]:
        """Take the share of right completions of each group that a step has sampled on this rank.

        All ranks call it before the next batch is read. Returns what a curriculum has to log.
        """
        if self._levels is None or self._loader is None:
            return {}
        return note_groups(self._levels, self._loader.step, groups)

    def state_dict(self) -> dict[str, Any]:
        return {} if self._levels is None else {"curriculum": self._levels.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        if self._levels is not None and "curriculum" in state_dict:
            self._levels.load_state_dict(state_dict["curriculum"])

    def val_dataloader(self) -> list[ProblemLoader]:
        return self.eval_loaders("validate")

    def test_dataloader(self) -> list[ProblemLoader]:
        self._need_tests()
        modes: Sequence[ImageMode] = getattr(self._module, "image_modes", ("own",))
        return [loader for images in modes for loader in self.eval_loaders("test", None, images)]

    def predict_dataloader(self) -> list["Batches"]:
        self._need_tests()
        return [Batches(loader) for loader in self.eval_loaders("predict")]

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        # Lightning would take it apart, and problems are frozen; the policy moves what it joins.
        return batch

    def eval_loaders(
        self, stage: Stage, limit: int | None = None, images: ImageMode = "own"
    ) -> list[ProblemLoader]:
        """Loaders of a stage's splits: of all problems, or of so many, in all runs the same."""
        encode = self._encode("prompts")
        names = self.eval_splits(stage, images)
        splits = [_some(self._in_image_mode(name, images), limit, 0) for name in names]
        return [
            ProblemLoader(
                problems,
                shard_evenly(len(problems), self.eval_batch_size, *self._ranks),
                encode,
                self.workers,
            )
            for problems in splits
        ]

    def read_alone(self, split: str) -> Sequence[Problem]:
        """A split's problems without a trainer: checked, and of train those of limit and skip."""
        if split not in self.source.splits:
            there = ", ".join(self.source.splits)
            raise BadInput(f"the data has no split {split!r}: use {there}")
        self.source.prepare([split])
        problems = self.source.problems(split, name_of(self.common_task))
        check(problems, split, self.common_task, self.image_count)
        return _some(problems, self.limit, self.seed, self.skip) if split == "train" else problems

    def _in_image_mode(self, split: str, images: ImageMode) -> Sequence[Problem]:
        """A split's problems as they are, without their images, or with another problem's."""
        problems = self.problems[split]
        if images == "own":
            return problems
        if (split, images) not in self._altered:
            altered = in_image_mode(problems, images, self.seed)
            self._altered[split, images] = altered
            if told := left_out_of(images, split, len(problems), len(altered)):
                rank_zero_info(told)
        return self._altered[split, images]

    def _need_tests(self) -> None:
        if not self.eval_splits("test"):
            splits = ", ".join(self.source.splits)
            raise BadInput(f"the data has no test split, only {splits}: name one as a test")

    def _wanted(self, stage: str | None) -> tuple[str, ...]:
        """The splits that a stage reads; all of them where no stage is known."""
        if stage is None:
            return self.source.splits
        trained = ("train",) if stage == "fit" else ()
        return (*trained, *self.eval_splits(stage))  # type: ignore[arg-type]

    def _stage(self) -> str | None:
        function = None if self.trainer is None else self.trainer.state.fn
        return None if function is None else str(function.value)

    @property
    def _module(self) -> Any:
        """Whoever reads the batches; it knows the encoder."""
        if self.trainer is None:
            raise BadInput("a datamodule makes batches for a Trainer's module: pass it to one")
        return self.trainer.lightning_module

    @property
    def _kind(self) -> Kind:
        return self._module.learns_from

    @property
    def _ranks(self) -> tuple[int, int]:
        return (
            (0, 1) if self.trainer is None else (self.trainer.global_rank, self.trainer.world_size)
        )

    def _encode(self, kind: Kind) -> Encode:
        if self.workers:
            # Tokenizers warn, and switch it off, where a process forks after having used theirs.
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        return Encode(self._module.encoder, Asking(self.common_task, self.target), kind)

    def _read(self, split: str) -> Sequence[Problem]:
        """A split's problems, checked; in training, those within the limits."""
        problems = self.source.problems(split, name_of(self.common_task))
        if split != "train":
            check(problems, split, self.common_task, self.image_count)
            return self._prepared(problems)
        learned: dict[Kind, Target | Literal["pairs"]] = {"examples": self.target, "pairs": "pairs"}
        check(problems, split, self.common_task, self.image_count, learned.get(self._kind))
        chosen = self._prepared(_some(problems, self.limit, self.seed, self.skip))
        chosen = self._within(chosen)
        if self.curriculum is not None:
            self._levels = LevelLog(self.curriculum, [*items_by_level(chosen)])
        return chosen

    def _prepared(self, problems: Sequence[Problem]) -> Sequence[Problem]:
        """Problems as their tasks put them to the module's model."""
        return [
            (self.common_task or find_task(problem.task)).prepared(problem, self._seen_size)
            for problem in problems
        ]

    def _seen_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self._module.encoder.seen_size(size)

    def _within(self, problems: Sequence[Problem]) -> Sequence[Problem]:
        """Those that are not too long; nothing is ever truncated."""
        encode = self._encode(self._kind)
        lengths = [encode.length(problem) for problem in problems]
        pairs = list(zip(problems, lengths, strict=True))
        if long := [problem.id for problem, length in pairs if length > self.max_tokens]:
            rank_zero_info(left_out(long, len(problems), "train", self.max_tokens))
        if not problems:
            raise BadInput(f"split train has no problems but the {self.skip:,} that are skipped")
        if len(long) == len(problems):
            raise BadInput(f"no problem of split train is within max_tokens={self.max_tokens:,}")
        self.lengths = [length for length in lengths if length <= self.max_tokens]
        return [problem for problem, length in pairs if length <= self.max_tokens]

    def _batch_sampler(self) -> BatchSampler:
        """Batches of all processes together, of which this one reads its share."""
        rank, ranks = self._ranks
        count, size, share = len(self.problems["train"]), self.batch_size * ranks, share_of_examples
        if self._levels is not None:
            items = items_by_level(self.problems["train"])
            return CurriculumSampler(items, self._levels, size, self.seed, rank, ranks)
        if weights := self.source.weights:
            items_of = items_by_source(self.problems["train"], list(weights))
            return MixtureSampler(items_of, weights, size, self.seed, rank, ranks)
        if self.batch_tokens is not None:
            tokens = self.batch_tokens * ranks
            plan = partial(of_similar_size, self.lengths, tokens)
            share = partial(share_of_tokens, self.lengths)
            name = f"{count:,} problems in batches of {tokens:,} tokens"
        elif self.group_by_length and self._kind != "prompts":
            plan = partial(of_similar_length, self.lengths, size)
            name = f"{count:,} problems in batches of {size} of similar length"
        else:
            plan = partial(shuffled, count, size)
            name = f"{count:,} problems in batches of {size}"
        return BatchSampler(plan, name, self.seed, rank, ranks, share)


class Batches:
    """A loader that Lightning takes as it is: for predictions it makes every DataLoader anew."""

    def __init__(self, loader: ProblemLoader) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.loader)


def _some(
    problems: Sequence[Problem], limit: int | None, seed: int, skip: int = 0
) -> Sequence[Problem]:
    """At most so many after those that are skipped of a random order; they stay in their own."""
    if not skip and (limit is None or limit >= len(problems)):
        return problems
    order = random.Random(f"{seed}/limit").sample(range(len(problems)), len(problems))
    chosen = order[skip:] if limit is None else order[skip : skip + limit]
    return [problems[item] for item in sorted(chosen)]


def name_of(task: Task | None) -> str | None:
    """What readers call a task: its short name, or its class_path."""
    if task is None:
        return None
    cls = type(task)
    return cls.name if cls in TASKS else f"{cls.__module__}.{cls.__qualname__}"
