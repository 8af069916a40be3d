rule fit_baselines:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        splits="results/{experiment}/splits.csv",
        plan="results/{experiment}/plan.yaml",
    output:
        baselines="results/{experiment}/evaluation/baselines.json",
    log:
        "results/{experiment}/logs/fit_baselines.log",
    benchmark:
        "results/{experiment}/benchmarks/fit_baselines.tsv"
    params:
        version=get_version("fit_baselines"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        seed=get_setting("seed"),
    script:
        "../scripts/evaluation/fit_baselines.py"


rule run_evaluation:
    input:
        task="results/{experiment}/task.json",
        train="results/{experiment}/predictions/train.jsonl",
        test="results/{experiment}/predictions/test.jsonl",
        baselines="results/{experiment}/evaluation/baselines.json",
    output:
        metrics="results/{experiment}/evaluation/metrics.json",
    log:
        "results/{experiment}/logs/run_evaluation.log",
    benchmark:
        "results/{experiment}/benchmarks/run_evaluation.tsv"
    params:
        version=get_version("run_evaluation"),
        seed=get_setting("seed"),
    script:
        "../scripts/evaluation/run_evaluation.py"


rule plot_evaluation:
    input:
        task="results/{experiment}/task.json",
        test="results/{experiment}/predictions/test.jsonl",
        baselines="results/{experiment}/evaluation/baselines.json",
        trainer_log="results/{experiment}/adapter/trainer_log.jsonl",
    output:
        confusion_matrix="results/{experiment}/evaluation/confusion_matrix.svg",
        roc="results/{experiment}/evaluation/roc.svg",
        precision_recall="results/{experiment}/evaluation/precision_recall.svg",
        loss="results/{experiment}/evaluation/loss.svg",
    log:
        "results/{experiment}/logs/plot_evaluation.log",
    params:
        version=get_version("plot_evaluation"),
    script:
        "../scripts/evaluation/plot_evaluation.py"
