"""A small study for tests."""

from typing import Any

from reasonrft.study.study_config import Study


def study(**changes: Any) -> Study:
    """Two tasks, three paradigms, two seeds and a share."""
    given: dict[str, Any] = {
        "name": "small",
        "problems": 100,
        "tasks": {"counting": {}, "structure": {}},
        "paradigms": {"zero-shot": {}, "cot-sft": {}, "rft": {}, "cot-sft-compute": {}},
        "seeds": [0, 1],
        "shares": ["1/4"],
    }
    return Study(**given | changes)
