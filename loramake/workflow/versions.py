"""The version of each rule's work: the only part of loramake's own code that makes a rule run again.

Neither the text nor the time of a script or a library function matters, so an upgrade, a comment or another install
path retrains nothing. Raise a rule's version, and say so in CHANGELOG.md, if the same inputs and settings would now
give another result, or if the old result must no longer be used. Reviews have none: approvals are identified by
content.
"""

MEANINGS = {
    "profile_csv": 3,
    "explore_data": 2,
    "assign_splits": 2,
    "find_unusable_columns": 1,
    "select_features": 2,
    "plot_feature_rankings": 2,
    "plan_preparation": 2,
    "write_prep_code": 2,
    "execute_prep_code": 2,
    "verify_prepared_data": 1,
    "split_data": 1,
    "write_balance_code": 1,
    "execute_balance_code": 2,
    "generate_lmf_config": 1,
    "run_finetuning": 1,
    "run_prediction": 2,
    "fit_baselines": 2,
    "run_evaluation": 2,
    "plot_evaluation": 2,
    "calibrate_probabilities": 2,
    "evaluate_calibration": 2,
    "plot_reliability": 2,
    "fit_conformal": 1,
    "plot_conformal": 2,
    "control_risk": 2,
    "plot_risk_coverage": 2,
    "decide_by_cost": 2,
    "audit_groups": 2,
    "plot_audit": 2,
    "find_label_noise": 2,
    "measure_robustness": 2,
    "plot_importance": 2,
    "render_report": 1,
    "summarize_results": 1,
}
"""rule → version."""


def version_of(rule: str, version: int | None = None) -> str:
    """The version as a parameter, distinct from all others: Snakemake compares parameters without their names."""
    return f"{rule}, version {MEANINGS[rule] if version is None else version}"
