"""Tells what is not seen from what is not thought through, in the answers of a study.

    python benchmarks/sight.py outputs/study/tiny

Of each answer with a chain of thought: does it hold what a right one needs?

    counting         the chain lists objects from which a rule counts rightly
    structure        the chain has each number that the drawing alone shows, if it shows any
    transformation   the answer names each change, of whichever object

Seeds are taken together.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonargparse import CLI

from reasonrft.evaluation.table_formats import markdown_table
from reasonrft.oracles.count_questions import derive_count
from reasonrft.tasks.tags import read_response
from reasonrft.trance_calls import read_calls
from reasonrft.worlds.counting.words import ATTRIBUTES

Line = Mapping[str, Any]
_OBJECT = re.compile(r"\b(large|small) (\w+) (metal|rubber) (\w+)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def report(study: str) -> None:
    """Print a table as Markdown: right, seen, and right of what is seen, in %.

    Args:
        study: The folder of a study.
    """
    counts: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for path in sorted(Path(study).glob("cells/*/*/seed-*/evaluation/*/answers.jsonl")):
        task, row = path.parts[-6:-4]
        for line in filter(thought_of, map(json.loads, path.read_text("utf-8").splitlines())):
            seen, right = SEEN[task](line), line["strict"] == 1
            counts[task, row, line["split"].rpartition("/")[2]].update(
                {"asked": 1, "right": right, "seen": seen, "both": right and seen}
            )
    head = ["task", "row", "split", "answers", "right", "seen", "right of those seen"]
    rows = []
    for key, found in counts.items():
        shares = [found["right"] / found["asked"], found["seen"] / found["asked"]]
        shares.append(found["both"] / found["seen"] if found["seen"] else float("nan"))
        rows.append([*key, str(found["asked"]), *(f"{100 * share:.1f}" for share in shares)])
    print(markdown_table(head, rows))


def objects_in(text: str) -> list[dict[str, str]]:
    """What a compact chain of counting lists."""
    return [dict(zip(ATTRIBUTES, words, strict=True)) for words in _OBJECT.findall(text)]


def lists_objects(line: Line) -> bool:
    return str(derive_count(line["problem"], objects_in(thought_of(line)))) == line["answer"]


def reads_numbers(line: Line) -> bool:
    facts = problem_of(line)["facts"]
    drawn = [fact["value"] for fact in facts if fact["in"] == "drawing"]
    numbers = Counter(number for value in drawn for number in _NUMBER.findall(value))
    return not numbers - Counter(_NUMBER.findall(thought_of(line)))


def names_changes(line: Line) -> bool:
    calls = read_calls(read_response(line["completion"]).answer or "") or []
    gold = read_calls(line["answer"]) or []
    return Counter((call.function, call.value) for call in calls) == Counter(
        (call.function, call.value) for call in gold
    )


SEEN = {"counting": lists_objects, "structure": reads_numbers, "transformation": names_changes}


def thought_of(line: Line) -> str:
    return read_response(line["completion"]).thought


def problem_of(line: Line) -> Mapping[str, Any]:
    """The record that an image was drawn with."""
    images = Path(line["image"]).parent
    return records_of(images.parents[1] / f"{images.name}.json")[line["id"]]


@lru_cache
def records_of(path: Path) -> dict[str, Mapping[str, Any]]:
    return {record["id"]: record for record in json.loads(path.read_bytes())}


if __name__ == "__main__":
    CLI(report, as_positional=True)
