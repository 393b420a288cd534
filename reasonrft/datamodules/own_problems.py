"""The datamodule of somebody's own problems."""

from collections.abc import Sequence
from typing import Any


def own_data(problems: Sequence[str], test_problems: Sequence[str] = ()) -> dict[str, Any]:
    """class_path and init_args."""
    tests = {f"test{number or ''}": path for number, path in enumerate(test_problems)}
    source = {"train": problems[0] if problems else None, "tests": tests}
    return {
        "class_path": "reasonrft.datamodules.GeneralDataModule",
        "init_args": {
            "source": {
                "class_path": "reasonrft.datamodules.StoredProblems",
                "init_args": source,
            }
        },
    }
