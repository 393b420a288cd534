"""What an evaluation leaves behind: summary.json, and the table as Markdown and CSV."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.image_modes import ALTERED
from reasonrft.evaluation.results import MEASURES, Summary, Tally
from reasonrft.evaluation.tables import as_csv, as_markdown, as_text
from reasonrft.files import Staging
from reasonrft.tasks import TASKS


def write_report(
    folder: Path,
    identity: Mapping[str, Any],
    tallies: Mapping[str, Tally],
    titles: Mapping[str, str] | None = None,
) -> str:
    """Write all files; returns what to print.

    The tasks of one policy are tested one by one: splits that the folder has results of already
    stay in the table. `titles` are those of tasks of one's own.
    """
    path = folder / "summary.json"
    earlier = _read(path, identity)
    summary = extend(earlier.get("tasks", {}), identity, tallies)
    summary["titles"] = {**earlier.get("titles", {}), **(titles or {})}
    with Staging() as staging:
        staging.write(path, (json.dumps(summary, indent=1) + "\n").encode())
        staging.write(folder / "report.md", as_markdown(summary).encode())
        staging.write(folder / "report.csv", as_csv(summary).encode())
    return f"{as_text(summary)}\n\nby template, level and view: {folder / 'report.md'}"


def _read(path: Path, identity: Mapping[str, Any]) -> Summary:
    """Results of earlier tests of the same policy."""
    try:
        summary = json.loads(path.read_bytes()) if path.exists() else {}
        return summary if summary.get("identity") == identity else {}
    except (ValueError, AttributeError) as error:
        raise BadInput(f"{path} is not a summary of results: delete it ({error})") from error


def extend(
    tasks: Mapping[str, Mapping[str, Tally]],
    identity: Mapping[str, Any],
    tallies: Mapping[str, Tally],
) -> Summary:
    """A summary with further splits, or with new results of the same; in the paper's order."""
    extended = {task: dict(splits) for task, splits in tasks.items()}
    for name, tally in tallies.items():
        task, _, split = name.partition("/")
        splits = extended.setdefault(task, {})
        splits[split] = _keep_modes(splits.get(split), tally)
    names = [task.name for task in TASKS]
    order = [*names, *sorted(extended.keys() - set(names))]
    ordered = {task: _ordered(extended[task]) for task in order if task in extended}
    return {"policy": identity["policy"], "identity": dict(identity), "tasks": ordered}


def _keep_modes(earlier: Tally | None, tally: Tally) -> Tally:
    """What was answered without the images in an earlier test of the same answers stays."""
    compared = ("n", *MEASURES)
    if earlier is None or any(earlier.get(name) != tally[name] for name in compared):
        return tally
    return {**{mode: earlier[mode] for mode in ALTERED if mode in earlier}, **tally}


def _ordered(splits: Mapping[str, Tally]) -> dict[str, Tally]:
    """In domain first."""
    return {name: splits[name] for name in sorted(splits, key=lambda name: (name != "id", name))}
