"""What other libraries say on a terminal that nobody can do anything about."""

import logging
import warnings

WARNINGS = (
    # Lightning's, about a call of its own.
    r"`isinstance\(treespec, LeafSpec\)` is deprecated",
    # Checkpoints of stage 2 are meant to hold the weights after the step.
    "Using ModelCheckpoint with manual optimization",
    # So they are: problems are frozen, and the policy moves what it joins.
    "You have overridden `transfer_batch_to_device` in both",
    # A tower with batch norms that is not trained stands still.
    r"Found \d+ module\(s\) in eval mode at the start of training",
    # A resumed run goes on in the folder of its checkpoints, and on purpose.
    r"Checkpoint directory .* exists and is not empty",
    # Images of a few kilobytes are read in no time.
    r"The '\w+_dataloader' does not have many workers",
    # The fewest steps of a run are fewer than those between two lines of its log.
    r"The number of training batches \(\d+\) is smaller than the logging interval",
)
"""How warnings begin that nobody can do anything about."""

LINES = ("GPU available: ", "TPU available: ", "HPU available: ", "💡 Tip: ", "Seed set to ")
"""How lines of Lightning's log begin that say nothing of the run."""


class _Quiet(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(LINES)


_QUIET = _Quiet()


def silence() -> None:
    """Leave those warnings and lines out from now on."""
    for beginning in WARNINGS:
        warnings.filterwarnings("ignore", message=beginning)
    # A filter that is there already is not added again.
    for name in ("lightning.pytorch.utilities.rank_zero", "lightning.fabric.utilities.seed"):
        logging.getLogger(name).addFilter(_QUIET)
