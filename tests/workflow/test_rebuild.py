"""Delete any artifact and it is rebuilt, with all that depends on it and nothing that doesn't."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import BIN, ROOT, snakemake

RESULTS = "results/exp/evaluation/results.json"


def _find_artifacts() -> dict[str, str]:
    """Artifact (relative to the experiment's folder) → rule, as the rule files say."""
    makers = {}
    for file in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(r"^rule ", file.read_text(encoding="utf-8"), flags=re.M)[1:]:
            outputs = re.search(r"    output:\n(.*?)\n    \w+:", rule, re.S)
            assert outputs, rule
            name = rule.partition(":")[0]
            makers |= dict.fromkeys(re.findall(r'"results/\{experiment\}/(.+?)"', outputs[1]), name)
    return makers


ARTIFACTS = _find_artifacts()


@pytest.fixture(scope="module")
def finished(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for this process alone: what is hidden here for a moment would be missing in another's tests."""
    return Path(shutil.copytree(finished, tmp_path_factory.mktemp("rebuild") / "finished", symlinks=True))


@pytest.fixture(scope="module")
def descendants(finished: Path) -> dict[str, set[str]]:
    """Rule → the rules that need what it makes, directly or not, from Snakemake's own rule graph."""
    dot = snakemake(finished, RESULTS, "--forceall", "--rulegraph", "dot").stdout
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', dot))
    edges = [(names[a], names[b]) for a, b in re.findall(r"(\d+) -> (\d+)", dot)]
    children = {name: {b for a, b in edges if a == name} for name in names.values()}

    def below(rule: str) -> set[str]:
        return children[rule].union(*(below(child) for child in children[rule]))

    return {rule: below(rule) for rule in children}


def planned(output: str) -> set[str]:
    """The rules of a dry run's job table."""
    return set(re.findall(r"^(\w+) +\d+$", output, re.M)) - {"total"}


def test_every_artifact_of_the_rules_is_there_after_a_run(finished: Path) -> None:
    missing = [path for path in ARTIFACTS if not (finished / "results/exp" / path).is_file()]
    assert len(ARTIFACTS) >= 35
    assert not missing


def test_a_second_run_has_nothing_to_do(finished: Path) -> None:
    done = snakemake(finished, RESULTS)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in done.stdout
    command = [str(BIN / "loramake"), "run", "--name", "exp"]
    again = subprocess.run(command, cwd=finished, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr == "loramake: nothing to do: every result is up to date.\n"


@pytest.mark.parametrize("artifact", ARTIFACTS)
def test_a_deleted_artifact_is_planned_with_what_depends_on_it_and_nothing_upstream(
    artifact: str, finished: Path, descendants: dict[str, set[str]]
) -> None:
    path = finished / "results/exp" / artifact
    hidden = path.with_name(path.name + ".hidden")
    path.rename(hidden)
    try:
        done = snakemake(finished, "--dry-run", RESULTS)
    finally:
        hidden.rename(path)
    assert done.returncode == 0, done.stdout
    rule = ARTIFACTS[artifact]
    assert planned(done.stdout) == {rule} | descendants[rule]


@pytest.mark.parametrize("artifact", ["adapter/adapter_model.safetensors", "evaluation/metrics.json"])
def test_a_deleted_artifact_is_rebuilt_for_real(artifact: str, copy_of_finished: Callable[[], Path]) -> None:
    folder = copy_of_finished()
    path = folder / "results/exp" / artifact
    before = path.read_bytes()
    path.unlink()
    done = snakemake(folder, RESULTS)
    assert done.returncode == 0, done.stdout
    assert path.is_file()
    steps = [(int(number), int(of)) for number, of in re.findall(r"^✓ +(\d+)/(\d+) ", done.stdout, re.M)]
    assert steps == [(number, len(steps)) for number in range(1, len(steps) + 1)]
    estimate = rf"^loramake: {len(steps)} steps, about [\d:]+ \(as in this experiment's last run\)\.$"
    assert re.search(estimate, done.stdout, re.M)
    assert not any(line in done.stdout for line in ("Finished jobid", "Job stats", "Select jobs", "% done"))
    if artifact != "adapter/adapter_model.safetensors":  # float sums of two threads need not repeat to the bit
        assert path.read_bytes() == before
    snakemake(folder, RESULTS)
    assert "Nothing to be done" in snakemake(folder, RESULTS).stdout
