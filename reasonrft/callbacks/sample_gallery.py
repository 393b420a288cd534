"""Samples to look at while a policy is trained, in loggers and on an HTML page."""

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from reasonrft.callbacks.logger_media import log_image, log_text
from reasonrft.callbacks.run_state import is_dry_run, last_step
from reasonrft.callbacks.samples import Sample, caption, columns, row, take_samples
from reasonrft.callbacks.samples_page import SamplesPage
from reasonrft.errors import BadInput


class SampleGallery(Callback):
    """Shows prompts with their images, all completions, and what each reward gave."""

    def __init__(self, every: int = 25, prompts: int = 2, keep: int = 100) -> None:
        """
        Args:
            every: Steps between two showings.
            prompts: Prompts that are shown of a step.
            keep: Most prompts on the page samples.html; the oldest go first.
        """
        for name, value in {"every": every, "prompts": prompts, "keep": keep}.items():
            if value < 1:
                raise BadInput(f"SampleGallery: {name} is {value}: it must be at least 1")
        self.every, self.prompts, self.keep = every, prompts, keep

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.page = SamplesPage(Path(trainer.default_root_dir) / "samples.html", self.keep)
        self.resumed = trainer.global_step > 0
        if trainer.is_global_zero and self.resumed and not is_dry_run(trainer):
            self.page.load()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        record = last_step(pl_module)
        if record is None or is_dry_run(trainer) or not trainer.is_global_zero:
            return
        if self.resumed:
            # Steps that were taken after the checkpoint are taken once more.
            self.page.drop_from(record.step)
            self.resumed = False
        if record.step % self.every:
            return
        samples = take_samples(record, self.prompts)
        for number, sample in enumerate(samples):
            _log(trainer, f"samples/{number}", sample)
        self.page.add(samples)


def _log(trainer: Trainer, tag: str, sample: Sample) -> None:
    for number, image in enumerate(sample.images):
        log_image(trainer, f"{tag}/image_{number}", image, sample.step)
    rows = [row(completion) for completion in sample.completions]
    log_text(trainer, tag, caption(sample), columns(sample), rows, sample.step)
