"""Answering, and measuring answers, in Lightning's loops for validation, test and prediction."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

import torch
from lightning.pytorch import LightningModule
from torch import nn

from reasonrft.distributed.ranks import print_once, raise_on_all_ranks
from reasonrft.errors import BadInput, check_at_least
from reasonrft.evaluation.accuracy_metric import AccuracyMetric
from reasonrft.evaluation.answers import AnswerFile, Answers, Line, prompt_key, write_lines
from reasonrft.evaluation.identity import policy_name
from reasonrft.evaluation.image_modes import ALTERED, ImageMode
from reasonrft.evaluation.prediction_files import write_predictions
from reasonrft.evaluation.report import write_report
from reasonrft.evaluation.results import (
    AnswerAccuracy,
    Tally,
    accuracy_of,
    measure_answer,
    tally,
)
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
    """Measures its answers to every split of its datamodule.

    A subclass says who answers: `encoder`, `answer`, `identity`, and `answering` where `answer`
    has something to get ready.
    """

    learns_from: ClassVar[Literal["examples", "prompts", "pairs"]] = "prompts"
    """What batches of training hold."""

    def __init__(
        self,
        answer_tokens: int = 512,
        results: str | None = None,
        blind: bool = False,
        swap: bool = False,
    ) -> None:
        """
        Args:
            answer_tokens: Most tokens of an answer.
            results: Folder for answers and report; if not given, one below the trainer's
                default_root_dir, named after the policy and a hash of its weights.
            blind: Let `test` also ask every question without its images.
            swap: Let `test` also ask every question with another problem's images.
        """
        super().__init__()
        check_at_least(1, answer_tokens=answer_tokens)
        self.answer_tokens = answer_tokens
        self.results = results
        self.blind, self.swap = blind, swap
        self.accuracies = AccuracyMetric()
        self._answering = ExitStack()
        self._answered: list[tuple[str, ImageMode]] = []
        """Split and mode of each loader."""
        self._task: Task | None = None
        self._titles: dict[str, str] = {}
        self._report = ""

    @property
    def encoder(self) -> Any:
        """Makes prompts of problems, in a loader's workers."""
        raise NotImplementedError(f"{type(self).__name__} does not say how prompts are encoded")

    def answering(self) -> AbstractContextManager[None]:
        """What `answer` is called within; all ranks enter it, and then answer each at its pace."""
        return nullcontext()

    def answer(self, batch: Any, max_tokens: int) -> Answers:
        """Greedy answers to a batch of `Prompts`."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it answers")

    def identity(self) -> dict[str, Any]:
        """All that answers depend on but their prompts: "policy", its name, and what else."""
        raise NotImplementedError(f"{type(self).__name__} does not say what answers")

    @property
    def image_modes(self) -> tuple[ImageMode, ...]:
        """The modes in which `test` asks every question, for the datamodule to make loaders of."""
        wanted = {"blind": self.blind, "swapped": self.swap}
        return ("own", *(mode for mode in ALTERED if wanted[mode]))

    def on_validation_epoch_start(self) -> None:
        self._begin("validate")
        self._answering.enter_context(self.answering())

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._measure(batch, self._lines(*self._answered[dataloader_idx], batch))

    def on_validation_epoch_end(self) -> None:
        self._answering.close()
        self._log_accuracy("val")

    def on_test_epoch_start(self) -> None:
        self._begin("test", self.image_modes)
        self._open("answers", self.image_modes)
        self._answering.enter_context(self.answering())
        self.trainer.test_loop.verbose = False  # the report says it better

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> None:
        split, mode = self._answered[dataloader_idx]
        self._files[mode].add(self._measure(batch, self._ask(split, mode, batch), mode))

    def on_test_epoch_end(self) -> None:
        self._answering.close()
        accuracies = self._log_accuracy("test")
        with raise_on_all_ranks():
            if self.trainer.is_global_zero:
                self._write_report(accuracies)

    def _write_report(self, accuracies: list[AnswerAccuracy]) -> None:
        lines = self._files["own"].read_all()
        own = [lines[answer.key] for answer in accuracies if answer.mode == "own"]
        write_predictions(self._folder, own)
        self._report = write_report(self._folder, self._identity, tally(accuracies), self._titles)

    def on_test_end(self) -> None:
        print_once(self._report)

    def on_predict_epoch_start(self) -> None:
        self._begin("predict")
        self._open("predictions")
        self._answering.enter_context(self.answering())

    def predict_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> list[str]:
        lines = self._ask(*self._answered[dataloader_idx], batch)
        self._files["own"].add(lines)
        return [line["completion"] for line in lines]

    def on_predict_epoch_end(self) -> None:
        self._answering.close()

    def on_predict_end(self) -> None:
        print_once(f"answers: {self._files['own'].path}")

    def measure(
        self, loaders: Iterable[Iterable[Prompts]], stage: str = "test"
    ) -> dict[str, Tally]:
        """Tallies of a stage's splits, in the midst of training; no answer is kept on file."""
        self._begin(stage)
        context = self.trainer.precision_plugin.test_step_context()
        with context, _evaluating(self), self.answering():
            for (split, mode), loader in zip(self._answered, loaders, strict=True):
                for batch in loader:
                    self._measure(batch, self._lines(split, mode, batch))
        return tally(self.accuracies.compute())

    def _begin(self, stage: str, modes: Sequence[ImageMode] = ("own",)) -> None:
        self.accuracies.reset()
        self._answering.close()  # of an evaluation that was broken off
        data: Any = getattr(self.trainer, "datamodule", None)
        if not hasattr(data, "eval_splits"):
            raise BadInput("evaluation needs a datamodule whose eval_splits names its splits")
        self._task = data.common_task
        task = data.task.name or type(data.task).__name__ if data.task else "general"
        self._titles = {task: title} if (title := getattr(data.task, "title", "")) else {}
        self._answered = []
        for mode in modes:
            names = data.eval_splits(stage) if mode == "own" else data.eval_splits(stage, mode)
            if not names and self._answered:
                raise BadInput(
                    f"{mode}: no split can be asked so, for its problems lack images to leave "
                    "out or to swap; test them without this option"
                )
            named = [name if "/" in name else f"{task}/{name}" for name in names]
            self._answered += [(name, mode) for name in named]

    def _open(self, name: str, modes: Sequence[ImageMode] = ("own",)) -> None:
        """Open the files of answers, one for each mode, which all ranks name alike."""
        self._identity = self.trainer.strategy.broadcast(self.identity())
        policy = policy_name(self._identity)
        root = Path(self.trainer.default_root_dir) / "evaluation"
        self._folder = Path(self.results) if self.results else root / policy
        names = {mode: name if mode == "own" else f"{name}.{mode}" for mode in modes}
        self._files = {
            mode: AnswerFile(self._folder, name, policy, self.global_rank)
            for mode, name in names.items()
        }

    def _ask(self, split: str, mode: ImageMode, batch: Prompts) -> list[Line]:
        """Answers to a batch; those that are on file are not asked for again."""
        known, keys = self._files[mode].known, self._keys(split, mode, batch)
        missing = [row for row, key in enumerate(keys) if key not in known]
        if missing:
            new = {line["key"]: line for line in self._lines(split, mode, batch.select(missing))}
            known = new | known
        return [known[key] for key in keys]

    def _keys(self, split: str, mode: ImageMode, batch: Prompts) -> list[str]:
        asked = zip(batch.problems, batch.texts, strict=True)
        return [prompt_key(split, *prompt, self.answer_tokens, mode) for prompt in asked]

    def _lines(self, split: str, mode: ImageMode, batch: Prompts) -> list[Line]:
        answers = self.answer(batch, self.answer_tokens)
        return write_lines(split, batch.problems, self._keys(split, mode, batch), answers)

    def _measure(self, batch: Prompts, lines: list[Line], mode: ImageMode = "own") -> list[Line]:
        """The lines with the accuracy of each, which is also counted."""
        measured = [
            {**line, **measure_answer(problem, line["completion"], self._task)}
            for problem, line in zip(batch.problems, lines, strict=True)
        ]
        self.accuracies.update([accuracy_of(line, mode) for line in measured])
        return measured

    def _log_accuracy(self, stage: str) -> list[AnswerAccuracy]:
        """Log the averages of each split, and of the sources in it, over all ranks."""
        accuracies = self.accuracies.compute()
        for split, split_tally in tally(accuracies).items():
            self._log_averages(f"{stage}/{split}", split_tally)
            for mode in ALTERED:
                if mode in split_tally:
                    self._log_averages(f"{stage}/{split}/{mode}", split_tally[mode])
            for source, of_source in split_tally["by"].get("source", {}).items():
                self._log_averages(f"{stage}/{split}/source/{source}", of_source)
        return accuracies

    def _log_averages(self, name: str, split_tally: Tally) -> None:
        averages = {
            "accuracy": split_tally["strict"],
            "official": split_tally["official"],
            "tokens": split_tally["tokens"],
            "truncated": split_tally["truncated"],
        }
        self.log_dict({f"{name}/{key}": value for key, value in averages.items()}, sync_dist=True)


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """No gradients and no dropout; every submodule goes back to the mode it was in."""
    modes = [(submodule, submodule.training) for submodule in module.modules()]
    module.eval()
    try:
        # Not inference_mode: features of images are remembered, and learned from later.
        with torch.no_grad():
            yield
    finally:
        for submodule, training in modes:
            submodule.training = training
