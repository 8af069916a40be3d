"""A whole run through a real SLURM: what becomes a job, and what stays on the login node."""

from pathlib import Path

from tests.slurm.conftest import files_with_the_secret, queue, run

RESULTS = "results/exp/evaluation/results.json"


def test_only_training_and_prediction_are_jobs_and_each_has_the_gpu(folder: Path) -> None:
    before = {job[0] for job in queue()}
    with run(folder, RESULTS) as watched:
        assert watched.ends() == 0, "\n".join(watched.lines)
    rules = [comment for number, _, comment in queue() if number not in before]
    assert sorted(rules) == [
        f"rule_{rule}_wildcards_exp" for rule in ("measure_robustness", "run_finetuning", "run_prediction")
    ]
    said = watched.said()
    for rule in ("run_finetuning", "run_prediction", "measure_robustness"):
        own = [line for line in said if f"{rule} (exp)" in line]
        assert "submitted to gpu (1 GPU, 2 CPUs" in own[0]
        assert "started on" in own[-2]
        assert "finished on" in own[-1]
    assert files_with_the_secret(folder) == []
    assert not any("SLURM run ID" in line or "No SLURM account" in line for line in watched.lines)
