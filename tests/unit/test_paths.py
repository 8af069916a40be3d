"""A base that comes with loramake has a name, wherever it is installed and wherever it is used."""

import shutil
from pathlib import Path

import pytest

from loramake.config import resolve
from loramake.paths import MODELS, locate_model, name_model


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_built_in_base_is_found_by_its_name_from_any_folder() -> None:
    assert locate_model("models/tiny") == str(MODELS / "tiny")


@pytest.mark.parametrize("model", ["owner/tiny", "models/none", "models/../models/tiny", "tiny", "my/models/tiny"])
def test_any_other_name_stays_as_it_is(model: str) -> None:
    assert locate_model(model) == model


def test_a_folder_of_that_name_here_comes_first() -> None:
    shutil.copytree(MODELS / "tiny", "models/tiny")
    assert locate_model("models/tiny") == "models/tiny"
    assert name_model(str(MODELS / "tiny")) == str(MODELS / "tiny")  # its name would mean the other one


@pytest.mark.parametrize("model", ["models/tiny", str(MODELS / "tiny")])
def test_no_setting_says_where_loramake_is_installed(model: str) -> None:
    settings = resolve({"csv": "x.csv", "model": model}, "exp")
    assert settings["model"] == "models/tiny"
    assert settings["lora_rank"] == 16  # the base's card is read from where it lies
