"""What a run has logged."""

import csv
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def board(home: Path, version: int) -> EventAccumulator:
    """All that TensorBoard was given since a start of the run."""
    everything = {"scalars": 0, "histograms": 0, "images": 0, "tensors": 0}
    events = EventAccumulator(str(home / "tensorboard" / f"version_{version}"), everything)
    return events.Reload()


def rows(home: Path, version: int) -> list[dict[str, str]]:
    with (home / "csv" / f"version_{version}" / "metrics.csv").open() as file:
        return list(csv.DictReader(file))
