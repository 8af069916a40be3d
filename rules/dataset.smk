rule split_data:
    input:
        all_data="results/{experiment}/data/all_data.json",
        splits="results/{experiment}/splits.csv",
        review="results/{experiment}/review/data.json",
    output:
        train="results/{experiment}/data/train.json",
        validation="results/{experiment}/data/validation.json",
        calibration="results/{experiment}/data/calibration.json",
        test="results/{experiment}/data/test.json",
    log:
        "results/{experiment}/logs/split_data.log",
    benchmark:
        "results/{experiment}/benchmarks/split_data.tsv"
    params:
        version=get_version("split_data"),
    script:
        "../scripts/dataset/split_data.py"


rule write_balance_code:
    input:
        review="results/{experiment}/review/data.json",
        train="results/{experiment}/data/train.json",
    output:
        script="results/{experiment}/scripts/balance_data.py",
    log:
        "results/{experiment}/logs/write_balance_code.log",
    benchmark:
        "results/{experiment}/benchmarks/write_balance_code.tsv"
    params:
        version=get_version("write_balance_code"),
        feedback_hash=get_feedback_hash("balance"),
        prompts=get_prompts_hash("write_balance_code", "fix_code"),
        templates=hash_templates(
            "write_balance_code.j2",
            "builtin/write_balance_code.j2",
        ),
        balance=get_balance_feedback,
        agent=get_slice(*AGENT_KEYS),
        sandbox=get_setting("sandbox"),
        seed=get_setting("seed"),
    script:
        "../scripts/dataset/write_balance_code.py"


rule execute_balance_code:
    input:
        script="results/{experiment}/scripts/balance_data.py",
        review="results/{experiment}/review/data.json",
        train="results/{experiment}/data/train.json",
    output:
        balanced="results/{experiment}/data/balanced_data.json",
        label_shift="results/{experiment}/data/label_shift.json",
    log:
        "results/{experiment}/logs/execute_balance_code.log",
    benchmark:
        "results/{experiment}/benchmarks/execute_balance_code.tsv"
    params:
        version=get_version("execute_balance_code"),
        feedback_hash=get_feedback_hash("balance"),
        balance=get_balance_feedback,
        seed=get_setting("seed"),
        sandbox=get_setting("sandbox"),
    script:
        "../scripts/dataset/execute_balance_code.py"
