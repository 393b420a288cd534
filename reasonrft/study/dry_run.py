"""What a study would run, with its time and memory, before anything is written."""

from reasonrft.study.study_config import Study


def show_runs(study: Study) -> str:
    return ""
