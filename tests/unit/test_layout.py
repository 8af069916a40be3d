"""What is written down once agrees with the rules and the schemas, which spell it out themselves."""

import pytest

from loramake.agents.complaints import BALANCED
from loramake.artifacts import load_schema
from loramake.config import REVIEWS, STRATEGIES
from loramake.layout import PATHS, approval_name, review_path
from tests.conftest import ROOT

RULES = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "rules").glob("*.smk")))


@pytest.mark.parametrize("path", [*PATHS.values(), *map(review_path, REVIEWS)])
def test_every_path_is_one_of_the_rules(path: str) -> None:
    assert f'"results/{{experiment}}/{path}"' in RULES


def test_no_two_artifacts_lie_at_one_path() -> None:
    assert len(set(PATHS.values())) == len(PATHS)


def test_the_strategies_and_reviews_are_those_of_the_schemas() -> None:
    assert {"auto", *STRATEGIES} == set(load_schema("config")["properties"]["balance"]["enum"])
    assert set(STRATEGIES) == set(BALANCED)
    review = load_schema("review")["properties"]
    assert set(REVIEWS) == set(review["review"]["enum"])
    assert set(STRATEGIES) == set(review["balance"]["enum"])


def test_each_review_is_approved_in_a_file_of_its_own() -> None:
    assert len({approval_name(review) for review in REVIEWS}) == len(REVIEWS)
