import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasonrft.conversation import conversation
from reasonrft.errors import BadInput
from reasonrft.evaluation.image_modes import in_image_mode, left_out_of, swap_images, without_images
from reasonrft.problems import Problem


def problem(name: str, *images: bytes, question: str = "How many?", **options) -> Problem:
    return Problem(name, "counting", images, question, "3", **options)


def test_a_blind_problem_has_the_same_words_and_no_images():
    shown = problem(
        "p",
        b"a",
        b"b",
        question="<image>\nHow many?",
        choices=("<image>", "none"),
        cot="two",
        meta={"history": [["Look: <image>", "yes"]], "level": 2},
    )
    blind = without_images(shown)
    assert blind.images == ()
    assert blind.question == "\nHow many?"
    assert blind.choices == ("", "none")
    assert blind.meta == {"history": [["Look: ", "yes"]], "level": 2}
    assert (blind.id, blind.answer, blind.cot) == ("p", "3", "two")
    assert shown.meta["history"] == [["Look: <image>", "yes"]]

    def parts(shown):
        turns = conversation(shown, shown.question)
        return [part for turn in turns for part in turn["content"]]

    # All that is missing are the images.
    assert parts(blind) == [part for part in parts(shown) if part["type"] != "image"]
    assert len(parts(shown)) == len(parts(blind)) + 2


def test_swapped_problems_keep_their_words_and_number_of_images():
    problems = [problem(f"p{n}", b"%d" % n) for n in range(5)]
    problems += [problem(f"q{n}", b"x%d" % n, b"y%d" % n, question="?") for n in range(3)]
    swapped = swap_images(problems, 0)
    assert [p.id for p in swapped] == [p.id for p in problems]
    assert [p.question for p in swapped] == [p.question for p in problems]
    assert [len(p.images) for p in swapped] == [1] * 5 + [2] * 3
    assert all(not set(a.images) & set(b.images) for a, b in zip(swapped, problems, strict=True))
    # Images are those of the split, and of another problem each.
    assert {p.images for p in swapped} == {p.images for p in problems}
    assert swap_images(problems, 0) == swapped
    assert any(swap_images(problems, seed) != swapped for seed in range(1, 5))


def test_problems_about_the_same_image_do_not_swap_it(tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(b"same")
    problems = [problem("a", b"same"), Problem("b", "counting", (copy,), "?", "3")]
    assert swap_images(problems, 0) == []
    swapped = swap_images([*problems, problem("c", b"other")], 0)
    assert [(p.id, p.images) for p in swapped[:2]] == [("a", (b"other",)), ("b", (b"other",))]
    assert swapped[2].images in {(b"same",), (copy,)}


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    missing = Problem("p", "counting", (tmp_path / "none.png",), "?", "3")
    with pytest.raises(BadInput, match=r"problem 'p': cannot read .*none\.png"):
        swap_images([missing, problem("q", b"a")], 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=3)), st.integers(0, 9))
def test_nobody_is_shown_an_own_image(shown, seed):
    problems = [problem(f"p{n}", *images) for n, images in enumerate(shown)]
    by_id = {p.id: p for p in problems}
    swapped = in_image_mode(problems, "swapped", seed)
    for altered in swapped:
        own = by_id[altered.id].images
        assert len(altered.images) == len(own) > 0
        assert not set(altered.images) & set(own)
        assert altered.images in {p.images for p in problems}
    # Whoever is left out has nobody to swap with.
    for name in by_id.keys() - {p.id for p in swapped}:
        own = by_id[name].images
        assert not own or not [
            p for p in problems if len(p.images) == len(own) and not set(p.images) & set(own)
        ]
    assert in_image_mode(problems, "own", seed) is problems
    assert len(in_image_mode(problems, "blind", seed)) == sum(map(bool, shown))


def test_what_is_left_out_is_said():
    assert left_out_of("blind", "id", 5, 5) is None
    told = "blind: all problems of split id are left out, for they have no images"
    assert left_out_of("blind", "id", 5, 0) == told
    assert left_out_of("swapped", "id", 2000, 1999).startswith(
        "swapped: 1 of 2,000 problems of split id are left out, for no other problem has"
    )
