from reasonrft.study.cell_results import best_validation, compute_tokens


def write(folder, version, text):
    path = folder / f"csv/version_{version}/metrics.csv"
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_a_run_that_went_on_counts_each_step_once(tmp_path):
    head = "perf/compute_tokens,step,train/loss,val/counting/val/accuracy\n"
    write(tmp_path, 0, head + "10,0,1.0,\n20,1,1.0,\n,1,,0.5\n30,2,1.0,\n")
    # Nothing was logged before it was killed again; then it went on from step 2 on.
    write(tmp_path, 1, "lr,step\n0.1,2\n")
    write(tmp_path, 2, head + "31,2,1.0,\n40,3,1.0,\n,3,,0.5\n")
    # The test has steps of its own.
    write(tmp_path, 10, "step,test/counting/id/accuracy\n0,0.9\n")
    assert compute_tokens(tmp_path) == 10 + 20 + 31 + 40
    assert best_validation(tmp_path, "counting") == (1, 0.5)


def test_a_run_without_metrics_has_none(tmp_path):
    assert compute_tokens(tmp_path) == 0 and best_validation(tmp_path, "counting") is None
