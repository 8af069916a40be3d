rule review_prep_data:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        verification="results/{experiment}/data/verification.json",
        plan="results/{experiment}/plan.yaml",
        all_data="results/{experiment}/data/all_data.json",
        splits="results/{experiment}/splits.csv",
        script="results/{experiment}/scripts/prepare_data.py",
    output:
        review="results/{experiment}/review/data.json",
    log:
        "results/{experiment}/logs/review_prep_data.log",
    resources:
        terminal=1,
    params:
        mode=get_review_mode("data"),
        balance=get_setting("balance"),
        ratios=get_split_ratios,
        history=APPROVALS,
    script:
        "../scripts/review/review_prep_data.py"


rule review_balanced_data:
    input:
        plan="results/{experiment}/plan.yaml",
        train="results/{experiment}/data/train.json",
        balanced="results/{experiment}/data/balanced_data.json",
        script="results/{experiment}/scripts/balance_data.py",
    output:
        review="results/{experiment}/review/balance.json",
    log:
        "results/{experiment}/logs/review_balanced_data.log",
    resources:
        terminal=1,
    params:
        mode=get_review_mode("balance"),
        ratios=get_split_ratios,
        history=APPROVALS,
    script:
        "../scripts/review/review_balanced_data.py"


rule review_lmf_config:
    input:
        configs=[
            "results/{experiment}/configs/train.yaml",
            "results/{experiment}/configs/predict_train.yaml",
            "results/{experiment}/configs/predict_test.yaml",
            "results/{experiment}/data/dataset_info.json",
            "results/{experiment}/configs/processes.json",
        ],
        plan="results/{experiment}/plan.yaml",
        verification="results/{experiment}/data/verification.json",
        balanced="results/{experiment}/data/balanced_data.json",
    output:
        review="results/{experiment}/review/config.json",
    log:
        "results/{experiment}/logs/review_lmf_config.log",
    resources:
        terminal=1,
    params:
        mode=get_review_mode("config"),
        ratios=get_split_ratios,
        history=APPROVALS,
    script:
        "../scripts/review/review_lmf_config.py"
