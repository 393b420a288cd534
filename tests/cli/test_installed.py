"""The package as a user installs it: a wheel, in an environment and a folder without the clone."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.cli.running import SMALL_GRPO

pytest.importorskip("hatchling", reason="building a wheel needs hatchling, of the extra dev")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The bin folder of an environment with the wheel, whose other packages are those of ours."""
    home = tmp_path_factory.mktemp("installed")
    call([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(home)], ROOT)
    call([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], home)
    (wheel,) = home.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", str(home / "venv/bin/python"), "install"]
    call([*pip, "--quiet", "--no-deps", "--no-index", str(wheel)], home)
    (packages,) = (home / "venv").glob("lib/python*/site-packages")
    # A plain path: the links of editable installations in there are not followed.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    return home / "venv" / "bin"


def call(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_main_job_runs_in_an_empty_folder(installed, tmp_path):
    def run(command: str, *options: str) -> str:
        return call([str(installed / command), *options], tmp_path, PYTHONPATH="")

    told = run("python", "-c", "import reasonrft; print(reasonrft.__file__)")
    assert told.startswith(str(installed.parent))
    options = [f"--{name}={value}" for name, value in SMALL_GRPO.items()]
    run("reasonrft", "fit", "--config", "grpo.yaml", *options)
    assert (tmp_path / "outputs/grpo/counting/policy/model.safetensors").is_file()
    told = run("python", "-m", "reasonrft", "fit", "--config", "configs/sft.yaml", "--print_config")
    assert "WarmupCosine" in told
