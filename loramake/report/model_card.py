"""model_card.md: what anyone who receives the adapter should know, in the format that model hubs read."""

from collections.abc import Mapping
from typing import Any

import yaml

from loramake.rendering import render


def render_model_card(facts: Mapping[str, Any]) -> str:
    """The text of model_card.md, from the same facts as the page: `report.gather_facts`."""
    front = yaml.safe_dump(front_matter(facts), allow_unicode=True, sort_keys=False)
    return render("render_report/model_card.md.j2", front_matter=front, **facts).lstrip()


def front_matter(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The keys that Hugging Face's hub reads (huggingface.co/docs/hub/model-cards)."""
    return {
        "base_model": facts["train_config"]["model_name_or_path"],
        "library_name": "peft",
        "pipeline_tag": "tabular-classification",
        "tags": ["loramake", "lora", "tabular", facts["task"]["task_type"]],
    }
