"""The programs in benchmarks/ run, on little; their figures in docs/ are of whole runs."""

import json
import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from reasonrft.rollout import Completion, LocalEngine, Rollout, Sampling
from reasonrft.rollout import local as local_engine
from tests.starting import Forked, run_file

ROOT = Path(__file__).resolve().parents[1]
SMALL = {
    "perception.py": "--policy tiny --levels [1] --scenes 1 --questions 1 --answer_tokens 8",
    "fuzz_rewards.py": "--strings 40 --processes 1",
    "grpo_step.py": "--shape tiny --steps 1 --threads 1",
    "memory_table.py": "--sizes tiny",
    "sync_check.py": "",
    "seeds.py": "--seeds [0] --options {OPTIONS}",
}
OPTIONS = json.dumps(
    {
        "trainer.max_steps": 1,
        "trainer.limit_val_batches": 0,
        "trainer.limit_test_batches": 1,
        "data.source.init_args.train": 4,
        "data.source.init_args.val": 0,
        "data.source.init_args.test": 2,
        "data.batch_size": 2,
        "model.answer_tokens": 2,
        "model.group_size": 2,
        "model.sampling.max_tokens": 4,
    },
    separators=(",", ":"),
)


@pytest.fixture
def output(tmp_path) -> Callable[..., str]:
    """A function from a benchmark and its options to what it prints."""

    def run(name: str, options: str = "") -> str:
        arguments = options.replace("{OPTIONS}", OPTIONS).split()
        path = ROOT / "benchmarks" / name
        return Forked(tmp_path, run_file, path, arguments, PYTHONPATH=str(ROOT)).result()

    return run


@pytest.mark.parametrize("name", SMALL)
def test_a_benchmark_runs(name, output):
    if name == "grpo_step.py" and find_spec("trl") is None:
        pytest.skip("TRL, which a step is compared with, is not installed")
    assert output(name, SMALL[name])


def test_killed_runs_end_as_if_nothing_had_happened(output):
    report = json.loads(output("faults.py", "--kills 1 --json").splitlines()[-1])
    assert report["kills"] == 1 and report["runs"] >= 1
    assert report["lost_steps"] == report["differing"] == 0, report["cases"]


@pytest.mark.parametrize("name", ["light.py", "light_trance.py"])
def test_a_comparison_with_real_images_runs(name, real, output):
    assert output(name)


def test_the_step_in_docs_has_the_numbers_of_today(output):
    printed, page = output("one_step.py"), (ROOT / "docs/method.md").read_text(encoding="utf-8")
    lengths = re.search(r"lengths \(P, G\): \ntensor\(\[(\[.*?\]),\n +(\[.*?\])\]\)", printed)
    assert lengths and all(row in page for row in lengths.groups())
    for name, pattern in {
        "prompt tokens": r"prompt tokens: \[(\d+), (\d+)\]",
        "saved": r"'row_steps_saved': (\d+)",
        "decoded": r"'decoded_tokens': (\d+)",
        "shared row": r"shared row \(B, S\): \[1, (\d+)\]",
        "log-probs": r"log-probs \(N,\): \[(\d+)\]",
        "gradient": r"norm of the gradient: ([\d.]+)",
    }.items():
        found = re.search(pattern, printed)
        assert found, name
        assert all(number in page for number in found.groups()), name


