import re
import shutil
import subprocess
from html import escape, unescape
from pathlib import Path

import pytest

from reasonrft.cli import main
from tests.cli.running import stopped
from tests.report.folders import problems, texts, write_answers, write_cell, write_metrics

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} \"'`=1"
PATIENCE = 120
"""Seconds that a browser may take."""


@pytest.fixture(scope="module")
def report(study, tmp_path_factory):
    """The report of a study with hostile text in all of its places."""
    home = tmp_path_factory.mktemp("hostile") / "study"
    shutil.copytree(study, home)
    asked = problems(home / "data", "id", 3, HOSTILE)
    asked = [type(each)(**{**fields(each), "id": HOSTILE + each.id}) for each in asked]
    cell = write_cell(home, "counting", HOSTILE.replace("/", ""), 0, machine=HOSTILE)
    wild = [HOSTILE, f"<think>{HOSTILE}</think>{HOSTILE}", texts("1")[0]]
    write_answers(cell / "evaluation/tiny-1", f"counting/{HOSTILE}", asked, wild)
    write_metrics(cell, {f"val/counting/{HOSTILE}/accuracy": {0: 0.1, 1: 0.2}})
    (home / "study.json").write_text(
        (home / "study.json").read_text().replace("two cores", "<b>two</b> cores $x_")
    )
    main(["report", str(home)])
    return home / "report"


def fields(problem) -> dict:
    return {name: getattr(problem, name) for name in problem.__dataclass_fields__}


def test_all_files_are_there(report):
    names = {path.name for path in report.iterdir()}
    assert {"report.html", "table.csv", "table.md", "accuracy-counting.png"} <= names
    assert {"curves-counting-reward.png", "efficiency-counting-id.png"} <= names
    assert (report / "report.html").stat().st_size < 2_000_000
    # What a table's text holds is text.
    assert "<script>" not in (report / "table.md").read_text()


def test_hostile_text_stays_text(report):
    page = (report / "report.html").read_text("utf-8")
    assert "<script" not in page and "onerror=alert(1)>" not in page and "<b>two" not in page
    assert page.count("<style>") == page.count("</style>") == 1
    assert escape(HOSTILE, quote=False).replace('"', "&#34;").replace("'", "&#39;") in page
    sources = re.findall(r'(?:src|srcset|href)="([^"]*)"', page)
    assert sources and all(re.match(r"data:(image/|,)|#", source) for source in sources)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert unescape(policy).startswith("default-src 'none'; img-src data:; style-src 'sha256-")


def test_a_browser_finds_no_fault_and_nothing_sticks_out(report, tmp_path):
    """At 1,280 and at 390 pixels: what the console says, and how wide the content is."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no chromium at hand")
    page = (report / "report.html").read_text("utf-8")
    # The page itself runs nothing: a copy without its policy measures itself.
    copy = re.sub(r"<meta http-equiv[^>]*>", "", page).replace(
        "</body>",
        "<script>parent.postMessage([innerWidth, document.documentElement.scrollWidth], '*')"
        "</script></body>",
    )
    (tmp_path / "copy.html").write_text(copy, "utf-8")
    frames = "".join(
        f'<iframe src="{source.as_uri()}" width="{width}" height="900" frameborder="0"></iframe>'
        for width in (1280, 390)
        for source in (report / "report.html", tmp_path / "copy.html")
    )
    (tmp_path / "frames.html").write_text(
        f"<body>{frames}<script>onmessage = message => {{ document.body.append("
        "document.createElement('p')); document.body.lastChild.textContent = "
        "'width ' + message.data.join(' of ') }</script>"
    )
    done = subprocess.run(
        [
            chromium,
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--enable-logging=stderr", f"--user-data-dir={tmp_path / 'profile'}"),
            *("--virtual-time-budget=5000", "--dump-dom", (tmp_path / "frames.html").as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    assert "CONSOLE" not in done.stderr, done.stderr
    widths = sorted(re.findall(r"<p>width (\d+) of (\d+)</p>", done.stdout))
    assert widths == [("1280", "1280"), ("390", "390")]


def test_runs_of_any_kind_are_compared(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = problems(tmp_path / "data", "id", 3)
    for name, rights in (("sft", "100"), ("grpo", "110")):
        write_answers(Path(f"outputs/{name}/counting"), "counting/id", asked, texts(rights))
    write_metrics(Path("outputs/only-csv"), {"train/reward": {0: 0.5, 1: 0.6}})
    Path("theirs.jsonl").write_text('{"id": "id-0", "response": "3"}\n')
    runs = ["outputs/sft/counting", "outputs/grpo/counting", "outputs/only-csv"]
    main(["report", *runs, "--predictions", "theirs=theirs.jsonl", "--output", "report"])
    said = capsys.readouterr().out
    assert "ID: 1 questions are answered by both" in said
    assert said.splitlines()[-1] == "report: report/report.html"
    table = Path("report/table.md").read_text()
    assert re.search(r"\| grpo \| 66\.7 \[.*\| theirs \| 100\.0 \[", table, re.DOTALL)
    main(["report", "outputs/sft/counting", "--problems", "0"])
    page = Path("outputs/sft/counting/report/report.html").read_text()
    assert "33.3" in page and "<article" not in page


def test_what_is_wrong_is_one_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("p.jsonl").write_text('{"id": "1", "response": "3"}\n')
    write_metrics(Path("csv-only"), {"train/reward": {0: 0.5}})
    assert stopped(capsys, "report").startswith("report needs the folder of a study or of a run")
    assert "empty has no figures of a run" in stopped(capsys, "report empty")
    assert "no such folder: nowhere" in stopped(capsys, "report nowhere")
    assert "--problems must be at least 0" in stopped(capsys, "report csv-only", problems=-1)
    for options, said in {
        "--predictions x=p.jsonl": "the runs kept no answers that say what was asked",
        "--predictions x=p.jsonl --against none.json": "no such file: none.json",
    }.items():
        assert said in stopped(capsys, f"report csv-only {options}")
    assert not list(tmp_path.rglob("report*"))
