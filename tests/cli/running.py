"""Running a command in this process."""

import shlex

from reasonrft.cli import main


def run(command: str, **options: object) -> None:
    """`python -m reasonrft` with these words and options."""
    main([*shlex.split(command), *(f"--{name}={value}" for name, value in options.items())])


def stopped(capsys, command: str, **options: object) -> str:
    """The one sentence with which a command refuses to run."""
    try:
        run(command, **options)
    except SystemExit as stop:
        assert stop.code in (1, 2)
    else:
        raise AssertionError(f"{command} ran")
    said = capsys.readouterr().err
    assert said.startswith("reasonrft: ") and said.count("\n") == 1, said
    return said.removeprefix("reasonrft: ").strip()


SMALL = {
    "data.source.train": 4,
    "data.source.val": 2,
    "data.source.test": 2,
    "data.source.workers": 1,
    "data.batch_size": 2,
    "model.answer_tokens": 2,
    "trainer.accelerator": "cpu",
    "trainer.enable_progress_bar": "false",
    "trainer.max_steps": 2,
}
"""Options that keep a run on drawn problems short."""

SMALL_GRPO = SMALL | {"model.group_size": 2, "model.sampling.max_tokens": 4}
