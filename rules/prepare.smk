rule select_features:
    input:
        csv=get_csv,
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        splits="results/{experiment}/splits.csv",
    output:
        selected="results/{experiment}/feature_selection/selected_features.json",
        rankings="results/{experiment}/feature_selection/feature_rankings.csv",
        plot="results/{experiment}/feature_selection/feature_rankings.svg",
    log:
        "results/{experiment}/logs/select_features.log",
    benchmark:
        "results/{experiment}/benchmarks/select_features.tsv"
    threads: 2
    params:
        max_features=get_setting("max_features"),
        seed=get_setting("seed"),
    script:
        "../scripts/prepare/select_features.py"


rule plan_preparation:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        selected="results/{experiment}/feature_selection/selected_features.json",
        card=get_model_card,
        feedback=get_feedback("plan"),
        prompts=get_prompts("plan_preparation"),
    output:
        plan="results/{experiment}/plan.yaml",
    log:
        "results/{experiment}/logs/plan_preparation.log",
    benchmark:
        "results/{experiment}/benchmarks/plan_preparation.tsv"
    params:
        model=get_setting("model"),
        agent=get_slice(*AGENT_KEYS),
    script:
        "../scripts/prepare/plan_preparation.py"


rule write_prep_code:
    input:
        plan="results/{experiment}/plan.yaml",
        profile="results/{experiment}/profile.json",
        templates=[
            f"{TEMPLATES}/write_prep_code.j2",
            f"{TEMPLATES}/builtin/write_prep_code.j2",
        ],
        prompts=get_prompts("write_prep_code", "mend_code"),
        csv=get_csv,
        test_csv=get_test_csv,
        splits="results/{experiment}/splits.csv",
    output:
        script="results/{experiment}/scripts/prepare_data.py",
    log:
        "results/{experiment}/logs/write_prep_code.log",
    benchmark:
        "results/{experiment}/benchmarks/write_prep_code.tsv"
    params:
        sandbox=get_setting("sandbox"),
        agent=get_slice(*AGENT_KEYS),
    script:
        "../scripts/prepare/write_prep_code.py"


rule execute_prep_code:
    input:
        script="results/{experiment}/scripts/prepare_data.py",
        plan="results/{experiment}/plan.yaml",
        csv=get_csv,
        test_csv=get_test_csv,
        splits="results/{experiment}/splits.csv",
    output:
        all_data="results/{experiment}/data/all_data.json",
        state="results/{experiment}/data/prep_state.json",
    log:
        "results/{experiment}/logs/execute_prep_code.log",
    benchmark:
        "results/{experiment}/benchmarks/execute_prep_code.tsv"
    params:
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
        csv=get_csv,
        test_csv=get_test_csv,
        model=get_model_files,
        prompts=get_prompts("verify_prepared_data"),
    output:
        verification="results/{experiment}/data/verification.json",
    log:
        "results/{experiment}/logs/verify_prepared_data.log",
    benchmark:
        "results/{experiment}/benchmarks/verify_prepared_data.tsv"
    params:
        encoder=get_slice("model", "template", "trust_remote_code", feedback="config"),
        cutoff_len=get_setting("cutoff_len"),
        agent=get_slice(*AGENT_KEYS),
        sandbox=get_setting("sandbox"),
    script:
        "../scripts/prepare/verify_prepared_data.py"
