import json
import os
from pathlib import Path

import pytest
import yaml

from loramake import artifacts
from loramake.errors import ArtifactError
from tests.conftest import ROOT

SCHEMAS = sorted((ROOT / "schemas").rglob("*.schema.yaml"))
REVIEW = {"review": "data", "decision": "approve", "by": "person", "balance": "none", "reviewed": {}}


def word_of(path: Path) -> str:
    """What a schema is called: its file below the folder of its stage."""
    stage, *rest = path.relative_to(ROOT / "schemas").parts
    return "/".join(rest or [stage]).removesuffix(".schema.yaml")


@pytest.mark.parametrize("name", ["review.json", "review.yaml"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    artifacts.write(tmp_path / name, REVIEW, "review")
    assert artifacts.read(tmp_path / name, "review") == REVIEW


def test_what_breaks_its_schema_is_not_written_and_the_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    path.write_text("the old one", encoding="utf-8")
    with pytest.raises(
        ArtifactError, match=r"review.json: by: 'nobody' is not one of .*schemas/review/review.schema.yaml"
    ):
        artifacts.write(path, {**REVIEW, "by": "nobody"}, "review")
    assert path.read_text(encoding="utf-8") == "the old one"


@pytest.mark.parametrize("name", ["review.json", "review.yaml"])
def test_what_breaks_its_schema_is_not_read_either(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(json.dumps({**REVIEW, "by": "nobody"}), encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"by: 'nobody' is not one of .*: delete it and run the same command again"):
        artifacts.read(path, "review")


def test_a_failure_while_writing_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("old", encoding="utf-8")

    def write_half() -> None:
        with artifacts.atomic(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["a.json"]  # noqa: PTH208


@pytest.mark.parametrize("content", ["{", "", "\x80"])
def test_a_truncated_artifact_is_named_with_the_way_on(tmp_path: Path, content: str) -> None:
    path = tmp_path / "review.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(ArtifactError, match=r"review.json cannot be read .* delete it and run the same command again"):
        artifacts.read(path, "review")


def test_an_absent_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"review.json does not exist: snakemake --cores 2 .*review.json makes it"):
        artifacts.read(tmp_path / "review.json", "review")


def test_every_schema_is_a_schema_with_a_title_and_a_description() -> None:
    assert len(SCHEMAS) >= 16
    for path in SCHEMAS:
        schema = yaml.safe_load(path.read_text(encoding="utf-8"))
        artifacts.jsonschema.Draft202012Validator.check_schema(schema)
        assert schema["title"], path
        assert schema["description"], path


def test_a_value_that_json_cannot_hold_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"review\.json: by: "):
        artifacts.write(tmp_path / "review.json", {**REVIEW, "by": Path("me")}, "review")


def test_an_artifact_of_many_numbers_can_be_one_line(tmp_path: Path) -> None:
    path = tmp_path / "review.json"
    artifacts.write(path, REVIEW, "review", indent=None)
    assert path.read_text(encoding="utf-8").count("\n") == 1
    assert artifacts.read(path, "review") == REVIEW


@pytest.mark.parametrize("schema", list(map(word_of, SCHEMAS)))
def test_both_validators_take_every_schema_and_agree_that_a_number_is_no_artifact(schema: str) -> None:
    with pytest.raises(ArtifactError):
        artifacts.validate(3.5, schema, "here")
