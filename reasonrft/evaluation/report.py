"""What an evaluation leaves behind: summary.json, and the table as Markdown and CSV."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reasonrft.errors import BadInput
from reasonrft.evaluation.results import Summary, Tally
from reasonrft.evaluation.tables import as_csv, as_markdown, as_text
from reasonrft.files import Staging
from reasonrft.tasks import TASKS


def write_report(folder: Path, identity: Mapping[str, Any], tallies: Mapping[str, Tally]) -> str:
    """Write all files; returns what to print.

    The tasks of one policy are tested one by one: splits that the folder has results of already
    stay in the table.
    """
    place = folder / "summary.json"
    summary = extend(_read(place, identity), identity, tallies)
    with Staging() as staging:
        staging.write(place, (json.dumps(summary, indent=1) + "\n").encode())
        staging.write(folder / "report.md", as_markdown(summary).encode())
        staging.write(folder / "report.csv", as_csv(summary).encode())
    return f"{as_text(summary)}\n\nby template, level and view: {folder / 'report.md'}"


def _read(place: Path, identity: Mapping[str, Any]) -> dict[str, dict[str, Tally]]:
    """Results of earlier tests of the same policy."""
    try:
        summary = json.loads(place.read_bytes()) if place.exists() else {}
        tasks = summary.get("tasks", {})
        return tasks if summary.get("identity") == identity else {}
    except (ValueError, AttributeError) as error:
        raise BadInput(f"{place} is not a summary of results: delete it ({error})") from error


def extend(
    tasks: Mapping[str, Mapping[str, Tally]],
    identity: Mapping[str, Any],
    tallies: Mapping[str, Tally],
) -> Summary:
    """A summary with further splits, or with new results of the same; in the paper's order."""
    found = {task: dict(splits) for task, splits in tasks.items()}
    for name, tally in tallies.items():
        task, _, split = name.partition("/")
        found.setdefault(task, {})[split] = tally
    built_in = [task.name for task in TASKS]
    order = [*built_in, *sorted(found.keys() - set(built_in))]
    told = {task: _ordered(found[task]) for task in order if task in found}
    return {"policy": identity["policy"], "identity": dict(identity), "tasks": told}


def _ordered(splits: Mapping[str, Tally]) -> dict[str, Tally]:
    """In domain first."""
    return {name: splits[name] for name in sorted(splits, key=lambda name: (name != "id", name))}
