rule profile_csv:
    input:
        csv=get_csv,
        test_csv=get_test_csv,
    output:
        profile="results/{experiment}/profile.json",
    log:
        "results/{experiment}/logs/profile_csv.log",
    benchmark:
        "results/{experiment}/benchmarks/profile_csv.tsv"
    script:
        "../scripts/explore/profile_csv.py"


rule explore_data:
    input:
        csv=get_csv,
        test_csv=get_test_csv,
        profile="results/{experiment}/profile.json",
        feedback=get_feedback("explore"),
        prompts=get_prompts("explore_data"),
    output:
        task="results/{experiment}/task.json",
    log:
        "results/{experiment}/logs/explore_data.log",
    benchmark:
        "results/{experiment}/benchmarks/explore_data.tsv"
    params:
        settings=get_slice(
            "target",
            "group_column",
            "time_column",
            "rare_labels",
            feedback="explore",
        ),
        agent=get_slice(*AGENT_KEYS),
    script:
        "../scripts/explore/explore_data.py"


rule assign_splits:
    input:
        csv=get_csv,
        test_csv=get_test_csv,
        task="results/{experiment}/task.json",
        feedback=get_feedback("splits"),
    output:
        splits="results/{experiment}/splits.csv",
        summary="results/{experiment}/splits.json",
    log:
        "results/{experiment}/logs/assign_splits.log",
    benchmark:
        "results/{experiment}/benchmarks/assign_splits.tsv"
    params:
        ratios=get_slice(
            "validation_ratio", "calibration_ratio", "test_ratio", feedback="splits"
        ),
        seed=get_setting("seed"),
    script:
        "../scripts/explore/assign_splits.py"
