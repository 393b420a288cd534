"""Images, tables of texts and histograms, for any logger.

TensorBoard and W&B are supported. A logger of one's own takes part if it has the three methods of
`MediaLogger`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable
from weakref import WeakSet

import numpy as np
from lightning.pytorch import Trainer
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger, WandbLogger
from lightning.pytorch.utilities import rank_zero_warn
from PIL.Image import Image
from torch import Tensor

Caption = Mapping[str, str]
"""What all rows of a table have in common, by name."""
Rows = Sequence[Sequence[str | float]]

_REPORTED: WeakSet[Logger] = WeakSet()
"""Loggers that a warning has named."""


@runtime_checkable
class MediaLogger(Protocol):
    """Takes more than numbers."""

    def add_image(self, tag: str, image: Image, step: int) -> None: ...

    def add_table(
        self, tag: str, caption: Caption, columns: Sequence[str], rows: Rows, step: int
    ) -> None: ...

    def add_histogram(self, tag: str, values: Tensor, step: int) -> None: ...


def log_image(trainer: Trainer, tag: str, image: Image, step: int) -> None:
    for logger in media_loggers(trainer):
        logger.add_image(tag, image, step)


def log_text(
    trainer: Trainer, tag: str, caption: Caption, columns: Sequence[str], rows: Rows, step: int
) -> None:
    """Log texts, such as completions, as a table; no logger reads markup into them."""
    for logger in media_loggers(trainer):
        logger.add_table(tag, caption, columns, rows, step)


def log_histogram(trainer: Trainer, tag: str, values: Tensor, step: int) -> None:
    for logger in media_loggers(trainer):
        logger.add_histogram(tag, values, step)


def media_loggers(trainer: Trainer) -> list[MediaLogger]:
    """The loggers that take media, on the first rank alone; a warning names the others once.

    CSVLogger is named only where no logger takes media: nobody expects images in its file.
    """
    if not trainer.is_global_zero:
        return []
    adapters = [(logger, _adapt(logger)) for logger in trainer.loggers]
    takers = [adapter for _, adapter in adapters if adapter is not None]
    for logger, adapter in adapters:
        if adapter is None and not (takers and isinstance(logger, CSVLogger)):
            _report(logger)
    return takers


def _adapt(logger: Logger) -> MediaLogger | None:
    if isinstance(logger, TensorBoardLogger):
        return TensorBoardMedia(logger)
    if isinstance(logger, WandbLogger):
        return WandbMedia(logger)
    return logger if isinstance(logger, MediaLogger) else None


def _report(logger: Logger) -> None:
    if logger not in _REPORTED:
        _REPORTED.add(logger)
        rank_zero_warn(
            f"{type(logger).__name__} takes numbers only: images, texts and histograms of this run "
            "are not logged to it; TensorBoardLogger and WandbLogger take them"
        )


class TensorBoardMedia:
    """TensorBoard reads Markdown and HTML in texts, so that their signs are escaped."""

    def __init__(self, logger: TensorBoardLogger) -> None:
        self.writer: Any = logger.experiment

    def add_image(self, tag: str, image: Image, step: int) -> None:
        self.writer.add_image(tag, np.asarray(image.convert("RGB")), step, dataformats="HWC")

    def add_table(
        self, tag: str, caption: Caption, columns: Sequence[str], rows: Rows, step: int
    ) -> None:
        self.writer.add_text(tag, markdown_table(caption, columns, rows), step)

    def add_histogram(self, tag: str, values: Tensor, step: int) -> None:
        # TensorBoard shows only one kind of thing under each tag.
        self.writer.add_histogram(f"{tag}/histogram", values, step)


class WandbMedia:
    """W&B shows texts as they are, and has no caption: it becomes the first columns."""

    def __init__(self, logger: WandbLogger) -> None:
        self.logger = logger

    def add_image(self, tag: str, image: Image, step: int) -> None:
        self.logger.log_image(tag, [image], step)

    def add_table(
        self, tag: str, caption: Caption, columns: Sequence[str], rows: Rows, step: int
    ) -> None:
        whole = [[*map(_storable, [*caption.values(), *row])] for row in rows]
        self.logger.log_table(tag, [*caption, *columns], whole, step=step)

    def add_histogram(self, tag: str, values: Tensor, step: int) -> None:
        import wandb

        histogram: Any = wandb.Histogram(values.tolist())
        self.logger.log_metrics({f"{tag}/histogram": histogram}, step)


def _storable(cell: str | float) -> str | float:
    """W&B writes UTF-8, which has no surrogates."""
    return cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell


def markdown_table(caption: Caption, columns: Sequence[str], rows: Rows) -> str:
    """A table as TensorBoard shows it, below its caption."""
    lines = [f"**{literal(name)}**: {literal(text)}\n" for name, text in caption.items()]
    lines += [_row(map(literal, columns)), _row(["---"] * len(columns))]
    return "\n".join([*lines, *(_row(map(_cell, row)) for row in rows)])


def _cell(cell: str | float) -> str:
    return f"{cell:.2f}" if isinstance(cell, float) else literal(str(cell))


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def literal(text: str) -> str:
    """Text that neither Markdown nor HTML reads anything into."""
    return "".join(map(_plain, text)).replace("\n", "<br>")


def _plain(char: str) -> str:
    return char if char.isalnum() or char in " \n" else f"&#{ord(char)};"
