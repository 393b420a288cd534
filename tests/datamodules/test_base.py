import io

import pytest
from PIL import Image

from reasonrft.datamodules import (
    CountingDataModule,
    GeneralDataModule,
    StructureDataModule,
    TransformationDataModule,
)
from reasonrft.errors import BadInput
from reasonrft.policy import Policy
from reasonrft.tasks import CountingTask, find_task
from reasonrft.tasks.tags import write_response
from tests.datamodules.reading import MadeUp, Reader, made_up, quiet, read
from tests.policy.problems import image

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="session")
def encoder(family_folder):
    return Policy(str(family_folder("qwen3-vl"))).encoder


def test_examples_hold_the_prompt_and_the_response_of_their_target(encoder):
    problem = made_up(3)
    ((example,),) = read(encoder, MadeUp([problem]), batch_size=1)
    task = find_task("counting")
    text = write_response(problem.cot, "3")
    assert example.prompt.text == task.prompt(problem)
    assert encoder.decode(example.response) == text + "<|im_end|>"
    ((example,),) = read(encoder, MadeUp([problem]), target="answer")
    assert example.prompt.text == task.prompt(problem, reasoning=False)
    assert encoder.decode(example.response) == "3<|im_end|>"


def test_a_module_that_learns_from_prompts_gets_prompts(encoder):
    batches = read(encoder, MadeUp([made_up(n) for n in range(6)]), "prompts", batch_size=4)
    assert [len(batch.prompts) for batch in batches] == [4, 2]
    assert {problem.id for batch in batches for problem in batch.problems} == {
        f"p{n}" for n in range(6)
    }


def test_lengths_are_those_of_what_is_read(encoder):
    data = CountingDataModule(MadeUp([made_up(n) for n in range(6)]), batch_size=2)
    reader = Reader(encoder)
    quiet().fit(reader, data)
    assert sorted(one.length for batch in reader.batches for one in batch) == sorted(data.lengths)
    # Batches of similar length: each holds neighbours.
    assert all(
        abs(int(a.prompt.problem.answer) - int(b.prompt.problem.answer)) == 1
        for a, b in reader.batches
    )


def test_long_examples_are_left_out_with_their_ids_and_never_cut(encoder, caplog):
    source = MadeUp([made_up(n) for n in (1, 2, 200, 3, 300)])
    with caplog.at_level("INFO"):
        batches = read(encoder, source, max_tokens=400)
    read_ids = {one.prompt.problem.id for batch in batches for one in batch}
    assert read_ids == {"p1", "p2", "p3"}
    said = "train: 2 of 5 problems are longer than max_tokens=400 and are left out: p200, p300"
    assert caplog.messages.count(said) == 1
    # Of prompts alone none is too long: only thoughts are.
    assert sum(len(batch) for batch in read(encoder, source, "prompts", max_tokens=400)) == 5
    with pytest.raises(BadInput, match="no problem of split train is within max_tokens=20"):
        read(encoder, source, max_tokens=20)


def test_batches_keep_to_a_budget_of_tokens(encoder):
    source = MadeUp([made_up(n) for n in range(20)])
    batches = read(encoder, source, batch_tokens=1000, max_tokens=500)
    assert all(sum(one.length for one in batch) <= 1000 for batch in batches)
    assert len(batches) < 10
    with pytest.raises(BadInput, match="batch_tokens=100 has no room"):
        CountingDataModule(source, batch_tokens=100)


def test_a_limit_takes_the_same_problems_in_every_run(encoder):
    source = MadeUp([made_up(n) for n in range(20)])
    first, second, other = (
        {one.prompt.problem.id for batch in read(encoder, source, limit=5, **o) for one in batch}
        for o in ({}, {"batch_size": 2}, {"seed": 1})
    )
    assert first == second != other
    assert len(first) == len(other) == 5


def test_what_one_stage_learned_from_another_can_skip(encoder):
    source = MadeUp([made_up(n) for n in range(20)])
    first, rest, next_five = (
        {one.prompt.problem.id for batch in read(encoder, source, **o) for one in batch}
        for o in ({"limit": 5}, {"skip": 5}, {"skip": 5, "limit": 5})
    )
    assert first.isdisjoint(rest) and first | rest == {f"p{n}" for n in range(20)}
    assert next_five < rest and len(next_five) == 5
    with pytest.raises(BadInput, match="no problems but the 20 that are skipped"):
        read(encoder, source, skip=20)


def test_every_test_split_has_a_loader_in_order(encoder):
    source = MadeUp(id=[made_up(n) for n in range(5)], val=[made_up(9)], ood=[made_up(7)])
    data = CountingDataModule(source, eval_batch_size=2, workers=1)
    assert (data.eval_splits("validate"), data.eval_splits("test")) == (("val",), ("id", "ood"))
    reader = Reader(encoder)
    quiet().test(reader, data, verbose=False)
    found = [(at, one.id) for at, batch in reader.batches for one in batch.problems]
    assert found == [(0, f"p{n}") for n in range(5)] + [(1, "p7")]


