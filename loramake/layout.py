"""Where each artifact lies below results/{experiment}, by one word for it; rules spell their paths out themselves.

The word is the name of the artifact's schema where one artifact alone has that schema.
"""

PATHS = {
    "profile": "profile.json",
    "task": "task.json",
    "splits": "splits.csv",
    "plan": "plan.yaml",
    "prep_script": "scripts/prepare_data.py",
    "all_data": "data/all_data.json",
    "prep_state": "data/prep_state.json",
    "verification": "data/verification.json",
    "train": "data/train.json",
    "balance_script": "scripts/balance_data.py",
    "balanced": "data/balanced_data.json",
    "train_config": "configs/train.yaml",
    "predict_train_config": "configs/predict_train.yaml",
    "predict_test_config": "configs/predict_test.yaml",
    "dataset_info": "data/dataset_info.json",
    "adapter_config": "adapter/adapter_config.json",
    "adapter": "adapter/adapter_model.safetensors",
    "test_predictions": "predictions/test.jsonl",
    "metrics": "evaluation/metrics.json",
    "calibrator": "trust/calibrator.json",
    "held_out": "trust/held_out.jsonl",
    "calibration_measures": "trust/calibration_measures.json",
    "conformal": "trust/conformal.json",
    "risk": "trust/risk.json",
    "costs": "trust/costs.json",
    "audit": "trust/audit.json",
    "results": "evaluation/results.json",
}


def review_path(review: str) -> str:
    """Where the decision of a review lies."""
    return f"review/{review}.json"


def approval_name(review: str) -> str:
    """The file of feedback/ in which a person approves what a review asks about, outside of a run."""
    return f"approve_{review}.yaml"
