"""`data convert`: write what a stage of training, or another project, reads."""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reasonrft.data.check_records import check
from reasonrft.data.image_files import Album
from reasonrft.data.layouts import (
    Row,
    answer_row,
    reinforcement_row,
    sharegpt_row,
    thought_row,
)
from reasonrft.files import Staging
from reasonrft.problems import Problem
from reasonrft.readers import DataError, Record, fault_lines, read_records
from reasonrft.readers.dataset_info import INFO, read_info
from reasonrft.tasks import Task, find_task
from reasonrft.tasks.base import read_template

Layout = Callable[[Problem, list[str], Task], Row]

LAYOUTS: dict[str, Layout] = {
    "ans-sft": answer_row,
    "cot-sft": thought_row,
    "rl": reinforcement_row,
    "sharegpt": sharegpt_row,
}
TARGETS = (*LAYOUTS, "reason-rft")
_ENTRY: dict[str, Any] = {
    "formatting": "sharegpt",
    "columns": {"messages": "messages", "images": "images"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    },
}


@dataclass(frozen=True, slots=True)
class OutputFile:
    """One file to write."""

    path: Path
    layout: str
    records: Sequence[Record]


def convert(
    source: str,
    to: str,
    output: str,
    stage1: int = 1600,
    stage2: str | None = None,
    seed: int = 42,
    template: str | None = None,
    copy_images: bool = False,
    format: str | None = None,
    task: str | None = None,
    image_root: str | None = None,
    columns: dict[str, str] | None = None,
    split: str | None = None,
) -> int:
    """Write the files that a stage of training or another project reads; all of them, or none.

    Args:
        source: File, folder, saved data set, or name on the Hugging Face hub.
        to: One of ans-sft, cot-sft, rl, reason-rft, sharegpt.
        output: JSON file to write; reason-rft writes two, ending in -stage1 and -stage2.
        stage1: reason-rft: how many records with a chain of thought are stage 1.
        stage2: reason-rft: rest or all; if not given, all for structure and rest for other tasks.
        seed: reason-rft: which records are stage 1.
        template: ans-sft, cot-sft, reason-rft: prompt with {question}, or a file that holds it.
        copy_images: Write the images too, so that the output needs nothing else.
        format: Format of the records, instead of finding it out.
        task: Task of all records, by short name or class_path.
        image_root: Folder that paths of images are relative to.
        columns: Their names for problem, answer, image, id, cot, choices: {"problem": "question"}.
        split: The split to read.
    """
    path = Path(output)
    _check_usage(to, path, source, stage2, template)
    checked = list(check(read_records(source, format, task, image_root, columns, split)))
    records = [each.record for each in checked]
    faults = [fault for each in checked for fault in each.faults]
    faults += [] if to != "cot-sft" else _missing_thoughts(records)
    if faults:
        print(*fault_lines(faults), sep="\n")
        print(f"{len(faults)} faults; nothing is written")
        return 1
    outputs = [OutputFile(path, to, records)]
    if to == "reason-rft":
        outputs = _stages(path, records, stage1, stage2, seed)
    print(_write(outputs, template, copy_images))
    return 0


def _check_usage(
    to: str, path: Path, source: str, stage2: str | None, template: str | None
) -> None:
    if to not in TARGETS:
        raise DataError(f"no layout {to!r}: use one of {', '.join(TARGETS)}")
    if stage2 not in (None, "rest", "all"):
        raise DataError(f"stage 2 takes the rest or all, not {stage2!r}")
    if path.suffix != ".json" or path.is_dir():
        raise DataError(f"output must be a file that ends in .json, not {path}")
    if path.exists() and Path(source).exists() and path.samefile(source):
        raise DataError(f"{path} is the source itself; name another file")
    if template and to in ("rl", "sharegpt"):
        raise DataError(f"{to} records hold no prompt, so that a template has no place in them")
    read_template(template)


def _missing_thoughts(records: Sequence[Record]) -> list[Any]:
    message = "is missing, and cot-sft is trained on chains of thought"
    return [
        record.fault("cot", message)
        for record in records
        if isinstance(record.outcome, Problem) and not record.outcome.cot
    ]


def _stages(
    path: Path, records: Sequence[Record], stage1: int, stage2: str | None, seed: int
) -> list[OutputFile]:
    """Some records with their chains of thought first, then reinforcement on the others."""
    able = [at for at, record in enumerate(records) if _problem(record).cot]
    if not 0 < stage1 <= len(able):
        raise DataError(
            f"stage 1 wants {stage1} records, and {len(able)} of {len(records)} have a chain of "
            "thought; pass --stage1"
        )
    chosen = set(random.Random(seed).sample(able, stage1))
    kept = [
        record
        for at, record in enumerate(records)
        if at not in chosen
        or stage2 == "all"
        or (stage2 is None and _problem(record).task == "structure")
    ]
    if not kept:
        raise DataError("stage 1 takes all records and leaves none for stage 2; pass --stage1")
    first = [records[at] for at in sorted(chosen)]
    return [
        OutputFile(path.with_name(f"{path.stem}-stage1.json"), "cot-sft", first),
        OutputFile(path.with_name(f"{path.stem}-stage2.json"), "rl", kept),
    ]


def _write(outputs: list[OutputFile], template: str | None, copy: bool) -> str:
    """Write all outputs with their images and dataset_info.json; returns what to tell the user."""
    folder = outputs[0].path.parent
    album = Album(
        [record for output_file in outputs for record in output_file.records], folder, copy
    )
    names: set[str] = set()
    info = _info(
        [output_file for output_file in outputs if output_file.layout != "rl"], folder / INFO
    )
    with Staging() as staging:
        for output_file in outputs:
            rows = []
            for problem in map(_problem, output_file.records):
                images = album.names(problem)
                names.update(images)
                rows.append(
                    LAYOUTS[output_file.layout](
                        problem, images, _task(problem, output_file, template)
                    )
                )
            staging.write(output_file.path, _lines(rows))
        for path, image in album.files.items():
            staging.add_image(path, image)
        if info:
            staging.write(folder / INFO, json.dumps(info, ensure_ascii=False, indent=2).encode())
    lines = [
        f"wrote {output_file.path}: {len(output_file.records)} records" for output_file in outputs
    ]
    if album.unresolved(names):
        lines.append(f"images stay where they are: read it with --image-root {album.root}")
    return "\n".join(lines)


def _info(outputs: list[OutputFile], path: Path) -> dict[str, Any]:
    """What dataset_info.json says from now on; other entries stay."""
    known = read_info(path) if outputs and path.exists() else {}
    return known | {
        output_file.path.stem: {"file_name": output_file.path.name, **_ENTRY}
        for output_file in outputs
    }


def _task(problem: Problem, output_file: OutputFile, template: str | None) -> Task:
    task = find_task(problem.task)
    if template is None:
        return task
    return type(task)(
        **{"answer_template" if output_file.layout == "ans-sft" else "template": template}
    )


def _problem(record: Record) -> Problem:
    assert isinstance(record.outcome, Problem)  # faults have been reported by now
    return record.outcome


def _lines(rows: list[Row]) -> bytes:
    """A JSON list with one record per line, so that it can be looked at and compared."""
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n{lines}\n]\n".encode()