def test_validation_answers_the_splits_that_are_named(encoder):
    splits = {name: [made_up(n) for n in range(9)] for name in ("val", "id", "ood-a", "ood-b")}
    source = MadeUp([made_up(1)], **splits)
    assert CountingDataModule(source).eval_splits("fit") == ("val",)
    assert CountingDataModule(MadeUp([made_up(1)])).eval_splits("fit") == ()
    data = CountingDataModule(source, val_splits=["ood*", "id"])
    assert data.eval_splits("validate") == ("id", "ood-a", "ood-b")
    assert data.eval_splits("test") == ("id", "ood-a", "ood-b")
    quiet(limit_val_batches=0).fit(Reader(encoder), data)
    assert data.problems.keys() == {"train", "id", "ood-a", "ood-b"}
    for name in ("odd", "train", "ID"):
        with pytest.raises(
            BadInput, match=rf"val_splits names '{name}', which .* use val, id, ood-a, ood-b"
        ):
            CountingDataModule(source, val_splits=["id", name])


def test_validation_by_default_suits_any_data(encoder, caplog):
    def validated(val_splits: list[str] | None, *splits: str) -> tuple[str, ...]:
        source = MadeUp([made_up(1)], **{split: [made_up(2)] for split in splits})
        data = CountingDataModule(source, val_splits=val_splits)
        caplog.clear()
        with caplog.at_level("INFO"):
            quiet(limit_val_batches=0).fit(Reader(encoder), data)
        return data.eval_splits("fit")

    assert validated(None, "val", "id") == validated(["ood*"], "val", "id") == ("val",)
    assert "no split fits val_splits ood*: validation answers val" in caplog.messages
    assert validated(None, "id") == validated(["ood*"], "id") == ()
    said = "there is no val split, so that nothing is answered while training (others: id)"
    assert caplog.messages.count(said) == 1
    assert validated([], "val") == () and said not in caplog.messages
    assert validated(["i*"], "val", "id") == ("id",)
    with pytest.raises(BadInput, match="val_splits names 'val', which is no split"):
        validated(["val"], "id")


def test_a_part_of_a_split_is_the_same_in_every_run(encoder):
    source = MadeUp(id=[made_up(n) for n in range(9)])
    asked = []
    for seed in (0, 1):
        data = CountingDataModule(source, eval_batch_size=2, seed=seed)
        quiet().test(Reader(encoder), data, verbose=False)
        (loader,) = data.eval_loaders("test", limit=3)
        asked.append([problem.id for batch in loader for problem in batch.problems])
    assert asked[0] == asked[1] and len(set(asked[0])) == 3


def test_a_task_of_ones_own_asks_in_its_words(encoder):
    task = CountingTask(template="Say: {question}")
    ((example,),) = read(encoder, MadeUp([made_up(3)]), task=task)
    assert example.prompt.text == "Say: How many?"


def faults(data, problems) -> str:
    with pytest.raises(BadInput) as raised:
        quiet().fit(Reader(None), data(MadeUp(problems)))  # type: ignore[arg-type]
    return str(raised.value)


def test_bad_problems_are_named_before_anything_is_trained():
    two = made_up(2, images=(image((1, 2, 3)),) * 2)
    assert faults(CountingDataModule, [made_up(1), two]) == (
        "split train, problem 'p2': it has 2 images, and counting takes 1 image"
    )
    assert "it has no image, and structure takes 1" in faults(
        StructureDataModule, [made_up(2, images=(), task="structure")]
    )
    assert "it has 1 image, and transformation takes 2" in faults(
        TransformationDataModule, [made_up(2, task="transformation")]
    )
    assert "split train, problem 'p2': it has no image, while 2 of 3 problems have one" in faults(
        GeneralDataModule, [made_up(1), made_up(2, images=()), made_up(3)]
    )
    assert "problem 'p4': it has no chain of thought to learn from" in faults(
        CountingDataModule, [made_up(4, cot=" ")]
    )
    assert "problem 'p4': 'many' is not a whole number" in faults(
        CountingDataModule, [made_up(4, answer="many")]
    )
    assert faults(CountingDataModule, []) == "split train has no problems"


def test_a_image_over_the_limit_is_named(encoder, tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (9000, 9000)).save(path)
    with pytest.raises(
        BadInput, match="problem 'p1': 9000x9000 image is over the limit of 64,000,000"
    ):
        read(encoder, MadeUp([made_up(1, images=(path,))]))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_image_is_named(encoder, workers):
    file = io.BytesIO()
    Image.effect_noise((64, 64), 50).save(file, "PNG")
    with pytest.raises(BadInput, match="problem 'p1': damaged image"):
        read(encoder, MadeUp([made_up(1, images=(file.getvalue()[:600],))]), workers=workers)


@pytest.mark.parametrize(
    ("options", "least"),
    [
        *(({name: 0}, 1) for name in ("batch_size", "eval_batch_size", "max_tokens", "limit")),
        ({"batch_tokens": -1}, 1),
        ({"batch_size": float("nan")}, 1),
        ({"skip": -1}, 0),
        ({"workers": -1}, 0),
    ],
)
def test_options_out_of_range_are_one_sentence(options, least):
    [(name, value)] = options.items()
    with pytest.raises(BadInput, match=rf"^{name} must be at least {least}, not {value}$"):
        CountingDataModule(MadeUp([made_up(1)]), **options)
