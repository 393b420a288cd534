"""Samples to look at while a policy is trained, in TensorBoard and on a page of their own."""

from pathlib import Path
from typing import Any

import numpy as np
from lightning.pytorch import Callback, LightningModule, Trainer

from reasonrft.callbacks.run_state import boards, is_dry, record_of
from reasonrft.callbacks.samples import Sample, as_markdown, take_samples
from reasonrft.callbacks.samples_page import SamplesPage
from reasonrft.modules.grpo import GRPOModule


class SampleGallery(Callback):
    """Shows prompts with their pictures, all completions, and what each reward gave."""

    def __init__(self, every: int = 25, prompts: int = 2, keep: int = 100) -> None:
        """
        Args:
            every: Steps between two showings.
            prompts: Prompts that are shown of a step.
            keep: Most prompts on the page samples.html; the oldest go first.
        """
        self.every, self.prompts, self.keep = every, prompts, keep

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.page = SamplesPage(Path(trainer.default_root_dir) / "samples.html", self.keep)
        if trainer.is_global_zero and trainer.global_step and isinstance(pl_module, GRPOModule):
            self.page.resume(trainer.global_step // pl_module.updates)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        record = record_of(pl_module)
        if record is None or record.step % self.every:
            return
        if is_dry(trainer) or not trainer.is_global_zero:
            return
        samples = take_samples(record, self.prompts)
        for board in boards(trainer):
            for place, sample in enumerate(samples):
                _show(board, f"samples/{place}", sample)
        self.page.add(samples)


def _show(board: Any, name: str, sample: Sample) -> None:
    for number, picture in enumerate(sample.pictures):
        pixels = np.asarray(picture)
        board.add_image(f"{name}/picture_{number}", pixels, sample.step, dataformats="HWC")
    board.add_text(name, as_markdown(sample), sample.step)
