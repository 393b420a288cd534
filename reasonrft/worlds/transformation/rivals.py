"""Other explanations of two images: what makes an answer the only one."""

from collections.abc import Sequence
from functools import cache
from itertools import product

from reasonrft.oracles.state_changes import ATTRIBUTES, DIRECTIONS, STRIDE, Item, State

_NEVER = 99


def has_rival(initial: State, final: State, most: int) -> bool:
    """Whether at most so many calls also lead from one image to the other in another way.

    An image shows things in places, not which object they are: so another explanation takes
    another thing for what became of an object. With each thing taken for its own object there is no
    other: a call per difference is needed, and one move leads one way only. Rivals that would
    overlap on their way count too.
    """
    prices = [[_price(item, thing) for thing in final] for item in initial]
    return _explanations(prices, most) > 1


def _explanations(
    prices: Sequence[Sequence[int]], most: int, taken: frozenset[int] = frozenset()
) -> int:
    """In how many ways objects can be matched with things for at most so many calls."""
    if len(taken) == len(prices):
        return 1
    row = prices[len(taken)]
    return sum(
        _explanations(prices, most - price, taken | {thing})
        for thing, price in enumerate(row)
        if price <= most and thing not in taken
    )


def _price(item: Item, thing: Item) -> int:
    """The fewest calls that make an object this thing."""
    changed = sum(getattr(item, name) != getattr(thing, name) for name in ATTRIBUTES)
    (x, y), (to_x, to_y) = item.position, thing.position
    return changed + _moves(to_x - x, to_y - y)


@cache
def _moves(x: int, y: int) -> int:
    """The fewest moves that make up a displacement, of two at most."""
    if x % STRIDE or y % STRIDE:
        return _NEVER
    single = {
        (dx * steps * STRIDE, dy * steps * STRIDE)
        for (dx, dy), steps in product(DIRECTIONS.values(), (1, 2))
    }
    if (x, y) == (0, 0):
        return 0
    if (x, y) in single:
        return 1
    return 2 if any((x - dx, y - dy) in single for dx, dy in single) else 3
