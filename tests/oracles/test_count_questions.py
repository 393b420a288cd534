import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonrft.oracles.count_questions import derive_count, parse_question


def thing(words: str) -> dict[str, str]:
    return dict(zip(("size", "color", "material", "shape"), words.split(), strict=True))


SCENE = [
    thing("large red metal sphere"),
    thing("small red rubber sphere"),
    thing("large blue rubber cube"),
    thing("small blue metal cube"),
    thing("large red rubber cylinder"),
]
STREET = [
    thing("large red metal suv"),
    thing("small red rubber truck"),
    thing("large blue metal school"),
]


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("Add 2 big shiny balls. How many large metal spheres are left?", 3),
        ("Add 3 blue blocks. How many blue cubes exist?", 5),
        ("Add 4 tiny things. How many objects exist?", 9),
        ("Subtract all red balls. How many balls are left?", 0),
        ("Subtract all large red spheres. How many spheres are left?", 1),
        ("Subtract 1 blue cubes. How many objects are left?", 4),
        ("Subtract 0 green cubes. How many objects are left?", 5),
        ("How many blue cubes must be subtracted to get 1 blue blocks?", 1),
        (
            "Subtract all red balls. How many were subtracted if there are 1 red spheres left?",
            1,
        ),
        ("Subtract all cylinders. How many objects are left?", 4),
        ("Subtract 2 spheres. How many spheres are left?", 0),
        # 5 - 3 red - 2 spheres + 2 red spheres
        ("Subtract all red things. Subtract all spheres. How many objects are left?", 2),
        ("Subtract all red spheres. Subtract all blue cubes. How many spheres are left?", 0),
        ("Subtract all red spheres. How many blue cubes are left?", 2),
    ],
)
def test_families(question, count):
    assert derive_count(question, SCENE) == count


@pytest.mark.parametrize(
    ("question", "count"),
    [
        ("Subtract all small cars. How many cars are left?", 1),
        ("Add 2 buss. How many buses exist?", 3),
        ("Subtract all airplanes. How many objects are left?", 3),
        ("Subtract all suvs. How many cars are left?", 1),
    ],
)
def test_vehicles(question, count):
    assert derive_count(question, STREET) == count


@pytest.mark.parametrize(
    "question",
    [
        "Add 3 cubes. How many red cubes are left?",  # are the new ones red?
        "Subtract 1 spheres. How many red spheres are left?",
        "Subtract 4 spheres. How many objects are left?",  # there are two
        "How many red cubes must be subtracted to get 1 blue cubes?",
        "How many red cubes must be subtracted to get 9 red cubes?",
        "How many objects are left?",
        "Subtract all red blue cubes. How many objects are left?",
        "Subtract all wooden cubes. How many objects are left?",
        "Is there a red cube?",
        "",
    ],
)
def test_what_cannot_be_known(question):
    assert derive_count(question, SCENE) is None


@given(st.text(max_size=60))
def test_any_text_is_a_program_or_not(text):
    assert derive_count(text, SCENE) is None or parse_question(text)


@pytest.mark.parametrize("name", ["clevr", "super_clevr"])
def test_real_scenes(real, name):
    scenes = json.loads((real / name / "scenes.json").read_text())["scenes"]
    objects = {scene["image_filename"].rpartition(".")[0]: scene["objects"] for scene in scenes}
    for record in json.loads((real / name / "records.json").read_text()):
        stem = record["image"].rpartition("/")[2].rpartition(".")[0]
        assert str(derive_count(record["problem"], objects[stem])) == record["answer"], record
