"""Every bad input is refused in one sentence, with the real command, and costs nothing of what was made before."""

import gzip
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import BIN, ROOT, make_workplace, snakemake

RESULTS = "results/exp/evaluation/results.json"
PENGUINS = (ROOT / "data/penguins.csv").read_bytes()
HEADER, *ROWS = PENGUINS.decode().splitlines()


@pytest.fixture(scope="module")
def workplace(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bad") / "place"
    shutil.copytree(finished, folder, symlinks=True)
    return folder


@pytest.fixture
def restored(workplace: Path) -> Iterator[Path]:
    """The finished workplace, its table put back in place afterwards with the same time."""
    table = workplace / "penguins.csv"
    shutil.copy2(table, workplace / "kept")
    yield workplace
    table.rmdir() if table.is_dir() else table.unlink(missing_ok=True)
    (workplace / "kept").rename(table)


def lines(*rows: str) -> bytes:
    return "\n".join([HEADER, *rows, ""]).encode()


def table_of(**columns: object) -> bytes:
    return pd.DataFrame(columns).to_csv(index=False).encode()


def with_species(values: list[str | None]) -> bytes:
    table = pd.read_csv(ROOT / "data/penguins.csv").head(len(values))
    return table.assign(species=values).to_csv(index=False).encode()


def refuse(folder: Path, *arguments: str) -> str:
    """The sentence of a command that must fail, without a traceback and with every artifact as it was before."""
    results = folder / "results"
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file() and ".cache" not in path.parts}
    done = snakemake(folder, *([] if any("results/" in given for given in arguments) else [RESULTS]), *arguments)
    said = [line for line in done.stdout.splitlines() if line.startswith("loramake: ")]
    assert done.returncode != 0, done.stdout
    assert said, done.stdout
    assert "Traceback" not in done.stdout
    assert {path: path.read_bytes() if path.exists() else None for path in before} == before
    return said[-1]


