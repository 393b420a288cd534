import subprocess
import sys
from pathlib import Path

import pytest

from reasonrft import __version__
from reasonrft.cli import main

ROOT = Path(__file__).resolve().parents[2]


def test_help_answers_without_torch():
    code = (
        "import sys; from reasonrft.cli import main; main(['--help']); "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage: reasonrft" in done.stdout
    assert done.stdout.splitlines()[-1] == "False"


def test_data_and_score_work_without_torch(tmp_path):
    (tmp_path / "rows.jsonl").write_text('{"completion": "3", "solution": "3"}')
    code = (
        "import sys; from reasonrft.cli import main; "
        "main(['score', 'rows.jsonl', '--with', 'accuracy']); import reasonrft.data; "
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "reasonrft", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == __version__


def test_unknown_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["tain"])
    assert stop.value.code == 2
    assert "no command 'tain': use fit, validate" in capsys.readouterr().err
