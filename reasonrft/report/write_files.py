"""A report's files: the page, the table as CSV and Markdown, and each chart as a PNG."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reasonrft.files import Staging
from reasonrft.report import accuracy_tables as tables
from reasonrft.report.accuracy_charts import group_charts, share_charts, split_chart
from reasonrft.report.answer_gallery import choose, show
from reasonrft.report.charts import DARK, Chart, draw
from reasonrft.report.comparison import Comparison
from reasonrft.report.effort_tables import commands, effort_table, share_table
from reasonrft.report.html_page import DrawnChart, drawn, render
from reasonrft.report.published_table import published_source
from reasonrft.report.table_files import as_csv, as_markdown
from reasonrft.report.training_charts import dynamics_table, training_charts
from reasonrft.tasks import title_of

MEASURES = {
    "strict": "Strict accuracy: 1 for a completion that commits to one right answer, else 0.",
    "official": "Official accuracy, as the reference's evaluation computes it.",
}
_SECTIONS = {
    "accuracy": "Accuracy",
    "gaps": "Gaps",
    "seen": "How much is seen",
    "groups": "Levels and views",
    "curves": "Training",
    "shares": "Data efficiency",
    "effort": "What it took",
}
_ANCHORS = {"shares": "efficiency"}


def write_report_files(compared: Comparison, output: Path, problems: int, command: str) -> Path:
    """Write all files of a report; returns the page's path."""
    images: dict[str, bytes] = {}
    tasks = [_task(compared, task, images) for task in compared.tasks]
    leads = {task: sides.focus for task, sides in compared.sides.items()}
    chosen = choose(compared.rows, compared.columns, leads, problems)
    gallery = list(show(compared.rows, compared.columns, chosen))
    titles = {row.title for row in leads.values()}
    lead = titles.pop() if len(titles) == 1 else "the run given last"
    page = render(_context(compared, tasks, command, bool(gallery)), gallery, lead)
    with Staging() as staging:
        staging.write(output / "report.html", page)
        staging.write(output / "table.csv", as_csv(compared).encode())
        staging.write(output / "table.md", as_markdown(compared).encode())
        for name, content in images.items():
            staging.write(output / f"{name}.png", content)
    return output / "report.html"


def _task(compared: Comparison, task: str, images: dict[str, bytes]) -> dict[str, Any]:
    """Tables and charts of a task; charts are also put among the images."""

    def charts(found: Sequence[Chart | None]) -> list[DrawnChart]:
        return [_drawn(chart, images) for chart in found if chart is not None]

    other = "official" if compared.measure == "strict" else "strict"
    answered = bool(compared.columns_of(task))
    published = tables.published_table(task, compared.paradigms) if answered else None
    return {
        "title": title_of(task),
        "accuracy": tables.accuracy_table(compared, task, compared.measure) if answered else None,
        "other": tables.accuracy_table(compared, task, other) if answered else None,
        "published": published,
        "all_published": tables.published_table(task) if answered else None,
        "gaps": list(tables.gap_tables(compared, task)),
        "seen": list(tables.seen_tables(compared, task)),
        "groups": list(tables.group_tables(compared, task)),
        "effort": effort_table(compared, task),
        "commands": commands(compared, task),
        "shares": share_table(compared, task),
        "dynamics": dynamics_table(compared, task),
        "split_charts": charts([split_chart(compared, task)]),
        "group_charts": charts(list(group_charts(compared, task))),
        "curves": charts(list(training_charts(compared, task))),
        "share_charts": charts(list(share_charts(compared, task))),
    }


def _drawn(chart: Chart, images: dict[str, bytes]) -> DrawnChart:
    name = "".join(char if char.isalnum() or char in "-_" else "-" for char in chart.name)[:80]
    while name in images:
        name += "-"
    images[name] = draw(chart)
    return drawn(chart, images[name], draw(chart, DARK))


def _context(
    compared: Comparison, tasks: Sequence[dict[str, Any]], command: str, gallery: bool
) -> dict[str, Any]:
    links = [
        (_ANCHORS.get(key, key), name)
        for key, name in _SECTIONS.items()
        if any(task[key] for task in tasks)
    ]
    if gallery:
        links.append(("gallery", "Answers"))
    names = [str(study.about.get("name", study.folder.name)) for study in compared.studies]
    return {
        "title": f"Report: {', '.join(names)}" if names else "Report",
        "about": _about(compared),
        "links": [*links, ("how", "How it was computed")],
        "notes": compared.notes,
        "tasks": tasks,
        "measure_text": MEASURES[compared.measure],
        "other_measure": "official" if compared.measure == "strict" else "strict",
        "source": published_source(),
        "command": command,
    }


def _about(compared: Comparison) -> list[str]:
    """What studies say of themselves, and what is compared."""
    lines = [
        ", ".join(
            f"{key} {study.about[key]}" for key in ("machine", "started") if key in study.about
        )
        for study in compared.studies
    ]
    rows = ", ".join(row.title for row in compared.rows)
    return [*filter(None, lines), f"Rows: {rows}."]