BAD_TABLES: dict[str, tuple[bytes, str]] = {
    "empty file": (b"", "penguins.csv is empty: it needs a header line and rows"),
    "header only": (lines(), "penguins.csv has a header and no rows"),
    "one column": (b"species\n" + b"a\nb\n" * 20, "penguins.csv has one column (species)"),
    "one data row": (lines(ROWS[0]), "penguins.csv has one data row"),
    "duplicate names": (b"a,species,a\n1,x,2\n", "line 1: column 'a' appears more than once"),
    "blank name": (b"a,,species\n1,2,x\n", "line 1: column 2 has no name"),
    "ragged rows": (lines(*ROWS[:4], ROWS[4] + ",more", *ROWS[5:]), "line 6: 8 cells where the header has 7"),
    "unclosed quote": (lines(*ROWS[:4], '"' + ROWS[4], *ROWS[5:]), "line 6: a quote that opens in this row is never"),
    "binary file": (b"\x7fELF\x02\x01\x01\x00\x00", "line 1: byte 0x00 at 7 is NUL, so it is not a text file"),
    "NUL far down": (PENGUINS + b"A,B,1,2,3,4,\x00\n", "line 346: byte 0x00 at"),
    "wrong encoding": (PENGUINS + "Größe,ä,1,2,3,4,M".encode() + b"\xe9\n", "line 346: byte 0xe9 at 13,"),
    "no encoding": (b"a,species\n\x81\x8d,x\n", "line 2: byte 0x81 at 10 is neither UTF-8 nor Latin-1"),
    "UTF-16": (PENGUINS.decode().encode("utf-16"), "is text in UTF-16: save it as UTF-8"),
    "renamed xlsx": (b"PK\x03\x04" + PENGUINS, "is a zip file, not a table: unpack it"),
    "renamed parquet": (b"PAR1" + PENGUINS, "is a damaged Parquet file"),
    "cut off": (gzip.compress(PENGUINS)[:-9], "is a damaged gzip file"),
    "no header": ("\n".join(ROWS).encode(), "line 1 looks like data, not like the names of columns (Adelie, Torgersen"),
    "two lists": (b'{"species": ["a", "b"], "x": [1, 2]}', "line 1: column 1 contains a list: give it one text"),
    "target of one value": (with_species(["a"] * 60), "the target species has only the value 'a'"),
    "target all missing": (with_species([None] * 60), "the target species has no values"),
    "features constant": (
        table_of(species=["a", "b"] * 20, x=[1] * 40, y=[None] * 40),
        "every column besides the target species is constant or empty",
    ),
    "label seen once": (
        with_species(["a", "b"] * 30 + ["rare"]),
        "'rare' of the target species occur in only one row each",
    ),
    "few rows": (
        with_species(["a", "b"] * 4),
        "8 rows are too few for 2 labels of the target species: at least 5 per label",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_bad_table_is_refused_with_its_place_and_nothing_is_lost(restored: Path, name: str) -> None:
    content, sentence = BAD_TABLES[name]
    (restored / "penguins.csv").write_bytes(content)
    assert sentence in refuse(restored)


@pytest.mark.parametrize(("settings", "sentence"), [({}, "is empty"), ({"model": "bare"}, "no tokenizer")])
def test_a_bad_table_or_base_is_refused_before_the_first_job_of_a_new_project(
    settings: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    """The hashes of table and base are params: Snakemake computes those of all rules before it runs one."""
    folder = make_workplace(tmp_path, Path("penguins.csv"), **settings)
    (folder / "penguins.csv").write_bytes(PENGUINS if settings else b"")
    (folder / "bare").mkdir()
    shutil.copy(ROOT / "models/tiny/config.json", folder / "bare")
    done = snakemake(folder, "--until", "profile_csv", "--", RESULTS)
    assert done.returncode != 0
    assert sentence in done.stdout
    assert not (folder / "results/exp").exists()


def test_no_such_table_or_a_folder_in_its_place_is_refused(restored: Path) -> None:
    (restored / "penguins.csv").unlink()
    assert "penguins.csv does not exist: correct its path, on the command line or in config.yaml." in refuse(restored)
    (restored / "penguins.csv").mkdir()
    assert "penguins.csv is a folder: set csv to a file" in refuse(restored)


BAD_TESTS: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "without the target": (lambda test: test.drop(columns="species"), "lacks the target 'species'"),
    "other columns": (
        lambda test: test.rename(columns={"island": "isle"}).drop(columns="sex"),
        "lacks the column 'island' (did you mean isle?) and 1 more columns of penguins.csv",
    ),
    "unseen labels": (
        lambda test: test.assign(species=["Emperor", *test["species"][1:]]),
        "1 rows have labels that the CSV does not have ('Emperor'; first in row 2): write them as in the CSV (",
    ),
    "no label": (lambda test: test.assign(species=None), "no row has a value in the target species"),
    "no rows": (lambda test: test.head(0), "has a header and no rows"),
}


@pytest.mark.parametrize("name", BAD_TESTS)
def test_a_bad_test_table_is_refused(workplace: Path, name: str) -> None:
    change, sentence = BAD_TESTS[name]
    change(pd.read_csv(ROOT / "data/penguins.csv").head(30)).to_csv(workplace / "test.csv", index=False)
    assert sentence in refuse(workplace, "--config", "test_csv=test.csv")


def test_an_empty_test_table_is_refused(workplace: Path) -> None:
    (workplace / "test.csv").write_bytes(b"")
    assert "test.csv is empty" in refuse(workplace, "--config", "test_csv=test.csv")


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("target=spezies", "target: 'spezies' is not a column (did you mean species?)"),
        ("group_column=iland", "group_column: 'iland' is not a column (did you mean island?)"),
        ("time_column=sexx", "time_column: 'sexx' is not a column (did you mean sex?)"),
        ("learnig_rate=1", "learnig_rate is not a setting (did you mean learning_rate?)"),
        ("lora_rank=many", "lora_rank: 'many' is not a whole number of at least 1"),
        ("rare_labels=maybe", "rare_labels: 'maybe' is not one of error and drop"),
        ("test_ratio=0", "test_ratio: 0 is not a number above 0 and below 1"),
        ("test_ratio=1", "test_ratio: 1 is not a number above 0 and below 1"),
        ("calibration_ratio=0.8", "add up to 1, which leaves no row to train on"),
    ],
)
def test_a_bad_setting_is_refused(workplace: Path, setting: str, sentence: str) -> None:
    assert sentence in refuse(workplace, "--config", setting)


