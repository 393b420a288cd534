"""`data validate`: read every record, open every image, derive every answer that can be."""

import json as json_format
from collections import Counter

from reasonrft.data.check_records import Checked, check
from reasonrft.readers import Fault, fault_lines, read_records


def validate(
    source: str,
    json: bool = False,
    every: bool = False,
    format: str | None = None,
    task: str | None = None,
    image_root: str | None = None,
    columns: dict[str, str] | None = None,
    split: str | None = None,
) -> int:
    """Check every record, and derive answers again where scenes or states are at hand.

    Args:
        source: File, folder, saved data set, or name on the Hugging Face hub.
        json: Print one JSON object last, instead of a sentence.
        every: Print every fault on a line of its own, also where many records have the same.
        format: Format of the records, instead of finding it out.
        task: Task of all records, by short name or class_path.
        image_root: Folder that paths of images are relative to.
        columns: Their names for problem, answer, image, id, cot, choices: {"problem": "question"}.
        split: The split to read.
    """
    counts = Counter(records=0, faults=0, rederived=0, agreed=0)
    faults: list[Fault] = []
    for checked in check(read_records(source, format, task, image_root, columns, split)):
        faults += checked.faults
        counts.update(_counts(checked))
    for line in map(str, faults) if every else fault_lines(faults):
        print(line)
    print(json_format.dumps(counts) if json else _summary(counts))
    return 1 if counts["faults"] else 0


def _counts(checked: Checked) -> dict[str, int]:
    derivation = checked.derivation
    agreed = derivation is not None and not derivation.disagreement
    return {
        "records": int(bool(checked.record.name)),  # a file that cannot be read has no record
        "faults": len(checked.faults),
        "rederived": int(derivation is not None),
        "agreed": int(agreed),
    }


def _summary(counts: Counter[str]) -> str:
    derived = f"{counts['rederived']} answers derived again, {counts['agreed']} agree"
    return f"records: {counts['records']}, faults: {counts['faults']}; {derived}"
