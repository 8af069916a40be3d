"""`loramake doctor`, as a command."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from loramake.workflow.doctor import Finding, _gpu, exit_code
from tests.conftest import BIN
from tests.endpoint import serve

KEY = "sk-canary-5d2a81"


def doctor(folder: Path, config: dict[str, Any] | None = None, **environment: str) -> dict[str, Any]:
    if config is not None:
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI", "agent_", "auth_"))}
    done = subprocess.run(
        [str(BIN / "loramake"), "doctor", "--json"],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert KEY not in done.stdout + done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    assert said["exit_code"] == done.returncode
    return {finding["what"]: finding for finding in said["findings"]} | {"code": done.returncode}


def test_a_machine_is_described_line_by_line(tmp_path: Path) -> None:
    findings = doctor(tmp_path)
    assert findings["Python"]["severity"] == findings["packages of the workflow"]["severity"] == "ok"
    assert "built-in agent needs none" in findings["endpoint"]["detail"]
    assert {"sandbox", "GPU", "memory", "disk", "SLURM", "llamafactory-cli"} <= set(findings)
    assert findings["code"] in (0, 1)


@pytest.mark.parametrize(
    ("refuses", "rung"),
    [((), "json_schema"), (("json_schema",), "json_object"), (("json_schema", "json_object"), "text")],
)
def test_an_endpoint_is_asked_how_strictly_it_answers(tmp_path: Path, refuses: tuple[str, ...], rung: str) -> None:
    with serve(refuses=refuses) as server:
        settings = {"agent": "openai", "agent_model": "thinker", "agent_api_base": server.url}
        findings = doctor(tmp_path, {"experiments": {"exp": settings}}, OPENAI_API_KEY=KEY)
    assert findings["endpoint"]["severity"] == "ok"
    assert f"127.0.0.1:{server.port} answers (thinker): {rung}" in findings["endpoint"]["detail"]


def test_an_endpoint_that_is_needed_and_does_not_answer_breaks_everything(tmp_path: Path) -> None:
    with serve(always=401, complaint=f"Incorrect API key provided: {KEY}") as server:
        config = {"agent": "openai", "agent_model": "thinker", "agent_api_base": server.url}
        findings = doctor(tmp_path, config, OPENAI_API_KEY=KEY)
    assert findings["endpoint"]["severity"] == "broken"
    assert "refuses the key" in findings["endpoint"]["detail"]
    assert findings["code"] == 2


def test_a_key_without_a_model_is_said_and_breaks_nothing(tmp_path: Path) -> None:
    findings = doctor(tmp_path, OPENAI_API_KEY=KEY)
    assert findings["endpoint"]["severity"] == "missing"
    assert "set agent_model" in findings["endpoint"]["detail"]
    assert findings["code"] == 1


def test_what_is_optional_costs_no_exit_code() -> None:
    def code(*severities: str) -> int:
        return exit_code([Finding("it", severity, "") for severity in severities])

    assert [code("ok", "optional"), code("ok", "missing"), code("missing", "broken")] == [0, 1, 2]
    assert _gpu().severity in ("ok", "optional")