def test_a_group_and_a_time_column_at_once_are_refused(workplace: Path) -> None:
    assert "set only one of them" in refuse(workplace, "--config", "group_column=island", "time_column=body_mass_g")


@pytest.mark.parametrize("name", ["a/b", "..", "a/../b", "-x"])
def test_an_experiment_of_a_bad_name_is_refused(workplace: Path, name: str) -> None:
    assert "is not a valid name of an experiment" in refuse(workplace, "--", f"results/{name}/evaluation/results.json")


def test_a_bad_model_or_template_is_refused(workplace: Path) -> None:
    assert "model: models/tony does not exist (did you mean models/tiny?)" in refuse(
        workplace, "--config", "model=models/tony"
    )
    bare = workplace / "bare"
    bare.mkdir(exist_ok=True)
    shutil.copy(ROOT / "models/tiny/config.json", bare)
    assert "tokenizer" in refuse(workplace, "--config", "model=bare")
    assert "(did you mean qwen?)" in refuse(workplace, "--config", "template=qwenn")


BAD_FEEDBACK: dict[str, tuple[str, str, str]] = {
    "an unknown feature": ("plan", "drop: [sexx]", "plan.yaml: 'sexx' is not a feature (did you mean sex?)"),
    "an unknown feature to keep": ("plan", "only: [iland, sex]", "plan.yaml: 'iland' is not a feature"),
    "no list": ("plan", "drop: sex", "plan.yaml: drop: is 'sex', not a list of texts"),
    "no mapping": ("plan", "- sex", "plan.yaml is not a mapping of keys to values"),
    "no YAML": ("plan", "drop: [sex", "plan.yaml is not valid YAML (line 1: while parsing a flow sequence"),
    "an unknown key": ("config", "lora_rnk: 8", "lora_rnk is not feedback for this step (did you mean lora_rank?)"),
    "no such balancing": ("balance", "balance: both", "balance.yaml: balance: 'both' is not one of auto, none"),
    "no such scheduler": (
        "config",
        "lr_scheduler_type: cosin",
        "feedback/config.yaml: lr_scheduler_type: 'cosin' is not one of linear, cosine",
    ),
    "no row to train on": (
        "splits",
        "test_ratio: 0.99",
        "feedback/splits.yaml: calibration_ratio, validation_ratio, test_ratio add up to",
    ),
    "no such target": ("explore", "target: speces", "explore.yaml: penguins.csv: target: 'speces' is not a column"),
    "a group and a time": (
        "explore",
        "group_column: island\ntime_column: body_mass_g",
        "explore.yaml: group_column and time_column: a group may have rows on both sides",
    ),
    "no feature left": (
        "plan",
        "only: [sex]\ndrop: [sex]",
        "plan.yaml: no feature is left: drop fewer columns",
    ),
    "no such step": (
        "spilts",
        "test_ratio: 0.3",
        "spilts.yaml is not the feedback of any step (did you mean splits.yaml?)",
    ),
}


