"""`distill` by its command line, with the tiny model and with a server; what it writes is read."""

import json
import signal
from pathlib import Path

import pytest

from reasonrft.cli import main
from reasonrft.readers import load_problems
from tests.cli.own_records import write_json
from tests.evaluation.serving import Answer, said, serving
from tests.starting import Started

pytestmark = pytest.mark.filterwarnings("ignore")

WRITTEN = ("chains.jsonl", "pairs.jsonl", "chains.report.json", "chains.samples.jsonl")


@pytest.fixture(scope="module")
def command(tmp_path_factory) -> list[str]:
    """All but the policy's own answers is made small: eight problems, two at a time."""
    drawn = tmp_path_factory.mktemp("drawn")
    options = {
        "data.source.folder": drawn,
        "data.source.levels": "[1]",
        "data.source.train": 8,
        "data.source.workers": 1,
        "data.batch_size": 2,
        "samples": 4,
        "max-tokens": 80,
    }
    command = ["distill", "--policy", "tiny-counting", "--config", "data/counting.yaml"]
    command += ["--output", "chains.jsonl", "--pairs", "pairs.jsonl"]
    return command + [f"--{key}={value}" for key, value in options.items()]


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory) -> Path:
    """The folder of a distillation that nobody has disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    Started(command, folder).result(600)
    return folder


def rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_right_short_and_diverse_chains_are_written_with_where_they_are_from(whole):
    report = json.loads((whole / "chains.report.json").read_text())
    samples = {row["id"]: row for row in rows(whole / "chains.samples.jsonl")[1:]}
    assert len(samples) == report["problems"] == 8 and report["samples"] == 32
    chains = rows(whole / "chains.jsonl")
    assert len(chains) == report["kept"] > 0
    assert sum(report["pass_rates"].values()) == report["blind"]["problems"] == 8
    for row in chains:
        origin = row["distilled"]
        sample = samples[origin["problem"]]["own"][origin["sample"]]
        assert row["cot"] in sample["text"] and f"\n{row['answer']}\n" in sample["text"]
        assert row["id"] == f"{origin['problem']}#0.{origin['sample']}"
        assert origin["policy"] == "tiny-counting" and len(origin["weights"]) == 16
        assert (origin["samples"], origin["seed"], origin["tokens"]) == (4, 0, sample["tokens"])
        assert 1 <= origin["right"] <= 4 and 0 <= origin["right_blind"] <= 4
    printed = (whole / "printed.txt").read_text()
    assert f"kept       {report['kept']} chains of {report['problems_kept']} problems" in printed
    # Drawn elsewhere, and so copied beside the file.
    assert all((whole / row["image"]).is_file() for row in chains)
    assert str(whole.parent) not in (whole / "chains.jsonl").read_text()


def test_a_killed_distillation_goes_on_to_the_same_bytes(command, whole, tmp_path):
    file = tmp_path / "chains.samples.jsonl"
    with Started(command, tmp_path) as first:
        first.wait_for(lambda: file.exists() and file.read_bytes().count(b"\n") >= 3)
        first.send(signal.SIGKILL)
        first.end()
    assert not (tmp_path / "chains.jsonl").exists()
    lines = file.read_bytes().splitlines(keepends=True)
    assert len(lines) < 9, "it was not killed in time"
    # As if it had been killed while it wrote the samples of two problems.
    file.write_bytes(b"".join(lines[:2]) + lines[2][:50])
    Started(command, tmp_path).result(600)
    for name in WRITTEN[:3]:
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name


def test_what_was_sampled_once_is_chosen_from_again_and_not_sampled(command, whole, tmp_path):
    for name in WRITTEN:
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    before = (tmp_path / "chains.samples.jsonl").stat().st_mtime_ns
    Started([*command, "--keep=1", "--shortest=1"], tmp_path).result()
    assert (tmp_path / "chains.samples.jsonl").stat().st_mtime_ns == before
    problems = [row["distilled"]["problem"] for row in rows(tmp_path / "chains.jsonl")]
    assert len(problems) == len(set(problems)) > 0
    with Started([*command, "--seed=1"], tmp_path) as other:
        code, words = other.end()
    assert code == 1 and "for seed was 0 and is 1: give another --output" in words


@pytest.mark.parametrize(
    ("config", "file"), [("sft.yaml", "chains.jsonl"), ("dpo.yaml", "pairs.jsonl")]
)
def test_fit_reads_what_was_written(config, file, whole, family_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = {
        "policy": family_folder("qwen3-vl"),
        "trainer.max_epochs": 1,
        "data.limit": 2,
        "trainer.enable_progress_bar": "false",
        "model.answer_tokens": 2,
    }
    args = [f"--{key}={value}" for key, value in options.items()]
    main(["fit", "--config", config, "--problems", str(whole / file), *args])
    (metrics,) = tmp_path.glob("outputs/*/*/csv/version_0/metrics.csv")
    assert "val/counting/val/accuracy" in metrics.read_text()
    problems = load_problems(whole / file)
    assert {problem.task for problem in problems} == {"counting"}
    assert all("#" not in problem.origin for problem in problems)


def even_seeds_are_right(number: int, body: dict) -> Answer:
    answer = "red" if body["seed"] % 2 == 0 else "blue"
    return said(f"<think>{body['seed']} seeds</think><answer>{answer}</answer>")


@pytest.fixture
def asking(tmp_path, monkeypatch):
    """A function from a server to the exit code of its distillation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-this-test")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    file = write_json(tmp_path / "own", 4)  # one of them is held out
    records = [record | {"answer": "red"} for record in json.loads(file.read_text())]
    file.write_text(json.dumps(records))

    def ask(server, *args: str) -> int:
        command = ["distill", "--config", "endpoint.yaml", "--endpoint", server.url]
        command += ["--problems", "own/train.json"]
        command += ["--model.endpoint.model", "gpt-test", "--samples", "6"]
        try:
            main([*command, "--output", "out/chains.jsonl", *args])
        except SystemExit as stop:
            return int(stop.code or 0)
        return 0

    return ask


