"""Answering and scoring in Lightning's loops for validation, test and prediction."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import torch
from lightning.pytorch import LightningModule
from torch import nn

from reasonrft.errors import BadInput
from reasonrft.evaluation.answers import AnswerFile, Answers, Line, prompt_key, write_lines
from reasonrft.evaluation.identity import policy_name
from reasonrft.evaluation.release import write_predictions
from reasonrft.evaluation.report import write_report
from reasonrft.evaluation.results import Score, Tally, score_answer, score_of, tally
from reasonrft.evaluation.scoreboard import Scoreboard
from reasonrft.problems import Problem
from reasonrft.tasks import Task


class Prompts(Protocol):
    """Prompts as a datamodule batches them."""

    @property
    def problems(self) -> Sequence[Problem]: ...

    @property
    def texts(self) -> Sequence[str]:
        """What the user says in each."""

    def select(self, rows: Sequence[int]) -> "Prompts":
        """Some of them."""


class EvaluatedModule(LightningModule):
    """Scores its answers to every split of its datamodule.

    A subclass says who answers: `encoder`, `answer` and `identity`.
    """

    learns_from: ClassVar[Literal["examples", "prompts"]] = "prompts"
    """What batches of training hold."""

    def __init__(self, answer_tokens: int = 512, results: str | None = None) -> None:
        """
        Args:
            answer_tokens: Most tokens of an answer.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the policy and a hash of its weights.
        """
        super().__init__()
        self.answer_tokens = answer_tokens
        self.results = results
        self.scoreboard = Scoreboard()
        self._splits: list[str] = []
        self._task: Task | None = None
        self._report = ""

    @property
    def encoder(self) -> Any:
        """Makes prompts of problems, in a loader's workers."""
        raise NotImplementedError(f"{type(self).__name__} does not say how prompts are encoded")

    def answer(self, batch: Any, max_tokens: int) -> Answers:
        """Greedy answers to a batch of `Prompts`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it answers")

    def identity(self) -> dict[str, Any]:
        """All that answers depend on but their prompts: "policy", its name, and what else."""
        raise NotImplementedError(f"{type(self).__name__} does not say what answers")

    def on_validation_epoch_start(self) -> None:
        self._begin("validate")

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._score(batch, self._lines(self._splits[dataloader_idx], batch))

    def on_validation_epoch_end(self) -> None:
        self._log_accuracy("val")

    def on_test_epoch_start(self) -> None:
        self._begin("test")
        self._open("answers")
        self.trainer.test_loop.verbose = False  # the report says it better

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        lines = self._score(batch, self._ask(self._splits[dataloader_idx], batch))
        self._file.add(lines)

    def on_test_epoch_end(self) -> None:
        scores = self._log_accuracy("test")
        if self.trainer.is_global_zero:
            lines = self._file.read_all()
            write_predictions(self._folder, [lines[score.key] for score in scores])
            self._report = write_report(self._folder, self._identity, tally(scores))

    def on_test_end(self) -> None:
        self.print(self._report)

    def on_predict_epoch_start(self) -> None:
        self._begin("predict")
        self._open("predictions")

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> list[str]:
        lines = self._ask(self._splits[dataloader_idx], batch)
        self._file.add(lines)
        return [line["completion"] for line in lines]

    def on_predict_end(self) -> None:
        self.print(f"answers: {self._file.path}")

    def measure(
        self, loaders: Iterable[Iterable[Prompts]], stage: str = "test"
    ) -> dict[str, Tally]:
        """Tallies of a stage's splits, in the midst of training; no answer is kept on file."""
        self._begin(stage)
        with self.trainer.precision_plugin.test_step_context(), _evaluating(self):
            for split, loader in zip(self._splits, loaders, strict=True):
                for batch in loader:
                    self._score(batch, self._lines(split, batch))
        return tally(self.scoreboard.compute())

    def _begin(self, stage: str) -> None:
        self.scoreboard.reset()
        data: Any = getattr(self.trainer, "datamodule", None)
        if not hasattr(data, "eval_splits"):
            raise BadInput("evaluation needs a datamodule whose eval_splits names its splits")
        self._task = data.common_task
        task = data.task.name or type(data.task).__name__ if data.task else "general"
        names = data.eval_splits(stage)
        self._splits = [name if "/" in name else f"{task}/{name}" for name in names]

    def _open(self, name: str) -> None:
        """Open the file of answers, which all ranks name alike."""
        self._identity = self.trainer.strategy.broadcast(self.identity())
        policy = policy_name(self._identity)
        root = Path(self.trainer.default_root_dir) / "evaluation"
        self._folder = Path(self.results) if self.results else root / policy
        self._file = AnswerFile(self._folder, name, policy, self.global_rank)

    def _ask(self, split: str, batch: Prompts) -> list[Line]:
        """Answers to a batch; those that are on file are not asked for again."""
        known, keys = self._file.known, self._keys(split, batch)
        missing = [row for row, key in enumerate(keys) if key not in known]
        if not self.trainer.strategy.reduce_boolean_decision(not missing):
            # Ranks that share a policy answer together, even where nothing is missing.
            asked = batch.select(missing or [0])
            new = {line["key"]: line for line in self._lines(split, asked)}
            known = new | known
        return [known[key] for key in keys]

    def _keys(self, split: str, batch: Prompts) -> list[str]:
        asked = zip(batch.problems, batch.texts, strict=True)
        return [prompt_key(split, problem, text, self.answer_tokens) for problem, text in asked]

    def _lines(self, split: str, batch: Prompts) -> list[Line]:
        answers = self.answer(batch, self.answer_tokens)
        return write_lines(split, batch.problems, self._keys(split, batch), answers)

    def _score(self, batch: Prompts, lines: list[Line]) -> list[Line]:
        scored = [
            {**line, **score_answer(problem, line["completion"], self._task)}
            for problem, line in zip(batch.problems, lines, strict=True)
        ]
        self.scoreboard.update([score_of(line) for line in scored])
        return scored

    def _log_accuracy(self, stage: str) -> list[Score]:
        """Log each split's averages over all ranks."""
        scores = self.scoreboard.compute()
        for split, found in tally(scores).items():
            averages = {
                "accuracy": found["strict"],
                "official": found["official"],
                "tokens": found["tokens"],
                "truncated": found["truncated"],
            }
            named = {f"{stage}/{split}/{name}": value for name, value in averages.items()}
            self.log_dict(named, sync_dist=True)
        return scores


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """No gradients and no dropout; every part goes back to the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        # Not inference_mode: features of pictures are remembered, and learned from later.
        with torch.no_grad():
            yield
    finally:
        for part, training in modes:
            part.training = training
