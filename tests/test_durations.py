import pytest

from reasonrft.durations import spoken


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(42.2, "42 s"), (130, "2 min 10 s"), (180, "3 min"), (2465, "41 min"), (7800, "2 h 10 min")],
)
def test_time_is_said_as_by_a_person(seconds, said):
    assert spoken(seconds) == said
