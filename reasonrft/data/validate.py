"""`data validate`: read every record, open every image, derive every answer that can be."""

import json as json_format
from collections import Counter

from tqdm import tqdm

from reasonrft.data.check_records import Checked, check
from reasonrft.readers import read_records


def validate(
    source: str,
    json: bool = False,
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
        format: Format of the records, instead of finding it out.
        task: Task of all records, by short name or class_path.
        image_root: Folder that paths of images are relative to.
        columns: Their names for problem, answer, image, id, cot, choices: {"problem": "question"}.
        split: The split to read.
    """
    counts = Counter(records=0, faults=0, rederived=0, agreed=0)
    for one in check(read_records(source, format, task, image_root, columns, split)):
        for fault in one.faults:
            tqdm.write(str(fault))
        counts.update(_counts(one))
    print(json_format.dumps(counts) if json else _summary(counts))
    return 1 if counts["faults"] else 0


def _counts(one: Checked) -> dict[str, int]:
    agreed = one.derivation is not None and not one.derivation.disagreement
    return {
        "records": int(bool(one.record.name)),  # a file that cannot be read has no record
        "faults": len(one.faults),
        "rederived": int(one.derivation is not None),
        "agreed": int(agreed),
    }


def _summary(counts: Counter[str]) -> str:
    derived = f"{counts['rederived']} answers derived again, {counts['agreed']} agree"
    return f"records: {counts['records']}, faults: {counts['faults']}; {derived}"
