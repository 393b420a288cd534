"""Ways of asking, as GeoMath has them."""

from collections.abc import Mapping

from reasonrft.worlds.structure.chain import series
from reasonrft.worlds.structure.puzzle import Draw


def ask(draw: Draw, facts: str, goal: str) -> str:
    """A question from given facts ("∠A=40° and ∠B=60°") and a goal ("the measure of ∠C")."""
    capital = facts[0].upper() + facts[1:]
    return draw.choose(
        [
            f"As shown in the figure, {facts}. What is {goal}?",
            f"In the figure, {facts}. Find {goal}.",
            f"{capital}. What is {goal}?",
            f"Given that {facts}, find {goal}.",
            f"As shown in the figure, {facts}, then {goal} is ()",
        ]
    )


def listed(quantities: Mapping[str, int], unit: str = "") -> str:
    """∠A=40° and ∠B=60°."""
    return series([f"{name}={value}{unit}" for name, value in quantities.items()])
