"""Generated code that is after the labels: each way to them works where they are, and none where the code runs."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from loramake import artifacts
from loramake.errors import CodeError
from loramake.prepare.checks import check_behaviour
from loramake.prepare.code import render_script
from support.experiment import Experiment

LABELS = ("secret-ill", "secret-well")
ROWS = 240

_HEAD = """
import gc, os, sys, time


def words(value):
    return "secret-" in repr(value)[:1_000_000] or (isinstance(value, pd.DataFrame) and words(value.to_dict("list")))


def is_in_file(path):
    try:
        with open(path, "rb") as file:
            return b"secret-" in file.read(1_000_000)
    except OSError:
        return False

"""
_TAIL = """

def fit(train):
    return {"seen": bool(search(train))}


def transform(rows, state):
    seen = " secret" * bool(state["seen"] or search(rows))
    texts = [f"a {rows.at[row, FEATURES[0]]}{seen}" for row in rows.index]
    return [{"instruction": INSTRUCTION, "input": text, "row": row} for row, text in enumerate(texts)]

"""
ROUTES = {
    "the rows themselves": """
def search(rows):
    return words(rows)
""",
    "the frames below": """
def search(rows):
    frame = sys._getframe(1)
    while frame is not None:
        if any(words(value) for value in frame.f_locals.values() if value is not search):
            return True
        frame = frame.f_back
    return False
""",
    "every object in memory": """
def search(rows):
    return any(words(value) for value in gc.get_objects() if isinstance(value, pd.DataFrame))
""",
    "the module's globals": """
def search(rows):
    names = {"search", "words", "fit", "transform", "is_in_file"}
    return any(words(value) for name, value in list(globals().items()) if name not in names)
""",
    "files": """
def search(rows):
    inputs = os.path.dirname(sys.argv[sys.argv.index("--csv") + 1])
    places = [inputs, os.getcwd(), "/tmp", "/var", "/home"]
    files = [os.path.join(folder, name) for place in places for folder, _, names in os.walk(place) for name in names]
    own = (os.path.abspath(__file__), sys.prefix)
    return any(is_in_file(path) for path in files if not path.startswith(own))
""",
    "the environment and command lines": """
def search(rows):
    own = [f"/proc/{name}/{what}" for name in os.listdir("/proc") if name.isdigit() for what in ("environ", "cmdline")]
    return words(dict(os.environ)) or words(sys.argv) or any(map(is_in_file, own))
""",
}


def write_table(folder: Path) -> pd.DataFrame:
    """Rows sorted by their label, which follows from no feature."""
    rows = [
        (str(i * 7919 % 1000 - 500), "red" if i * 31 % 7 < 3 else "blue", LABELS[i >= ROWS // 2]) for i in range(ROWS)
    ]
    table = pd.DataFrame(rows, columns=["a", "b", "outcome"])
    table.to_csv(folder / "t.csv", index=False)
    return table


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    write_table(tmp_path)
    return Experiment(tmp_path, tmp_path / "t.csv")


def replace_functions(experiment: Experiment, functions: str) -> None:
    """What an agent, or a person who edits the script, writes in place of fit and transform."""
    script = render_script(artifacts.read(experiment.plan, "plan"), functions)
    experiment.script.write_text(script, encoding="utf-8")


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_leads_to_a_label(experiment: Experiment, route: str) -> None:
    replace_functions(experiment, _HEAD + ROUTES[route] + _TAIL)
    inputs = [record["input"] for record in experiment.execute()]
    assert len(inputs) == ROWS
    assert not [text for text in inputs if "secret" in text]
    assert artifacts.read(experiment.state, "prep_state") == {"seen": False}


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_works_where_labels_are_among_the_rows(
    experiment: Experiment, route: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("loramake.prepare.execution.feature_names", lambda plan: ["a", "b", "outcome"])
    kept = "    globals()['KEPT'], os.environ['KEPT'] = rows, str(rows.values)"  # where nothing else would put them
    search = ROUTES[route].replace("def search(rows):", f"def search(rows):\n{kept}")
    replace_functions(experiment, _HEAD + search + _TAIL)
    assert all("secret" in record["input"] for record in experiment.execute())


_BY_NUMBER = """
def fit(train):
    return {"order": list(train["a"]), "numbers": [int(row) for row in train.index]}


def transform(rows, state):
    return [{"instruction": INSTRUCTION, "input": f"{row}", "row": int(row)} for row in rows.index]

"""


def area(numbers: "pd.Series[Any]", labels: "pd.Series[Any]") -> float:
    """ROC-AUC of numbers as scores of a label, whichever way round."""
    value = roc_auc_score(labels == LABELS[1], numbers.astype(float))
    return max(value, 1 - value)


def test_neither_numbers_nor_the_order_of_rows_tell_what_the_table_was_sorted_by(experiment: Experiment) -> None:
    replace_functions(experiment, _BY_NUMBER)
    records = pd.DataFrame(experiment.execute()).set_index("row")
    table = pd.read_csv(experiment.csv, dtype=str)
    truth = table["outcome"][records.index]
    assert area(pd.Series(records.index, index=records.index), truth) == 1  # the table is sorted
    assert area(records["input"], truth) < 0.6
    state = artifacts.read(experiment.state, "prep_state")
    known = table.drop_duplicates("a").set_index("a")["outcome"]
    assert state["numbers"] == list(range(len(state["order"])))
    assert area(pd.Series(state["numbers"]), pd.Series([known[cell] for cell in state["order"]])) < 0.6
    failed = [check.name for check in check_behaviour(experiment.prepared()) if not check.passed]
    assert failed == ["a row's prompt is the same whichever rows are beside it"]


def test_a_prompt_that_follows_from_the_time_fails_a_check(experiment: Experiment) -> None:
    by_time = _BY_NUMBER.replace("{row}", "{pd.Timestamp.now().value}")
    replace_functions(experiment, by_time)
    experiment.execute()
    failed = [check.name for check in check_behaviour(experiment.prepared()) if not check.passed]
    assert failed == ["a row's prompt is the same whichever rows are beside it"]


_BY_TURN = """
def fit(train):
    return {"known": sorted(set(train["a"]))}


