"""verl's rows: {data_source, prompt, images, reward_model: {ground_truth}, extra_info}."""

from collections.abc import Mapping

from reasonrft.problems import Problem
from reasonrft.readers.base import Format, RecordContext, RecordFault, Row, short
from reasonrft.readers.make_problem import KNOWN
from reasonrft.readers.prompts import prompt_problem


def read(row: Row, context: RecordContext) -> list[Problem]:
    """Read a row; its split is that of extra_info."""
    reward = row["reward_model"]
    if not isinstance(reward, Mapping) or reward.get("ground_truth") is None:
        raise RecordFault("reward_model", f"must hold ground_truth, not {short(reward)}")
    gold = ("reward_model.ground_truth", reward["ground_truth"])
    info = row.get("extra_info")
    split = info.get("split") if isinstance(info, Mapping) else None
    meta = {"split": split} if isinstance(split, str) and "split" not in row else {}
    return [prompt_problem(row, context, gold, ["reward_model"], meta)]


FORMAT = Format(
    "verl",
    (("prompt",), ("reward_model",)),
    (*KNOWN, "data_source", "ability", "extra_info"),
    read,
)
