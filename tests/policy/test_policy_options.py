import pytest

from reasonrft.errors import BadInput
from reasonrft.policy import Policy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("min_pixels", 0),
        ("min_pixels", -1),
        ("max_pixels", 0),
        ("logit_chunk", 0),
        ("logit_chunk", -5),
        ("image_memory", -1),
    ],
)
def test_sizes_out_of_range_are_refused(name, value):
    with pytest.raises(BadInput, match=f"^the policy's {name} must be at least [01], not {value}$"):
        Policy("tiny", **{name: value})


def test_pixel_limits_that_cross_are_refused():
    with pytest.raises(BadInput, match=r"^min_pixels 2,000 must be at most max_pixels 1,000$"):
        Policy("tiny", min_pixels=2000, max_pixels=1000)


def test_something_must_be_trained():
    with pytest.raises(BadInput, match="train_parts names no part"):
        Policy("tiny", train_parts=[])


def test_the_ends_of_the_ranges_are_accepted():
    Policy("tiny", min_pixels=1, max_pixels=1, logit_chunk=1, image_memory=0)
