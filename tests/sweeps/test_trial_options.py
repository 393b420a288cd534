"""A trial's command line, and what the parser says of a sweep before any trial."""

import pytest

from reasonrft.cli.fit_options import as_options
from reasonrft.errors import BadInput
from reasonrft.sweeps.sweep_config import Range, Sweep
from reasonrft.sweeps.trial_options import checked, label, own_arguments

pytestmark = pytest.mark.filterwarnings("ignore")


def sweep_of(metric: str | None = None, options=None, **keys) -> Sweep:
    named = {key.replace("__", "."): choices for key, choices in keys.items()}
    options = {"data.val_splits": ["val"]} if options is None else options
    return Sweep("s", ["grpo.yaml"], named, options, "random", 1, metric)


def test_values_go_to_fit_as_its_parser_reads_them():
    loss = {"class_path": "DAPOLoss", "init_args": {"clip_high": 0.3}}
    values = {"model.beta": 5e-05, "model.loss": loss, "data.group_by_length": False, "x": None}
    assert as_options(values) == [
        "--model.beta=5e-05",
        '--model.loss={"class_path": "DAPOLoss", "init_args": {"clip_high": 0.3}}',
        "--data.group_by_length=false",
        "--x=null",
    ]
    assert label(loss) == "DAPOLoss(clip_high=0.3)" and label(0.04) == "0.04"
    assert own_arguments(sweep_of(), {"a": "b"}) == [
        *["--config", "grpo.yaml"],
        *['--data.val_splits=["val"]', "--a=b"],
    ]


def test_the_metric_is_that_of_the_best_checkpoint():
    sweep = checked(sweep_of(model__loss=["GRPOLoss", "DrGRPOLoss"], model__updates=Range(1, 4)))
    assert sweep.metric == "val/counting/val/accuracy"
    own = checked(sweep_of("val/counting/val/tokens", model__beta=[0.0]))
    assert own.metric == "val/counting/val/tokens"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"model__betta": [0.1]}, "GRPOModule has no option 'betta'; did you mean beta?"),
        ({"model__group_size": [4, "many"]}, "model.group_size: expected int"),
        ({"model__group_size": Range(2.0, 8.0)}, "model.group_size: expected int"),
        ({"model__loss": ["GRPOLoss", "GRPO"]}, "model.loss: there is no class GRPO"),
        ({"model__optimizer__lr": [1e-4, -1.0]}, "model.optimizer.lr is -1.0"),
    ],
)
def test_each_value_is_checked_before_any_trial(keys, said):
    with pytest.raises(BadInput) as error:
        checked(sweep_of(**keys))
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("metric", [None, "val/counting/val/accuracy"])
def test_tests_are_not_to_choose_by(metric):
    with pytest.raises(BadInput, match=r"data.val_splits is \['id\*', 'ood\*'\]"):
        checked(sweep_of(metric, options={}, model__beta=[0.0]))
