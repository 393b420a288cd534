"""What a sweep's YAML may say, and the sentences where it may not."""

import pytest
import yaml

from reasonrft.errors import BadInput
from reasonrft.sweeps.sweep_config import Range, combinations, read_sweep
from reasonrft.sweeps.sweep_file import write_sweep

GIVEN = {
    "configs": ["sft.yaml"],
    "search": "random",
    "trials": 4,
    "keys": {"model.beta": [0.0, 0.04], "lr": {"low": "5e-5", "high": 1, "log": True}},
}


@pytest.fixture
def read(tmp_path, monkeypatch):
    """A function that reads a sweep from GIVEN with changes; None takes a key away."""
    monkeypatch.chdir(tmp_path)

    def changed(options=None, **changes):
        given = {key: value for key, value in (GIVEN | changes).items() if value is not None}
        (tmp_path / "mine.yaml").write_text(yaml.safe_dump(given, sort_keys=False))
        return read_sweep("mine.yaml", options=options)

    return changed


def test_a_sweep_is_read(read):
    sweep = read(options={"trainer.max_steps": 7}, configs="grpo.yaml")
    assert sweep.name == "mine" and str(sweep.folder) == "outputs/sweeps/mine"
    assert sweep.configs == ["grpo.yaml"] and sweep.options == {"trainer.max_steps": 7}
    assert sweep.keys == {"model.beta": [0.0, 0.04], "lr": Range(5e-5, 1, True)}
    assert combinations(sweep.keys) is None


def test_combinations_are_counted_where_they_end():
    assert combinations({"a": [1, 2, 3], "b": Range(2, 5)}) == 3 * 4
    assert combinations({"a": [1], "b": Range(2, 5.0)}) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"serach": "grid"}, "no key 'serach'; did you mean search?"),
        ({"search": "bayes"}, "search is bayes: use grid, random, tpe"),
        ({"mode": "best"}, "mode is best: use max or min"),
        ({"trials": 0}, "trials is 0: random needs their number"),
        ({"trials": None}, "trials is None"),
        ({"search": "grid"}, "keys.lr is a range: a grid needs a list"),
        ({"search": "grid", "keys": {"a": [1]}}, "trials is for random and tpe"),
        ({"keys": {"a": [1, 2]}}, "trials is 4, and there are only 2 combinations"),
        ({"keys": None}, "there are no keys"),
        ({"keys": {"a": 3}}, "keys.a must be a list of values, or a range"),
        ({"keys": {"a": [1, 2, 1]}}, "keys.a has 1 twice"),
        (
            {"keys": {"a": {"low": 1, "hihg": 2}}},
            "keys.a: a range has no 'hihg'; did you mean high?",
        ),
        ({"keys": {"a": {"low": 1}}}, "keys.a: high is None"),
        ({"keys": {"a": {"low": 2, "high": 1}}}, "low must be below high"),
        ({"keys": {"a": {"low": 0, "high": 1, "log": True}}}, "true needs low above 0"),
        ({"keys": {"seed_everything": [0, 1]}}, "gives each trial itself, by its seeds"),
        ({"options": {"model.beta": 0.1}}, "model.beta is varied, and has a value in options too"),
        ({"configs": None}, "configs must list the configs of fit"),
        ({"seeds": [0, 0]}, "give a list of different whole numbers"),
        ({"metric": "test/counting/id/accuracy"}, "use one that begins val/"),
        ({"metric": "val/counting/id/accuracy"}, "of the test split id"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(read, changes, said):
    with pytest.raises(BadInput) as error:
        read(**changes)
    assert said in str(error.value) and str(error.value).startswith("mine.yaml: ")


def test_a_sweep_may_grow_and_not_change(read):
    grown = {"model.beta": [0.01, 0.0, 0.04], "lr": {"low": 1e-5, "high": 1, "log": True}}
    write_sweep(read())
    write_sweep(read(trials=6))
    write_sweep(read(trials=6, keys=grown))
    for changes, named in [
        ({}, "other keys.model.beta and keys.lr and trials"),
        ({"trials": 6, "keys": {"lr": grown["lr"]}}, "other keys"),
        ({"trials": 6, "keys": grown, "seeds": [1]}, "other seeds"),
        ({"trials": 6, "keys": grown, "search": "tpe", "mode": "min"}, "other search and mode"),
    ]:
        with pytest.raises(BadInput, match=named):
            write_sweep(read(**changes))
