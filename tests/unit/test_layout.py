"""What is written down once agrees with the rules and the schemas, which spell it out themselves."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from loramake import layout
from loramake.agents.complaints import BALANCED
from loramake.artifacts import load_schema
from loramake.config import REVIEWS, STRATEGIES
from loramake.layout import ARTIFACTS, DECISIONS, FILES, approval_name
from loramake.report import report, results
from loramake.trust import requirements
from tests.conftest import ROOT

PATHS = [file.path for file in FILES.values()]
_OUTPUTS = re.compile(r"^    output:\n((?: {8}.*\n)+)", re.MULTILINE)
_PATH = re.compile(r'"results/\{experiment\}/([^"]+)"')


def outputs_of_rules() -> list[str]:
    """The outputs of all rules below results/{experiment}, as the rules spell them."""
    rules = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.smk")))
    return [path for block in _OUTPUTS.findall(rules) for path in _PATH.findall(block)]


def literals(source: str) -> Iterator[str]:
    """The texts of a module but its docstrings, those between the braces of f-strings too."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


def paths_in(source: str) -> list[str]:
    """The artifacts whose path stands in a module, by itself or behind a folder."""
    texts = list(literals(source))
    forms = {path: re.compile(rf"(?<![\w.-])(?<!feedback/){re.escape(path)}(?!\.?\w)") for path in PATHS}
    return [path for path, form in forms.items() if any(map(form.search, texts))]


def test_the_table_has_exactly_the_outputs_of_all_rules() -> None:
    assert sorted(PATHS) == sorted(outputs_of_rules())


def test_what_is_json_or_yaml_has_a_schema_and_nothing_else_has() -> None:
    with_schema = {file.path for file in ARTIFACTS.values()}
    assert with_schema == {path for path in outputs_of_rules() if Path(path).suffix in (".json", ".jsonl", ".yaml")}


@pytest.mark.parametrize("path", sorted((ROOT / "loramake").rglob("*.py")), ids=lambda path: path.stem)
def test_no_other_module_spells_the_path_of_an_artifact(path: Path) -> None:
    if path != Path(layout.__file__):
        assert paths_in(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("read('task.json')", "task.json"),
        ("raise Error(f'{folder}/trust/risk.json is old')", "trust/risk.json"),
        ("open('results/exp1/plan.yaml')", "plan.yaml"),
    ],
)
def test_a_path_that_a_module_spells_is_found(source: str, path: str) -> None:
    assert paths_in(source) == [path]


@pytest.mark.parametrize("words", [report.FILES, results.TRUST, requirements.FILES])
def test_whoever_goes_by_words_goes_by_those_of_the_table(words: tuple[str, ...]) -> None:
    assert isinstance(words, tuple)
    assert set(words) <= set(FILES)


def test_the_strategies_and_reviews_are_those_of_the_schemas() -> None:
    assert {"auto", *STRATEGIES} == set(load_schema("config")["properties"]["balance"]["enum"])
    assert set(STRATEGIES) == set(BALANCED)
    review = load_schema("review")["properties"]
    assert set(REVIEWS) == set(review["review"]["enum"]) == set(DECISIONS)
    assert set(STRATEGIES) == set(review["balance"]["enum"])


def test_each_review_is_approved_in_a_file_of_its_own() -> None:
    assert len({approval_name(review) for review in REVIEWS}) == len(REVIEWS)
