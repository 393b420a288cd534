"""Folders of runs with a few answers, written as evaluation and loggers write them."""

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from reasonrft.evaluation.answers import AnswerFile, Answers, prompt_key, write_lines
from reasonrft.evaluation.image_modes import ImageMode
from reasonrft.evaluation.results import measure_answer
from reasonrft.problems import Problem

RIGHT, WRONG = "<think>I count three.</think><answer>3</answer>", "<answer>4</answer>"


def problems(home: Path, split: str, count: int, question: str = "How many?") -> list[Problem]:
    """Problems whose answer is 3, with images in files; every other one is of level 2."""
    home.mkdir(parents=True, exist_ok=True)
    image = home / "scene.png"
    Image.new("RGB", (40, 30), (200, 90, 30)).save(image)
    return [
        Problem(
            id=f"{split}-{number}",
            task="counting",
            images=(image,),
            question=f"{question} ({number})",
            answer="3",
            meta={"level": 1 + number % 2, "template": "count"},
        )
        for number in range(count)
    ]


def write_answers(
    folder: Path,
    split: str,
    asked: Sequence[Problem],
    texts: Sequence[str],
    mode: ImageMode = "own",
    prompt: str = "",
) -> None:
    """Answers to a split's problems, in words of this prompt."""
    keys = [prompt_key(split, problem, prompt + problem.question, 64, mode) for problem in asked]
    count = len(texts)
    given = Answers(list(texts), [len(text) // 4 for text in texts], [False] * count)
    measured = [
        {**line, **measure_answer(problem, line["completion"])}
        for problem, line in zip(asked, write_lines(split, asked, keys, given), strict=True)
    ]
    name = "answers" if mode == "own" else f"answers.{mode}"
    AnswerFile(folder, name, "tiny-1").add(measured)


def texts(rights: str) -> list[str]:
    """Right answers for 1, wrong ones for 0."""
    return [RIGHT if right == "1" else WRONG for right in rights]


def write_metrics(
    folder: Path, metrics: Mapping[str, Mapping[int, float]], version: int = 0
) -> None:
    """A file as CSVLogger writes it: a line for each step, and blanks for what was not logged."""
    steps = sorted({step for values in metrics.values() for step in values})
    path = folder / "csv" / f"version_{version}" / "metrics.csv"
    path.parent.mkdir(parents=True)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "step", *metrics])
        for step in steps:
            rows.writerow([0, step, *(values.get(step, "") for values in metrics.values())])


def write_cell(study: Path, task: str, paradigm: str, seed: int, **fields: Any) -> Path:
    """A cell of a study; returns its folder."""
    home = study / "cells" / task / paradigm / f"seed-{seed}"
    home.mkdir(parents=True)
    cell = {"task": task, "paradigm": paradigm, "seed": seed, "share": 1.0, "state": "done"}
    (home / "cell.json").write_text(json.dumps(cell | fields))
    return home


def write_study(home: Path) -> Path:
    """Zero-shot once; CoT-SFT and Reason-RFT in three seeds; half of the chains; one cell to come.

    Four questions in domain, four and two out of it.
    """
    study = home / "small"
    splits = {
        f"counting/{split}": problems(home / "data", split, count)
        for split, count in (("id", 4), ("ood-domain", 4), ("ood-operation", 2))
    }
    rights = {
        "zero-shot": ["1000000000"],
        "cot-sft": ["1110100010", "1110110000", "1100100000"],
        "rft": ["1111111010", "1110111011", "1111110010"],
        "cot-sft-1-of-2": ["1100100000"],
    }
    for paradigm, seeds in rights.items():
        for seed, right in enumerate(seeds):
            told = {"samples": 40, "seconds": {"fit": 60 + seed}, "commands": [["fit", paradigm]]}
            cell = write_cell(study, "counting", paradigm, seed, **told)
            given = iter(texts(right))
            for split, asked in splits.items():
                answers = [next(given) for _ in asked]
                # SFT on answers alone asks in other words.
                write_answers(cell / "evaluation/tiny-1", split, asked, answers, prompt=paradigm)
                blind = [WRONG] * len(asked)
                write_answers(cell / "evaluation/tiny-1", split, asked, blind, "blind")
            if paradigm == "rft":
                reward = {step: 0.1 * seed + 0.01 * step for step in range(20)}
                accuracy = {0: 0.4, 9: 0.2 + 0.1 * seed, 19: 0.8}
                logged = {"train/reward": reward, "val/counting/val/accuracy": accuracy}
                write_metrics(cell, logged)
    write_cell(study, "counting", "rft-zero", 0, state="waiting")
    about = {"name": "small", "machine": "two cores", "started": "2026-11-27", "cells": []}
    (study / "study.json").write_text(json.dumps(about))
    return study


def write_named_runs(home: Path) -> None:
    """The runs and predictions that documentation names, with one answer each."""
    asked = problems(home / "outputs", "id", 1)
    cell = write_cell(home / "outputs/study/tiny", "counting", "rft", 0)
    for folder in (cell, home / "outputs/sft/counting", home / "outputs/grpo/counting"):
        write_answers(folder / "evaluation/tiny-1", "counting/id", asked, [RIGHT])
    (home / "theirs.jsonl").write_text('{"index": 0, "response": "3"}\n')
