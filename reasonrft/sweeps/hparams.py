"""Values and outcome of a trial, for TensorBoard's HPARAMS."""

from pathlib import Path

from reasonrft.sweeps.trial_options import label
from reasonrft.sweeps.trials import Trial

SUFFIX = ".hparams"


def write_hparams(trial: Trial) -> None:
    """Write them beside the events of each run, in the place of what may be there."""
    from torch.utils.tensorboard.summary import hparams, scalar
    from torch.utils.tensorboard.writer import FileWriter

    for run in trial.runs:
        folder = Path(run.folder)
        for before in folder.glob(f"events.*{SUFFIX}"):
            before.unlink()
        values = {key: _plain(value) for key, value in trial.values.items()}
        if len(trial.runs) > 1:
            values["seed"] = run.seed
        name = f"best/{trial.metric}"
        writer = FileWriter(str(folder), filename_suffix=SUFFIX)
        for summary in hparams(values, {name: run.value}):
            writer.add_summary(summary)
        writer.add_summary(scalar(name, run.value), run.step)
        writer.close()


def _plain(value: object) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float | str) else label(value)