@pytest.mark.parametrize("name", BAD_FEEDBACK)
def test_bad_feedback_is_refused_in_one_sentence_before_anything_is_lost(workplace: Path, name: str) -> None:
    step, content, sentence = BAD_FEEDBACK[name]
    path = workplace / f"results/exp/feedback/{step}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{content}\n")
    try:
        assert sentence in refuse(workplace)
    finally:
        path.unlink()


def test_results_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file in the folder's place")
    shutil.copy(ROOT / "data/penguins.csv", tmp_path)
    done = snakemake(tmp_path, "--config", "csv=penguins.csv", "review=approve", "--", RESULTS)
    assert done.returncode != 0
    assert "loramake: results cannot be written" in done.stdout
    assert "Traceback" not in done.stdout
    assert (tmp_path / "results").is_file()


def test_a_good_table_is_looked_at_once(workplace: Path) -> None:
    snakemake(workplace, RESULTS, "--dry-run")
    before = sorted((workplace / "results/.cache/checked").iterdir())
    snakemake(workplace, RESULTS, "--dry-run")
    assert sorted((workplace / "results/.cache/checked").iterdir()) == before
    assert before


BAD_CONFIGS: dict[str, tuple[str | bytes, str]] = {
    "twice": ("review: ask\nreview: approve\n", "line 2: the key 'review' appears twice, first in line 1"),
    "an impossible date": ("test_ratio: 2024-02-30\n", "line 1: '2024-02-30' is not a timestamp: quote it"),
    "5,000 digits": (f"lora_rank: {'1' * 5_000}\n", "line 1: a number of 5,000 characters"),
    "no UTF-8": (b"csv: \xff\n", "line 1: it is not text in UTF-8"),
    "deep": (f"csv: {'[' * 500}{']' * 500}\n", "line 1: it is nested more than 64 levels deep"),
    "an old name": ("max_error: 0.05\n", "max_error is now called max_selective_error: rename it"),
    "a template of Python": ("__use_yte__: true\ncsv: ?open('ran', 'w').name\n", "__use_yte__ is not a setting"),
}


@pytest.mark.parametrize("name", BAD_CONFIGS)
def test_a_bad_config_file_is_refused_before_snakemake_reads_it(name: str, tmp_path: Path) -> None:
    content, sentence = BAD_CONFIGS[name]
    (tmp_path / "config.yaml").write_bytes(content if isinstance(content, bytes) else content.encode())
    said = refuse(tmp_path, "--dry-run")
    assert said.startswith("loramake: config.yaml")
    assert sentence in said
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".snakemake") == ["config.yaml"]


@pytest.mark.parametrize(
    ("name", "content", "arguments", "sentence"),
    [
        ("--config", "", ["--config", "limits={}"], "--config: limits is now called requirements: rename it"),
        (
            "feedback",
            "num_train_epochs: {least: 1, steps: 9}\n",
            [],
            "results/exp/feedback/config.yaml: num_train_epochs: least is now called min_epochs: rename it",
        ),
    ],
)
def test_an_old_name_is_refused_with_the_new_one_before_anything_is_made(
    tmp_path: Path, name: str, content: str, arguments: list[str], sentence: str
) -> None:
    folder = make_workplace(tmp_path / name, Path("penguins.csv"))
    shutil.copy(ROOT / "data/penguins.csv", folder)
    feedback = folder / "results/exp/feedback/config.yaml"
    if content:
        feedback.parent.mkdir(parents=True)
        feedback.write_text(content, encoding="utf-8")
    assert sentence in refuse(folder, "--dry-run", *arguments)
    assert not (folder / "results/exp/profile.json").exists()


def test_loramake_run_refuses_an_old_name_of_its_experiment(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("experiments: {exp: {csv: x.csv, confidence: 0.8}}\n", encoding="utf-8")
    command = [str(BIN / "loramake"), "run", "--name", "exp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    sentence = "config.yaml: experiments: exp: confidence is now called conformal_confidence: rename it."
    assert sentence in " ".join(done.stderr.split())
    assert not (tmp_path / "results").exists()
