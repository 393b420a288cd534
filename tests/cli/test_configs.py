"""Every config runs: small stand-ins where it names a model or many problems."""

import csv
from pathlib import Path

import pytest
import yaml

from reasonrft.cli import main
from reasonrft.data import build
from reasonrft.sweeps.trials import read_trials
from reasonrft.worlds import make_world
from tests.starting import Started

pytestmark = pytest.mark.filterwarnings("ignore")

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TASKS = ("counting", "structure", "transformation")
ELSEWHERE = {"endpoint.yaml", "vllm.yaml", "recipes/judge.yaml", "recipes/captioning.yaml"}
"""Run by tests/modules/test_endpoint.py, tests/rollout/test_vllm_training.py and
tests/modules/test_judged_training.py."""
ITERATED = {"distill.yaml", "dpo.yaml", "recipes/iterate.yaml"}
"""Run by tests/distillation and tests/iteration."""
STUDIES = {f"study/{name}.yaml" for name in ("cell", "tiny", "qwen2vl_2b", "qwen2vl_7b")}
"""Run by tests/study."""

FIT = [("sft.yaml", f"data/{task}.yaml") for task in TASKS]
FIT += [("sft.yaml", f"data/{task}.yaml", "ans_sft.yaml") for task in TASKS]
FIT += [("grpo.yaml", f"data/{task}.yaml") for task in TASKS[:2]]
FIT += [("grpo.yaml", f"data/{task}.yaml", "grpo_zero.yaml") for task in TASKS]
FIT += [("sft.yaml", "lora.yaml"), ("sft.yaml", "qlora.yaml")]
FIT += [("grpo.yaml", "curriculum.yaml", "dynamic_sampling.yaml")]

FIT += [("grpo.yaml", "data/transformation.yaml", "recipes/star_r1.yaml")]
FIT += [("grpo.yaml", "data/grounding.yaml", "recipes/grounding.yaml")]
FIT += [("grpo.yaml", "recipes/noisy_rollout.yaml", "recipes/papo.yaml")]
FIT += [("grpo.yaml", "recipes/r3.yaml", "recipes/on_policy_distillation.yaml")]

# With one process, too: tests/distributed has more.
FIT += [("sft.yaml", "ddp.yaml"), ("grpo.yaml", "lora.yaml", "fsdp.yaml")]

PAPER = [("sft.yaml", "paper/sft.yaml", f"paper/{task}.yaml") for task in TASKS]
PAPER += [("grpo.yaml", "paper/grpo.yaml", f"paper/{task}.yaml") for task in TASKS]
PAPER += [
    ("sft.yaml", "ans_sft.yaml", "paper/sft.yaml", "paper/counting.yaml"),
    ("sft.yaml", "paper/sft.yaml", "paper/counting.yaml", "paper/7b.yaml", "paper/qlora.yaml"),
    ("grpo.yaml", "paper/grpo.yaml", "paper/counting.yaml", "paper/qlora.yaml"),
]

TINY = [
    ("tiny/perception.yaml", "tiny/tower.yaml"),
    ("tiny/words.yaml",),
    ("tiny/perception.yaml", "tiny/pretrain.yaml"),
    ("tiny/levels.yaml",),
    ("tiny/facts.yaml",),
    ("tiny/arithmetic.yaml",),
    ("tiny/sums.yaml",),
    ("sft.yaml", "tiny/stage1.yaml"),
]

MIXTURE = ("grpo.yaml", "recipes/mixture.yaml")

SWEEPS = {"sweeps/grpo.yaml": [0], "sweeps/sft.yaml": [0, 1]}
"""With the seeds of their trials."""


@pytest.fixture(scope="module")
def small(family_folder, tmp_path_factory) -> dict[str, object]:
    """Options that keep a run short."""
    return {
        "policy": family_folder("qwen3-vl"),
        "data.source.folder": tmp_path_factory.mktemp("drawn"),
        "data.source.train": 2,
        "data.source.val": 1,
        "data.source.test": 1,
        "data.source.workers": 1,
        "model.answer_tokens": 2,
        "trainer.max_steps": 1,
        "trainer.limit_val_batches": 1,
        "trainer.val_check_interval": 1,
        "trainer.enable_progress_bar": "false",
    }


def run(command: str, configs: tuple[str, ...], options: dict[str, object]) -> None:
    args = [argument for name in configs for argument in ("--config", str(CONFIGS / name))]
    main([command, *args, *(f"--{key}={value}" for key, value in options.items())])


def brief(configs: tuple[str, ...]) -> dict[str, object]:
    """Options that keep completions short, where there are any."""
    return {"model.sampling.max_tokens": 4} if configs[0] == "grpo.yaml" else {}


