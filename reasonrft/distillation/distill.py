"""From a policy and problems to the file that fine-tuning reads: sample, choose, write.

sample    k answers to every problem, and k without its images     sample_problems.py
choose    right, then short, then unlike each other                choose_chains.py
write     chains, pairs, their images, the report: all or none     write_chains.py
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from reasonrft.distillation.choose_chains import Choice, Sampled
from reasonrft.distillation.distill_report import Report, make_report
from reasonrft.distillation.sample_problems import ProblemSampler
from reasonrft.distillation.write_chains import ImageNames, chain_rows, pair_rows, write_all
from reasonrft.errors import BadInput


def distill(
    sampler: ProblemSampler,
    choice: Choice,
    output: Path,
    pairs: Path | None = None,
    image_root: Path | None = None,
) -> Report:
    """Write what is kept, and return the report; what has been sampled once stays on file.

    Args:
        sampler: Samples problems.
        choice: What is kept.
        output: The file of chains; samples and report are written beside it.
        pairs: The file of right answers, each with a wrong one.
        image_root: Folder that names of images are relative to, if they are not to be copied.
    """
    with _alone(output):
        problems = sampler.sample_all(beside(output, "samples.jsonl"))
    settings = sampler.settings
    provenance = {name: settings[name] for name in settings if name not in ("batch", "split")}
    names = ImageNames(output.parent, image_root)
    files = {output: [r for p in problems for r in chain_rows(p, choice, names, provenance)]}
    check_kept(problems, choice, len(files[output]))
    if pairs is not None:
        files[pairs] = [r for p in problems for r in pair_rows(p, choice, names, provenance)]
        if not files[pairs]:
            raise BadInput(
                "there is no pair: no problem has a right sample that is kept and a wrong one "
                "that ended by itself; sample more, or leave --pairs out"
            )
    counted = None if pairs is None else len(files[pairs])
    report = make_report(problems, choice, counted, settings)
    write_all(files, names, (beside(output, "report.json"), report))
    return report


def beside(output: Path, ending: str) -> Path:
    """A file that goes with the output: chains.report.json."""
    return output.with_name(f"{output.stem}.{ending}")


def check_kept(problems: Sequence[Sampled], choice: Choice, kept: int) -> None:
    """`BadInput` where nothing can be learned from, and what to do about it."""
    if kept:
        return
    right = [sampled for sampled in problems if any(sampled.right)]
    if not right:
        count = len(problems[0].samples) if problems else 0
        raise BadInput(
            f"none of {len(problems):,} problems has a right answer among {count} samples: "
            "fine-tune the policy first (docs/training.md), sample more often, or take easier "
            "problems"
        )
    if all(map(choice.leaves_out, right)):
        raise BadInput(
            f"all {len(right):,} problems with a right answer are right without their images "
            "too: leave --drop-lucky out, or take problems that need their images"
        )
    raise BadInput(
        f"of {len(right):,} problems with a right answer no chain is kept: they have none "
        "between <think> and </think>, or are longer than --longest"
    )


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Keep others from sampling into the same file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(output.with_name(f".{output.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BadInput(
            f"another distillation is writing {output}: wait for its end, or give another --output"
        ) from error
    try:
        yield
    finally:
        lock.release()
