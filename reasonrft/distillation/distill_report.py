"""What was sampled and what was kept of it: as JSON, and for people."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from reasonrft.distillation.choose_chains import Choice, Sampled

Report = dict[str, Any]
BINS = (0.25, 0.5, 0.75)
"""Edges of the histogram of pass rates, beside 0 and 1 alone."""


def make_report(
    problems: Sequence[Sampled], choice: Choice, pairs: int | None, settings: Mapping[str, Any]
) -> Report:
    """All counts of a distillation."""
    kept = [(sampled, choice.chains(sampled)) for sampled in problems]
    right = [s.tokens for p in problems for s, fine in zip(p.samples, p.right, strict=True) if fine]
    chains = [p.samples[number].tokens for p, numbers in kept for number in numbers]
    report: Report = {
        "problems": len(problems),
        "samples": sum(len(sampled.samples) for sampled in problems),
        "right": len(right),
        "problems_right": sum(any(sampled.right) for sampled in problems),
        "kept": len(chains),
        "problems_kept": sum(bool(numbers) for _, numbers in kept),
        "pass_rates": histogram([sampled.pass_rate for sampled in problems]),
        "tokens": {"right": _lengths(right), "kept": _lengths(chains)},
        "blind": _blind(problems, choice),
        **({} if pairs is None else {"pairs": pairs}),
    }
    return report | {"settings": dict(settings)}


def histogram(rates: Sequence[float]) -> dict[str, int]:
    """How many problems have a pass rate of 0, of 1, and between the edges in the middle."""
    bins = dict.fromkeys(("0", *(f"to {edge:g}" for edge in BINS), "below 1", "1"), 0)
    for rate in rates:
        bins[_bin(rate)] += 1
    return bins


def _bin(rate: float) -> str:
    if rate in (0, 1):
        return f"{rate:g}"
    return next((f"to {edge:g}" for edge in BINS if rate <= edge), "below 1")


def _lengths(tokens: Sequence[int]) -> dict[str, float] | None:
    if not tokens:
        return None
    return {"least": min(tokens), "mean": round(fmean(tokens), 2), "most": max(tokens)}


def _blind(problems: Sequence[Sampled], choice: Choice) -> dict[str, int] | None:
    asked = [sampled for sampled in problems if sampled.blind is not None]
    if not asked:
        return None
    return {
        "problems": len(asked),
        "right": sum(sum(sampled.blind or ()) for sampled in asked),
        "problems_right": sum(sampled.right_blind for sampled in asked),
        "by_luck": sum(sampled.lucky for sampled in asked),
        "left_out": sum(any(s.right) and choice.leaves_out(s) for s in asked),
    }


def told(report: Report) -> str:
    """The report as lines for a terminal."""
    lines = [
        ("problems", f"{report['problems']:,}, {report['samples']:,} samples"),
        ("right", f"{_share(report, 'right')}, of {report['problems_right']:,} problems"),
        *_told_blind(report),
        ("kept", f"{report['kept']:,} chains of {report['problems_kept']:,} problems"),
        ("tokens", _told_lengths(report["tokens"])),
        ("pass rate", ", ".join(f"{name}: {n:,}" for name, n in report["pass_rates"].items())),
    ]
    if "pairs" in report:
        lines.append(("pairs", f"{report['pairs']:,}"))
    return "\n".join(f"{name:9}  {text}" for name, text in lines)


def _told_blind(report: Report) -> list[tuple[str, str]]:
    blind = report["blind"]
    if blind is None:
        return []
    return [
        ("blind", f"{_share(blind, 'right', report)}, of {blind['problems_right']:,} problems"),
        (
            "by luck",
            f"{blind['by_luck']:,} problems are right without their images at least as often"
            + (f"; {blind['left_out']:,} are left out" if blind["left_out"] else ""),
        ),
    ]


def _share(counts: Mapping[str, Any], name: str, report: Report | None = None) -> str:
    """A number of samples, and its share of those that were asked so."""
    count = counts[name]
    if report is None:
        asked = counts["samples"]
    else:
        asked = report["samples"] // max(1, report["problems"]) * counts["problems"]
    return f"{count:,} samples ({100 * count / max(1, asked):.1f} %)"


def _told_lengths(tokens: Mapping[str, Any]) -> str:
    texts = [
        f"{name} {lengths['least']:,} to {lengths['most']:,}, mean {lengths['mean']:.1f}"
        for name, lengths in tokens.items()
        if lengths
    ]
    return "; ".join(texts) or "none"