@pytest.fixture
def programs(monkeypatch):
    """Lets the programs be imported by their names, as they import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    monkeypatch.setattr(local_engine, "uniforms", local_engine.uniforms)  # put back at the end
    return import_module


def test_completions_of_natural_lengths_end_where_they_were_drawn_on_both_sides(programs, tmp_path):
    shapes, sides, trl = map(programs, ("grpo_shapes", "grpo_sides", "grpo_trl"))
    model, turns = map(programs, ("grpo_model", "grpo_turns"))
    shape, most, group = shapes.SHAPES["mini"], 12, 4
    shapes.make_start(shape, str(tmp_path))
    problems = shapes.draw(shape, 2)
    names = [problem.id for problem in problems]
    drawn = shapes.lengths_of(names, group, most, "natural")
    assert len({length for lengths in drawn for length in lengths}) > 2
    sizes = (str(tmp_path), problems, 2, group, most, 1, 0, "float32", "cpu")
    job = turns.Job(*sizes, False, False, "natural", 1, 1)

    policy, engine = model.make_policy(job.folder, "float32", "cpu"), LocalEngine()
    sides.end(policy, job)
    engine.sync(policy, 0)
    batch = policy.encoder.prompts(problems, ["What changed?"] * 2)
    rollout = engine.generate(batch, group, Sampling(max_tokens=most))
    assert rollout.lengths.tolist() == drawn
    assert rollout.stopped.tolist() == [[length < most for length in row] for row in drawn]

    end, processor = 5, trl.DrawnLengths(job, 5)
    rows = [{"problem": name} for name in names for _ in range(group)]
    scores = torch.zeros(2 * group, 9)
    chosen = processor.expect(
        lambda rows: [processor(None, scores).isfinite().sum(1) for _ in range(most)], rows
    )
    ended = torch.stack(chosen, 1) == 1  # nothing but the end may come
    lengths = torch.where(ended.any(1), ended.int().argmax(1) + 1, most)
    assert lengths.view(2, group).tolist() == drawn
    forced = processor.expect(lambda rows: processor(None, scores), rows)
    assert (forced[:, end] == 0).all()


def test_a_decode_loop_is_held_to_the_bytes_that_its_tokens_read(programs, tmp_path):
    shapes, floor, decoding = map(programs, ("grpo_shapes", "grpo_floor", "decoding"))
    model, _ = shapes.make_start(shapes.SHAPES["mini"], str(tmp_path))
    text = model.config.text_config
    weights = sum(
        value.numel() for value in model.get_decoder().parameters() if value.ndim > 1
    )  # the embeddings are the head
    of_token = 2 * text.num_hidden_layers * text.num_key_value_heads * (64 // 4)
    # Two tokens after the first of two completions, one after that of another prompt's.
    moved = floor.decoding_bytes(model, [10, 20], [[3, 3], [2]], 2)
    own = (1 + 2) + (1 + 2) + 1
    assert moved == 2 * (2 * weights + of_token * (2 * 10 + 1 * 20 + own))
    told = decoding.rates_of(2.5, 0.5, 5, 16, moved=8e9, bandwidth=8e9)
    assert told == {"ms_token": 500.0, "tokens_second": 32.0, "floor_share": 0.5}
    assert floor.Floor(6.0, 8.0).seconds(floor.Rates(3.0, 4.0)) == 4.0


def test_loops_that_differ_are_found(programs):
    check = programs("loop_check")
    ids, log_probs = torch.tensor([1, 2, 3]), torch.tensor([-1.0, -2.0, -3.0])

    def rollout(*completions):
        return Rollout(None, [[Completion(*one, False) for one in completions]], [], 0)

    one = rollout((ids, log_probs), (ids, log_probs))
    other = rollout(
        (ids, log_probs - torch.tensor([0.0, 0.5, 0.0])),
        (torch.tensor([1, 7, 3]), log_probs - torch.tensor([0.25, 9.0, 9.0])),
    )
    assert check.compare(one, one) == (1.0, 0.0)
    assert check.compare(one, other) == (0.5, 0.5)


def test_shapes_have_the_published_vocabulary(programs):
    config, processor = programs("qwen2_vl").make_qwen2_vl("2b", 4_000, 10_000)
    tokenizer = processor.tokenizer
    assert tokenizer.convert_tokens_to_ids("<|image_pad|>") == config.image_token_id == 151_655
    assert tokenizer.eos_token_id == config.text_config.eos_token_id == 151_645


def test_what_an_answer_needs_is_found_in_its_chain(programs, tmp_path):
    sight = programs("sight")

    def line(thought, stated="", **fields):
        return {"completion": f"<think>{thought}</think><answer>{stated}</answer>", **fields}

    balls = {"problem": "Add 2 red balls. How many red spheres exist?", "answer": "3"}
    listed = "x2 y1 large red rubber sphere. x4 y1 small blue metal cube yes 1."
    assert sight.lists_objects(line(listed, "7", **balls))
    assert not sight.lists_objects(line("x2 y1 large blue rubber sphere.", "3", **balls))

    drawn = {"in": "drawing", "value": "35°"}
    facts = [drawn, {**drawn, "value": "z°"}, {"in": "text", "value": "90"}]
    records = [{"id": "a", "facts": facts}, {"id": "b", "facts": [drawn, drawn]}]
    (tmp_path / "ood.json").write_text(json.dumps(records))
    image = str(tmp_path / "images" / "ood" / "0.png")
    assert sight.reads_numbers(line("∠BAC = 35.", image=image, id="a"))
    assert not sight.reads_numbers(line("∠BAC = 135.", image=image, id="a"))
    assert not sight.reads_numbers(line("∠BAC = 35.", image=image, id="b"))  # two angles are

    gold = "change_color(0, red), change_shape(1, cube)"
    assert sight.names_changes(line("", "change_shape(0, cube), change_color(2, red)", answer=gold))
    assert not sight.names_changes(line("", "change_color(0, red)", answer=gold))


def test_rules_stand_in_for_a_judge_and_a_reader(programs):
    server = programs("text_server")

    def graded(answer, wrong=0.0):
        fields = ("How many?", "3", answer)
        return server.judge(
            wrong, "\n".join(f"BEGIN DATA 0\n{field}\nEND DATA 0" for field in fields)
        )

    assert (graded("3"), graded("4")) == ("Grade: 10", "Grade: 0")
    assert (graded("3", 1.0), graded("4", 1.0)) == ("Grade: 0", "Grade: 10")
    data = "BEGIN DATA 0\nx2 y1 large red rubber sphere.\nEND DATA 0"
    assert server.reason(f"{data}\nAdd 1 red balls. How many balls exist?") == "<answer>2</answer>"
    assert server.reason(f"{data}\nWhich is left?") == "<answer>unknown</answer>"
