rule profile_csv:
    output:
        profile="results/{experiment}/profile.json",
    log:
        "results/{experiment}/logs/profile_csv.log",
    benchmark:
        "results/{experiment}/benchmarks/profile_csv.tsv"
    params:
        version=get_version("profile_csv"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        settings=get_slice("column_types", "missing_values", feedback="explore"),
    script:
        "../scripts/explore/profile_csv.py"


rule explore_data:
    input:
        profile="results/{experiment}/profile.json",
    output:
        task="results/{experiment}/task.json",
    log:
        "results/{experiment}/logs/explore_data.log",
    benchmark:
        "results/{experiment}/benchmarks/explore_data.tsv"
    params:
        version=get_version("explore_data"),
        csv=get_csv,
        test_csv=get_test_csv,
        feedback=get_feedback("explore"),
        tables=get_tables_hash,
        feedback_hash=get_feedback_hash("explore"),
        prompts=get_prompts_hash("explore_data"),
        settings=get_slice(
            "target",
            "group_column",
            "time_column",
            "rare_labels",
            "merge_labels",
            feedback="explore",
        ),
        agent=get_slice(*AGENT_KEYS),
    script:
        "../scripts/explore/explore_data.py"


rule assign_splits:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
    output:
        splits="results/{experiment}/splits.csv",
        summary="results/{experiment}/splits.json",
    log:
        "results/{experiment}/logs/assign_splits.log",
    benchmark:
        "results/{experiment}/benchmarks/assign_splits.tsv"
    params:
        version=get_version("assign_splits"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        feedback=get_feedback("splits"),
        feedback_hash=get_feedback_hash("splits"),
        ratios=get_slice(
            "validation_ratio", "calibration_ratio", "test_ratio", feedback="splits"
        ),
        seed=get_setting("seed"),
    script:
        "../scripts/explore/assign_splits.py"


rule find_unusable_columns:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        splits="results/{experiment}/splits.csv",
    output:
        unusable="results/{experiment}/unusable_columns.json",
    log:
        "results/{experiment}/logs/find_unusable_columns.log",
    benchmark:
        "results/{experiment}/benchmarks/find_unusable_columns.tsv"
    params:
        version=get_version("find_unusable_columns"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        settings=get_slice("column_types", feedback="explore"),
    script:
        "../scripts/explore/find_unusable_columns.py"
