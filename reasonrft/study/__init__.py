"""The paper's table, run whole: `python -m reasonrft study` (cli/study_command.py).

study_config.py     what a study runs: tasks, paradigms, seeds, shares, options
cells.py            its cells, and the files in which each says how it stands
recipes.py          the command lines of a cell
run_settings.py     what a command line resolves to: batch, steps
cell_results.py     what its runs have left: compute, the best validation, accuracies
forked_calls.py     functions in processes of their own, forked from this one
run_study.py        the cells, side by side, until all are done
time_left.py        how long the others will take
dry_run.py          what would be run, with its time and memory
study_table.py      the table
"""
