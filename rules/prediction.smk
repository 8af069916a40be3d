rule run_prediction:
    input:
        config="results/{experiment}/configs/predict_test.yaml",
        plan="results/{experiment}/plan.yaml",
        label_shift="results/{experiment}/data/label_shift.json",
        adapter="results/{experiment}/adapter/adapter_model.safetensors",
        adapter_config="results/{experiment}/adapter/adapter_config.json",
        train="results/{experiment}/data/train.json",
        calibration="results/{experiment}/data/calibration.json",
        test="results/{experiment}/data/test.json",
    output:
        train="results/{experiment}/predictions/train.jsonl",
        calibration="results/{experiment}/predictions/calibration.jsonl",
        test="results/{experiment}/predictions/test.jsonl",
    log:
        "results/{experiment}/logs/run_prediction.log",
    benchmark:
        "results/{experiment}/benchmarks/run_prediction.tsv"
    threads: get_cpus(8)
    resources:
        gpu=1,
        mem_mb=get_memory(16_000),
        runtime=get_minutes(120),
    params:
        version=get_version("run_prediction"),
        trust_remote_code=get_setting("trust_remote_code"),
    script:
        "../scripts/prediction/run_prediction.py"
