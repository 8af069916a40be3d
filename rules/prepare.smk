rule select_features:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        splits="results/{experiment}/splits.csv",
        unusable="results/{experiment}/unusable_columns.json",
    output:
        selected="results/{experiment}/feature_selection/selected_features.json",
        rankings="results/{experiment}/feature_selection/feature_rankings.csv",
    log:
        "results/{experiment}/logs/select_features.log",
    benchmark:
        "results/{experiment}/benchmarks/select_features.tsv"
    threads: 2
    params:
        version=get_version("select_features"),
        csv=get_csv,
        table=get_csv_hash,
        settings=get_slice("max_features", "seed"),
    script:
        "../scripts/prepare/select_features.py"


rule plot_feature_rankings:
    input:
        rankings="results/{experiment}/feature_selection/feature_rankings.csv",
    output:
        plot="results/{experiment}/feature_selection/feature_rankings.svg",
    log:
        "results/{experiment}/logs/plot_feature_rankings.log",
    params:
        version=get_version("plot_feature_rankings"),
    script:
        "../scripts/prepare/plot_feature_rankings.py"


rule plan_preparation:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        selected="results/{experiment}/feature_selection/selected_features.json",
    output:
        plan="results/{experiment}/plan.yaml",
    log:
        "results/{experiment}/logs/plan_preparation.log",
    benchmark:
        "results/{experiment}/benchmarks/plan_preparation.tsv"
    params:
        version=get_version("plan_preparation"),
        feedback=get_feedback("plan"),
        feedback_hash=get_feedback_hash("plan"),
        prompts=get_prompts_hash("plan_preparation"),
        card=get_model_card,
        model=get_setting("model"),
        agent=get_slice(*AGENT_KEYS),
    script:
        "../scripts/prepare/plan_preparation.py"


rule write_prep_code:
    input:
        plan="results/{experiment}/plan.yaml",
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        splits="results/{experiment}/splits.csv",
    output:
        script="results/{experiment}/scripts/prepare_data.py",
    log:
        "results/{experiment}/logs/write_prep_code.log",
    benchmark:
        "results/{experiment}/benchmarks/write_prep_code.tsv"
    params:
        version=get_version("write_prep_code"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        prompts=get_prompts_hash("write_prep_code", "fix_code"),
        templates=hash_templates(
            "write_prep_code.j2",
            "builtin/write_prep_code.j2",
        ),
        sandbox=get_setting("sandbox"),
        agent=get_slice(*AGENT_KEYS),
    script:
        "../scripts/prepare/write_prep_code.py"


rule execute_prep_code:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        script="results/{experiment}/scripts/prepare_data.py",
        plan="results/{experiment}/plan.yaml",
        splits="results/{experiment}/splits.csv",
    output:
        all_data="results/{experiment}/data/all_data.json",
        state="results/{experiment}/data/prep_state.json",
    log:
        "results/{experiment}/logs/execute_prep_code.log",
    benchmark:
        "results/{experiment}/benchmarks/execute_prep_code.tsv"
    params:
        version=get_version("execute_prep_code"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        sandbox=get_setting("sandbox"),
    script:
        "../scripts/prepare/execute_prep_code.py"


rule verify_prepared_data:
    input:
        all_data="results/{experiment}/data/all_data.json",
        state="results/{experiment}/data/prep_state.json",
        script="results/{experiment}/scripts/prepare_data.py",
        plan="results/{experiment}/plan.yaml",
        splits="results/{experiment}/splits.csv",
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
    output:
        verification="results/{experiment}/data/verification.json",
    log:
        "results/{experiment}/logs/verify_prepared_data.log",
    benchmark:
        "results/{experiment}/benchmarks/verify_prepared_data.tsv"
    params:
        version=get_version("verify_prepared_data"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        prompts=get_prompts_hash("verify_prepared_data"),
        model_hash=get_model_hash,
        encoder=get_slice("model", "template", "trust_remote_code", feedback="config"),
        cutoff_len=get_setting("cutoff_len"),
        agent=get_slice(*AGENT_KEYS),
        sandbox=get_setting("sandbox"),
    script:
        "../scripts/prepare/verify_prepared_data.py"
