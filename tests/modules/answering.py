"""A module that answers without any model, on problems that are made up."""

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Trainer

from reasonrft.datamodules import CountingDataModule
from reasonrft.datamodules.problem_sources import ProblemSource
from reasonrft.evaluation.answers import Answers
from reasonrft.modules.endpoint import QuestionEncoder, Questions
from reasonrft.modules.evaluation import EvaluatedModule
from reasonrft.problems import Problem
from reasonrft.worlds.drawing.png import encode_png

SPLITS = {"val": 4, "id": 10, "ood-domain": 5}


def made_up(split: str, number: int) -> Problem:
    import numpy as np

    image = encode_png(np.full((8, 8, 3), number, dtype=np.uint8))
    meta = {"split": split, "template": "even" if number % 2 == 0 else "odd"}
    name = f"{split}-{number:02d}"
    return Problem(name, "counting", (image,), f"{name}: how many?", str(number), meta=meta)


class MadeUp(ProblemSource):
    """Numbered questions; the answer is the number."""

    splits = tuple(SPLITS)

    def problems(self, split: str, task: str | None = None) -> Sequence[Problem]:
        return [made_up(split, number) for number in range(SPLITS[split])]


class Counter(EvaluatedModule):
    """Right wherever the answer is even."""

    def __init__(self, name: str = "counter", die_after: int | None = None, **options: Any) -> None:
        super().__init__(answer_tokens=16, **options)
        self.name, self.die_after = name, die_after
        self.asked: list[str] = []
        self.batches = 0

    @property
    def encoder(self) -> QuestionEncoder:
        return QuestionEncoder()

    def answer(self, batch: Questions, max_tokens: int) -> Answers:
        assert max_tokens == 16
        if self.batches == self.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.batches += 1
        self.asked += [problem.id for problem in batch.problems]
        texts = [f"<think>t</think><answer>{_guess(p.answer)}</answer>" for p in batch.problems]
        return Answers(texts, [5] * len(texts), [False] * len(texts))

    def identity(self) -> dict[str, Any]:
        return {"policy": self.name}


class Reader(Counter):
    """Answers the number that the image shows; 3 where there is none."""

    def __init__(self, **options: Any) -> None:
        super().__init__("reader", **options)
        self.images: list[int] = []

    def answer(self, batch: Questions, max_tokens: int) -> Answers:
        super().answer(batch, max_tokens)
        self.images += [len(problem.images) for problem in batch.problems]
        shown = [problem.open_images() for problem in batch.problems]
        texts = [str(images[0].getpixel((0, 0))[0]) if images else "3" for images in shown]
        return Answers(texts, [1] * len(texts), [False] * len(texts))


def _guess(answer: str) -> int:
    return int(answer) if int(answer) % 2 == 0 else 77


def data(batch: int = 3) -> CountingDataModule:
    return CountingDataModule(MadeUp(), eval_batch_size=batch)


def trainer(root: Any, **options: Any) -> Trainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    options = {"use_distributed_sampler": False, **quiet, **options}
    return Trainer(accelerator="cpu", default_root_dir=root, **options)


def be_tested(results: Path, ranks: int = 1, **options: Any) -> None:
    """The test of a module that may be made to die."""
    module = Counter(results=str(results), **options)
    strategy = "ddp_fork" if ranks > 1 else "auto"
    trainer(results, devices=ranks, strategy=strategy).test(module, data())