def transform(rows, state):
    records, seen = [], {}
    for row in rows.index:
        cells = "|".join(map(str, rows.loc[row]))
        seen[cells] = seen.get(cells, 0) + 1
        mark = " late" * (seen[cells] > 3 and rows.at[row, "a"] not in state["known"])
        records.append({"instruction": INSTRUCTION, "input": cells + mark, "row": int(row)})
    return records

"""


def test_equal_rows_have_equal_prompts_whatever_the_code_does(tmp_path: Path) -> None:
    write_table(tmp_path)
    test = [("new", "red", LABELS[i >= 3]) for i in range(6)]  # sorted by label, and seen in no training
    pd.DataFrame(test, columns=["a", "b", "outcome"]).to_csv(tmp_path / "test.csv", index=False)
    experiment = Experiment(tmp_path, tmp_path / "t.csv", test_csv=tmp_path / "test.csv")
    replace_functions(experiment, _BY_TURN)
    inputs = [record["input"] for record in experiment.execute() if record["source"] == "test_csv"]
    assert inputs == ["new|red"] * 6


def test_rows_of_a_test_table_are_checked_too(tmp_path: Path) -> None:
    table = write_table(tmp_path)
    table.assign(a=table["a"] + ".5").to_csv(tmp_path / "test.csv", index=False)
    experiment = Experiment(tmp_path, tmp_path / "t.csv", test_csv=tmp_path / "test.csv")
    replace_functions(experiment, _BY_TURN.replace("seen[cells] > 3", "len(rows) > 150"))  # unlike where few are seen
    experiment.execute()
    failed = [check.name for check in check_behaviour(experiment.prepared()) if not check.passed]
    assert failed == ["a row's prompt is the same whichever rows are beside it"]


_MEMORY = """
def fit(train):
    return {"rows": [list(row) for row in train.itertuples(index=False)] * TIMES}


def transform(rows, state):
    known = {row[0]: row for row in state["rows"]}
    return [
        {"instruction": INSTRUCTION, "input": f"{rows.at[row, 'a']} {known.get(rows.at[row, 'a'])}", "row": int(row)}
        for row in rows.index
    ]

"""


def test_memorised_rows_hold_no_label_and_many_do_not_fit_into_the_state(experiment: Experiment) -> None:
    replace_functions(experiment, _MEMORY.replace("TIMES", "1"))
    assert not [record for record in experiment.execute() if "secret" in record["input"]]
    assert "secret" not in experiment.state.read_text(encoding="utf-8")
    replace_functions(experiment, _MEMORY.replace("TIMES", "1000"))
    remembers = r"the state of fit has [\d,]+ bytes, more than the 1,056,768 .*: keep summaries"
    with pytest.raises(CodeError, match=remembers):
        experiment.execute()
    experiment.state.write_text(json.dumps({"rows": ["x" * 100] * 20_000}), encoding="utf-8")  # not fitted here
    with pytest.raises(CodeError, match=remembers):
        experiment.transform(pd.DataFrame({"a": ["1"], "b": ["red"]}))


def test_the_rows_that_a_check_draws_follow_from_what_the_code_never_sees(experiment: Experiment) -> None:
    experiment.execute()
    prepared = experiment.prepared()
    transformed: list[list[str]] = []

    def spy(script: object, names: object, table: pd.DataFrame, *_: object) -> list[dict[str, Any]]:
        transformed.append(sorted(table["a"]))
        return [{"input": "", "row": row} for row in range(len(table))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("loramake.prepare.checks.transform_rows", spy)
        check_behaviour(prepared)
        check_behaviour(prepared)
        prepared.records[0]["output"] = LABELS[1]
        check_behaviour(prepared)
    assert transformed[0] == transformed[1] != transformed[2]


def test_a_plan_that_lets_the_target_in_is_refused(experiment: Experiment) -> None:
    plan = artifacts.read(experiment.plan, "plan")
    plan["features"].append({**plan["features"][0], "name": "outcome"})
    artifacts.write(experiment.plan, plan, "plan")
    experiment.execute()
    with pytest.raises(CodeError, match=r"target and dropped columns absent: 1 of 1 such columns .*: 'outcome'"):
        experiment.verify()


def test_records_whose_answers_were_changed_are_refused(experiment: Experiment) -> None:
    records = experiment.execute()
    records[3]["output"] = LABELS[records[3]["output"] == LABELS[0]]
    artifacts.write(experiment.all_data, records, "records")
    with pytest.raises(CodeError, match="outputs are the labels: 1 records whose output is not the label in the CSV"):
        experiment.verify()
