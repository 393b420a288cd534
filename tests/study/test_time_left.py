from reasonrft.study.cells import Cell
from reasonrft.study.time_left import predicted, seconds_left


def cell(task, paradigm, state="waiting", seconds=None, share=1.0):
    return Cell(task, paradigm, 0, share, state, seconds={"fit": seconds} if seconds else {})


def test_cells_take_what_those_most_like_them_took():
    cells = [
        cell("counting", "rft", "done", 100.0),
        cell("structure", "rft", "done", 50.0),
        cell("counting", "rft", "done", 20.0, 0.25),
    ]
    assert predicted(cell("counting", "rft"), cells) == 100
    assert predicted(cell("transformation", "rft"), cells) == 75
    assert predicted(cell("structure", "rft", share=0.25), cells) == 20
    assert predicted(cell("counting", "cot-sft"), cells) is None


def test_what_runs_has_less_left():
    done = cell("counting", "rft", "done", 100.0)
    running, waiting = cell("counting", "rft", "running", 30.0), cell("structure", "rft")
    cells = [done, running, waiting, cell("counting", "rft", "failed")]
    # 100 - 30 of a stage that has ended - 20 of the one under way, and 100, by two at a time.
    assert seconds_left(cells, {running.folder: 20.0}, 2) == 75
    assert seconds_left([done, cell("counting", "cot-sft")], {}, 1) is None