@pytest.mark.parametrize("configs", FIT, ids="+".join)
def test_a_config_trains(configs, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # Real pictures are large for a model that reads them in bytes of 7 pixels.
    limits = {"model.policy.max_pixels": 3136} if "transformation" not in configs[1] else {}
    if "curriculum.yaml" in configs:  # its problems are of levels, which no other config draws
        limits |= {"data.source.val": 0, "data.source.test": 0}
    if "recipes/on_policy_distillation.yaml" in configs:  # whose tokens are the policy's
        limits |= {"model.teacher.policy.path": small["policy"]}
    run("fit", configs, small | limits | brief(configs))


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """A folder with files like the release's, of problems that were drawn."""
    home = tmp_path_factory.mktemp("release") / "reason-rft"
    for task in TASKS:
        data = yaml.safe_load((CONFIGS / "paper" / f"{task}.yaml").read_text())["data"]
        source = data["init_args"]["source"]["init_args"]
        for split, name in {"train": source["train"], **source["tests"]}.items():
            world = next(own for own in make_world(task).splits if own.startswith(split))
            build(task, world, 1, str(home), preset="tiny", workers=1)
            place = home.parent / name
            place.parent.mkdir(exist_ok=True)
            (home / f"{task}-{world}.json").rename(place)
    return home.parent


@pytest.mark.parametrize("configs", PAPER, ids="+".join)
def test_a_config_of_the_paper_trains(configs, small, release, monkeypatch):
    monkeypatch.chdir(release)
    options = {key: value for key, value in small.items() if not key.startswith("data.")}
    options |= {"model.policy.min_pixels": 784, "model.policy.max_pixels": 3136}
    run("fit", configs, options | brief(configs))


@pytest.mark.parametrize("configs", TINY, ids="+".join)
def test_a_config_of_the_tiny_model_trains(configs, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reasonrft.assets.tower_pretraining.MIN_CELLS", 1)
    drawn = of_each_source(configs, small | {"data.source.val": 0, "data.source.test": 0})
    run("fit", configs, drawn | {"data.workers": 0, "policy": "tiny"})


def of_each_source(configs: tuple[str, ...], small: dict[str, object]) -> dict[str, object]:
    """Options that keep each of a run's sources small."""
    sizes = {key.rpartition(".")[2]: small[key] for key in small if key.startswith("data.source.")}
    options = {key: value for key, value in small.items() if not key.startswith("data.source.")}
    for place in source_places(configs):
        options |= {f"{place}.{name}": value for name, value in sizes.items()}
    return options


def source_places(configs: tuple[str, ...]) -> list[str]:
    """Where a run of these configs says how many problems there are of each of its sources."""
    told = [yaml.safe_load((CONFIGS / name).read_text()) for name in configs]
    (*_, source) = [own for one in told if (own := one["data"]["init_args"].get("source"))]
    mixed = source["init_args"].get("sources", ())
    return [f"data.source.sources.{name}.init_args" for name in mixed] or ["data.source"]


def test_a_mixture_holds_its_shares_and_is_told_apart(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = of_each_source(MIXTURE, small | {"data.source.test": 0, "data.batch_size": 4})
    options |= {"model.group_size": 2, "trainer.max_steps": 2}
    run("fit", MIXTURE, options | brief(MIXTURE))
    (file,) = tmp_path.glob("outputs/mixture/**/metrics.csv")
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    shares = {name: [row[name] for row in rows if row.get(name)] for name in rows[0]}
    assert {name: set(map(float, shares[f"train/source/{name}/share"])) for name in TASKS} == {
        "counting": {0.5},
        "structure": {0.25},
        "transformation": {0.25},
    }
    for name in TASKS:
        for figure in ("reward", "accuracy", "completion_length"):
            assert shares[f"train/source/{name}/{figure}"]
        assert shares[f"val/general/val/source/{name}/accuracy"]


@pytest.mark.parametrize(("name", "seeds"), SWEEPS.items())
def test_a_config_of_a_sweep_runs(name, seeds, small, tmp_path):
    given = yaml.safe_load((CONFIGS / name).read_text())
    given |= {"configs": [str(CONFIGS / config) for config in given["configs"]], "seeds": seeds}
    given["keys"] = {key: one_value(choices) for key, choices in given["keys"].items()}
    given |= {"trials": 1} if given["search"] != "grid" else {}
    (tmp_path / "sweep.yaml").write_text(yaml.safe_dump(given))
    options = {key: value for key, value in small.items() if "progress" not in key}
    options |= brief(tuple(given["configs"][0].rpartition("/")[2:]))
    args = [f"--{key}={value}" for key, value in options.items()]
    with Started(["sweep", "--config", "sweep.yaml", *args], tmp_path) as started:
        code, said = started.end()
    assert code == 0, said + started.printed.read_text()
    (trial,) = read_trials(tmp_path / "outputs/sweeps/sweep")
    assert trial.value == 0 and [run.seed for run in trial.runs] == seeds


def one_value(choices: object) -> object:
    """A range as it is, the least value of a list."""
    return choices[:1] if isinstance(choices, list) else choices


def test_a_config_tests(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run("test", ("sft.yaml",), small)
    assert "OOD-operation" in capsys.readouterr().out
    assert len(list(tmp_path.glob("outputs/sft/counting/evaluation/*/summary.json"))) == 1


def test_tables_are_printed_below_progress_bars(small, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    bars = small | {"trainer.enable_progress_bar": "true"}
    run("fit", ("grpo.yaml",), bars | {"model.group_size": 2, "model.sampling.max_tokens": 4})
    assert "OOD-operation" in capsys.readouterr().out
    run("test", ("grpo.yaml",), bars)
    assert "OOD-operation" in capsys.readouterr().out


def test_no_config_is_left_out():
    there = {path.relative_to(CONFIGS).as_posix() for path in CONFIGS.rglob("*.yaml")}
    trained = {name for configs in [*FIT, *PAPER, *TINY, MIXTURE] for name in configs}
    assert there == trained | ELSEWHERE | ITERATED | STUDIES | {*SWEEPS}
