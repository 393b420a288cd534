"""Commands in forked processes, side by side."""

import os
import signal
from pathlib import Path

import pytest

from reasonrft.cli.child_runs import ChildRuns
from tests.starting import Forked


def run_some(folder: Path) -> None:
    with ChildRuns(2) as children:
        print(children.run(["--version"], folder / "a.log").exit_code)
        first = children.run(["fit", "--config", "nothing.yaml"], folder / "b.log")
        print(first.exit_code, first.last_words)
        second = children.run(["no"], folder / "b.log")
        print(second.exit_code, second.last_words)


def test_each_has_its_log_and_its_exit_code(tmp_path):
    with Forked(tmp_path, run_some, tmp_path) as forked:
        assert forked.end()[0] == 0
    printed = forked.printed.read_text().splitlines()
    assert printed[0] == "0" and (tmp_path / "a.log").read_text().count(".") == 2
    assert printed[1].startswith("1 there is no config nothing.yaml, neither in ")
    assert printed[2].startswith("2 no command 'no': use fit,")


def run_two_slow_commands(folder: Path) -> None:
    """Two commands that end only when they are told to."""
    with ChildRuns(2) as children:
        for name in "ab":
            children.start(["score", name, "--with", f"{name}.Slow"], folder / f"{name}.log")
        children.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_of_them(number, tmp_path):
    for name in "ab":
        begin = f"pathlib.Path('{name}.begun').write_text(str(os.getpid()))"
        module = f"import os, pathlib, time\n{begin}\ntime.sleep(600)"
        (tmp_path / f"{name}.py").write_text(module)
    processes: list[int] = []

    def begun() -> bool:
        processes[:] = [int(file.read_text() or 0) for file in tmp_path.glob("*.begun")]
        return len(processes) == 2 and all(processes)

    with Forked(tmp_path, run_two_slow_commands, tmp_path) as forked:
        forked.wait_for(begun)
        forked.send(number)
        code, said = forked.end()
    assert code == 128 + number and f"reasonrft: {number.name}: ending what runs" in said
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
