import pytest

from reasonrft.errors import BadInput
from reasonrft.rollout.replicas import Replica, least_busy, make_replicas, rest_seconds
from reasonrft.rollout.vllm_client import Unreachable


def test_the_least_busy_replica_is_asked():
    replicas = [
        Replica("a", in_flight=2),
        Replica("b", in_flight=1, requests=5),
        Replica("c", in_flight=1, requests=4),
        Replica("d", rests_until=10.0),
    ]
    assert least_busy(replicas, 9.0) is replicas[2]
    assert least_busy(replicas, 10.0) is replicas[3]
    assert least_busy(replicas[3:], 9.0) is None


def test_a_replica_rests_longer_each_time_and_forgets_that_when_it_answers():
    assert [rest_seconds(failures) for failures in (1, 2, 3, 9)] == [0.5, 1, 2, 30]
    replica = Replica("a", holds="weights", suspect=False)
    replica.rest(Unreachable(0, "no answer in time"))
    assert (replica.failures, replica.holds, replica.suspect) == (1, "", True)
    assert replica.fault == "no answer in time" and replica.rests_until > 0
    replica.answered()
    assert (replica.failures, replica.rests_until, replica.fault) == (0, 0, "")


def test_addresses():
    replicas = make_replicas(["http://a:8000", "https://b/v1/", "http://c:1/x"], "KEY")
    assert [replica.url for replica in replicas] == ["http://a:8000", "https://b", "http://c:1/x"]


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ([], "no server: give its urls"),
        (["http://a:1", "http://a:1/v1"], "name a server twice"),
        (["a:8000"], "not an address"),
        (["http://me:secret@a"], "in the environment variable KEY"),
    ],
)
def test_addresses_that_are_refused(urls, message):
    with pytest.raises(BadInput, match=message) as fault:
        make_replicas(urls, "KEY")
    assert "secret" not in str(fault.value)