def test_an_endpoint_is_asked_for_each_sample_once(asking):
    with serving(even_seeds_are_right) as server:
        assert asking(server, "--temperature", "0.7") == 0
        assert len(server.bodies) == 2 * 3 * 6  # as often without images
        bodies = [body for body in server.bodies if len(body["messages"][0]["content"]) > 1]
        assert {body["temperature"] for body in bodies} == {0.7}
        assert len({body["seed"] for body in bodies}) == 3 * 6
        Path("out/chains.samples.jsonl").unlink()
        before = Path("out/chains.jsonl").read_bytes()
        assert asking(server, "--temperature", "0.7") == 0
        assert len(server.bodies) == 2 * 3 * 6  # from the cache
    assert Path("out/chains.jsonl").read_bytes() == before
    (first, *_) = rows(Path("out/chains.jsonl"))
    assert first["distilled"]["policy"] == "gpt-test" and first["answer"] == "red"
    assert first["distilled"]["endpoint"].endswith("/v1/chat/completions")


def test_where_nothing_is_right_one_sentence_says_what_to_do(asking, capsys):
    with serving(lambda number, body: said("<think>x</think><answer>green</answer>")) as server:
        assert asking(server) == 1
    (sentence,) = capsys.readouterr().err.splitlines()
    assert sentence.startswith(
        "reasonrft: none of 3 problems has a right answer among 6 samples: fine-tune the policy"
    )
    assert not Path("out/chains.jsonl").exists() and not Path("out/chains.report.json").exists()


def test_where_all_is_luck_or_nothing_holds_a_chain_this_is_said(asking, capsys):
    with serving(lambda number, body: said("red")) as server:
        assert asking(server, "--no-blind") == 1
        assert "of 3 problems with a right answer no chain is kept" in capsys.readouterr().err
        Path("out/chains.samples.jsonl").unlink()
        assert asking(server, "--drop-lucky") == 1
        assert "all 3 problems with a right answer are right without" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--sampels", "3"], "there is no option --sampels; did you mean --samples?"),
        (["--policy", "tiny"], "there are no problems: give --problems FILE, or a config"),
        (["--config", "data/counting.yaml"], "there is no policy: give --policy NAME"),
        (["--split", "tests"], "the data has no split 'tests': use train, val"),
        (["--config", "sft.yaml"], "distill samples as stage 2 does, and SFTModule does not"),
        (["--temperature", "0"], "at temperature 0 all 8 samples are the same: raise it"),
        (["--drop-lucky", "--no-blind"], "--drop-lucky needs answers without images"),
        (["--output", "chains.json"], "--output is chains.json: name a file that ends in .jsonl"),
        (["--pairs", "chains.jsonl"], "--output and --pairs are both chains.jsonl"),
        (["--pairs", "other/pairs.jsonl"], "images are shared, so name a file beside"),
        (["--samples", "many"], "argument --samples: invalid int value: 'many'; --help lists"),
        (["--samples", "0"], "samples must be at least 1"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_one_sentence(args, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bare = args[0] in ("--policy",) or args == ["--config", "data/counting.yaml"]
    given = [] if bare else ["--policy", "tiny-counting", "--config", "data/counting.yaml"]
    with pytest.raises(SystemExit) as stop:
        main(["distill", "--output", "chains.jsonl", *given, *args])
    assert stop.value.code
    (said,) = capsys.readouterr().err.splitlines()
    assert sentence in said
    assert not any(tmp_path.glob("*.jsonl"))


def test_without_an_output_it_is_asked_for(capsys):
    with pytest.raises(SystemExit):
        main(["distill", "--policy", "tiny-counting"])
    assert "give --output FILE, such as chains.jsonl" in capsys.readouterr().err
