"""Labels with unknowns in them, and chains that solve for the unknown."""

from fractions import Fraction

from reasonrft.worlds.structure.chain import Chain, minus, times
from reasonrft.worlds.structure.puzzle import Draw
from reasonrft.worlds.structure.values import Linear, Value, rational, root


def unknown(draw: Draw) -> str:
    return draw.choose(("x", "x", "x", "y", "z"))


def find(draw: Draw, name: str) -> str:
    """Geometry3K's shortest question."""
    return draw.choose((f"Find {name}.", f"Find {name}.", f"Find the value of {name}."))


def label_at(draw: Draw, name: str, solution: int, value: int) -> Linear:
    """A label that has this value where the unknown has this solution, often with a shift."""
    factors = [k for k in range(1, 4 if draw.small else 6) if abs(value - k * solution) <= 40]
    factor = draw.choose(factors or [1])
    return Linear(factor, value - factor * solution, name)


def solve(chain: Chain, left: Linear, right: Linear | int) -> None:
    """Solve left = right for the unknown, step by step."""
    if isinstance(right, int):
        chain.work(f"{left.spaced()} = {right}")
        _finish(chain, left, right)
        return
    if left.factor < right.factor:
        left, right = right, left
    chain.work(f"{left.spaced()} = {right.spaced()}")
    collected = f"{Linear(left.factor, 0, left.name)} - {Linear(right.factor, 0, right.name)}"
    chain.work(f"{collected}{_shifted(left.shift)} = {right.shift}")
    rest = Linear(left.factor - right.factor, left.shift, left.name)
    if not rest.shift and rest.factor > 1:
        chain.work(f"{rest} = {right.shift}")
    _finish(chain, rest, right.shift)


def _finish(chain: Chain, left: Linear, right: int) -> None:
    """From 2x - 14 = 30 to 2x = 30 + 14 = 44 and x = 44 / 2 = 22."""
    moved = right - left.shift
    if left.shift:
        multiple = Linear(left.factor, 0, left.name)
        chain.work(f"{multiple} = {right}{_shifted(-left.shift)} = {moved}")
    if left.factor > 1:
        value = rational(Fraction(moved, left.factor))
        chain.work(f"{left.name} = {moved} / {left.factor} = {value}")
    elif not left.shift:
        chain.work(f"{left.name} = {moved}")


def _shifted(shift: int) -> str:
    if not shift:
        return ""
    return f" + {shift}" if shift > 0 else f" - {-shift}"


def take_root(chain: Chain, name: str, square: int) -> Value:
    """x = √108 = 6√3."""
    value = root(square)
    simplest = f" = {value}" if str(value) != f"√{square}" else ""
    chain.work(f"{name} = √{square}{simplest}")
    return value


def longest_side(chain: Chain, name: str, leg: int, other: int) -> Value:
    """Pythagoras, from both legs."""
    chain.work(times(leg, leg))
    chain.work(times(other, other))
    square = leg * leg + other * other
    chain.work(f"{name} × {name} = {leg * leg} + {other * other} = {square}")
    return take_root(chain, name, square)


def other_leg(chain: Chain, name: str, longest: int, leg: int) -> Value:
    """Pythagoras, from the longest side and a leg."""
    chain.work(times(longest, longest))
    chain.work(times(leg, leg))
    chain.work(f"{name} × {name} = {minus(longest * longest, leg * leg)}")
    return take_root(chain, name, longest * longest - leg * leg)
