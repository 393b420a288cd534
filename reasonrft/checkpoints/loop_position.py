"""Where a run goes on: its epochs and batches, as the trainer's loops count them.

Lightning 2.6 goes on from the last batch of an epoch with counters that contradict each other. The
next checkpoint then holds them, and who goes on from that one reads the epoch from its start. So
whatever a checkpoint's counters say is read as one position, and written down again in the only two
ways that Lightning goes on from as it should: between two epochs, or after a batch inside of one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from lightning.pytorch import Trainer

EPOCHS = "epoch_progress"
BATCHES = "epoch_loop.batch_progress"
VALIDATION = "epoch_loop.val_loop.batch_progress"


class Position(NamedTuple):
    """What a run has behind it."""

    epochs: int
    """Whole ones."""
    batches: int
    """Of the epoch that it is in; 0 between epochs."""


def position(loop: Mapping[str, Any]) -> Position:
    """The position of a checkpoint whose trainer's fit loop was in this state."""
    epochs, batches = loop[EPOCHS]["current"], loop[BATCHES]["current"]
    done, is_last = batches["processed"], loop[BATCHES]["is_last_batch"]
    if epochs["processed"] < epochs["started"]:
        if is_last and batches["ready"] == done:
            return Position(epochs["processed"] + 1, 0)
        return Position(epochs["processed"], done)
    if done and not is_last:  # counted as processed though max_steps, or a signal, ended it
        return Position(epochs["processed"] - 1, done)
    return Position(epochs["processed"], 0)


def straighten(loop: dict[str, Any], accumulated: int) -> None:
    """Let the counters of a checkpoint's fit loop agree with each other, and with its position.

    Args:
        loop: The state of the fit loop, which is changed.
        accumulated: Batches of an optimizer step.
    """
    epochs, batches = at = position(loop)
    steps = _logged_steps(loop, accumulated) - (batches > 0 and batches % accumulated == 0)
    loop["epoch_loop.state_dict"]["_batches_that_stepped"] = steps
    inside = int(batches > 0)
    _set(loop[EPOCHS]["current"], epochs + inside, epochs)
    _set(loop[EPOCHS]["total"], epochs + inside, epochs)
    # The last batch is not completed yet: callbacks were still called for it.
    total = loop[BATCHES]["total"]["processed"]
    _set(loop[BATCHES]["current"], batches, batches, batches - inside)
    _set(loop[BATCHES]["total"], total, total, total - inside)
    loop[BATCHES]["is_last_batch"] = loop[VALIDATION]["is_last_batch"] = False
    _set(loop[VALIDATION]["current"], 0, 0)
    _set(loop[VALIDATION]["total"], 0, 0)
    for loader in loop["state_dict"].get("combined_loader", []):
        if isinstance(loader, dict) and {"epoch", "seen"} <= loader.keys():
            loader["epoch"], loader["seen"] = at


def begin_epoch_anew(trainer: Trainer) -> None:
    """Where a run goes on between two epochs, the next one is no epoch to be gone on with.

    Lightning thinks so where max_steps is given, and takes its first batch for one that is done.
    """
    loop = trainer.fit_loop.epoch_loop
    if loop.batch_progress.current.ready == 0:
        loop.restarting = False


def _logged_steps(loop: Mapping[str, Any], accumulated: int) -> int:
    """Optimizer steps by which loggers count, the one of the last batch included.

    Lightning adds it after the callbacks of that batch, and of the validation after it.
    """
    epochs, batches = loop[EPOCHS]["current"], loop[BATCHES]["current"]
    steps = int(loop["epoch_loop.state_dict"]["_batches_that_stepped"])
    done, is_last = batches["processed"], loop[BATCHES]["is_last_batch"]
    in_callbacks = epochs["processed"] < epochs["started"] and batches["ready"] == done > 0
    return steps + (in_callbacks and (is_last or done % accumulated == 0))


def _set(
    progress: dict[str, int], started: int, processed: int, completed: int | None = None
) -> None:
    progress["ready"] = progress["started"] = started
    progress["processed"] = processed
    progress["completed"] = processed if completed is None else completed
