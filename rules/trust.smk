rule calibrate_probabilities:
    input:
        task="results/{experiment}/task.json",
        calibration="results/{experiment}/predictions/calibration.jsonl",
        test="results/{experiment}/predictions/test.jsonl",
    output:
        calibrator="results/{experiment}/trust/calibrator.json",
        held_out="results/{experiment}/trust/held_out.jsonl",
        test="results/{experiment}/trust/test.jsonl",
    log:
        "results/{experiment}/logs/calibrate_probabilities.log",
    benchmark:
        "results/{experiment}/benchmarks/calibrate_probabilities.tsv"
    params:
        version=get_version("calibrate_probabilities"),
        method=get_setting("calibration"),
        seed=get_setting("seed"),
    script:
        "../scripts/trust/calibrate_probabilities.py"


rule evaluate_calibration:
    input:
        task="results/{experiment}/task.json",
        before="results/{experiment}/predictions/test.jsonl",
        after="results/{experiment}/trust/test.jsonl",
        calibrator="results/{experiment}/trust/calibrator.json",
    output:
        calibration_measures="results/{experiment}/trust/calibration_measures.json",
    log:
        "results/{experiment}/logs/evaluate_calibration.log",
    benchmark:
        "results/{experiment}/benchmarks/evaluate_calibration.tsv"
    params:
        version=get_version("evaluate_calibration"),
        seed=get_setting("seed"),
    script:
        "../scripts/trust/evaluate_calibration.py"


rule plot_reliability:
    input:
        calibration_measures="results/{experiment}/trust/calibration_measures.json",
    output:
        plot="results/{experiment}/trust/reliability.svg",
    log:
        "results/{experiment}/logs/plot_reliability.log",
    params:
        version=get_version("plot_reliability"),
    script:
        "../scripts/trust/plot_reliability.py"


rule fit_conformal:
    input:
        task="results/{experiment}/task.json",
        held_out="results/{experiment}/trust/held_out.jsonl",
        test="results/{experiment}/trust/test.jsonl",
    output:
        conformal="results/{experiment}/trust/conformal.json",
    log:
        "results/{experiment}/logs/fit_conformal.log",
    benchmark:
        "results/{experiment}/benchmarks/fit_conformal.tsv"
    params:
        version=get_version("fit_conformal"),
        method=get_setting("conformal"),
        settings=get_slice("conformal_confidence", "seed"),
    script:
        "../scripts/trust/fit_conformal.py"


rule plot_conformal:
    input:
        conformal="results/{experiment}/trust/conformal.json",
    output:
        plot="results/{experiment}/trust/conformal.svg",
    log:
        "results/{experiment}/logs/plot_conformal.log",
    params:
        version=get_version("plot_conformal"),
    script:
        "../scripts/trust/plot_conformal.py"


rule control_risk:
    input:
        task="results/{experiment}/task.json",
        held_out="results/{experiment}/trust/held_out.jsonl",
        test="results/{experiment}/trust/test.jsonl",
    output:
        risk="results/{experiment}/trust/risk.json",
    log:
        "results/{experiment}/logs/control_risk.log",
    benchmark:
        "results/{experiment}/benchmarks/control_risk.tsv"
    params:
        version=get_version("control_risk"),
        settings=get_slice(
            "max_selective_error",
            "selective_error_confidence",
            "costs",
            "abstain_cost",
            "seed",
        ),
    script:
        "../scripts/trust/control_risk.py"


rule plot_risk_coverage:
    input:
        risk="results/{experiment}/trust/risk.json",
    output:
        plot="results/{experiment}/trust/risk_coverage.svg",
    log:
        "results/{experiment}/logs/plot_risk_coverage.log",
    params:
        version=get_version("plot_risk_coverage"),
    script:
        "../scripts/trust/plot_risk_coverage.py"


rule decide_by_cost:
    input:
        task="results/{experiment}/task.json",
        train="results/{experiment}/predictions/train.jsonl",
        calibration="results/{experiment}/predictions/calibration.jsonl",
        test="results/{experiment}/trust/test.jsonl",
        baselines="results/{experiment}/evaluation/baselines.json",
        calibrator="results/{experiment}/trust/calibrator.json",
        risk="results/{experiment}/trust/risk.json",
    output:
        costs="results/{experiment}/trust/costs.json",
    log:
        "results/{experiment}/logs/decide_by_cost.log",
    benchmark:
        "results/{experiment}/benchmarks/decide_by_cost.tsv"
    params:
        version=get_version("decide_by_cost"),
        settings=get_slice("costs", "abstain_cost", "seed"),
    script:
        "../scripts/trust/decide_by_cost.py"


rule audit_groups:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        metrics="results/{experiment}/evaluation/metrics.json",
        calibration_measures="results/{experiment}/trust/calibration_measures.json",
        conformal="results/{experiment}/trust/conformal.json",
        risk="results/{experiment}/trust/risk.json",
        costs="results/{experiment}/trust/costs.json",
        held_out="results/{experiment}/trust/held_out.jsonl",
        test="results/{experiment}/trust/test.jsonl",
    output:
        audit="results/{experiment}/trust/audit.json",
    log:
        "results/{experiment}/logs/audit_groups.log",
    benchmark:
        "results/{experiment}/benchmarks/audit_groups.tsv"
    params:
        version=get_version("audit_groups"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        columns=get_setting("audit_columns"),
        requirements=get_setting("requirements"),
        seed=get_setting("seed"),
    script:
        "../scripts/trust/audit_groups.py"


rule plot_audit:
    input:
        audit="results/{experiment}/trust/audit.json",
    output:
        plot="results/{experiment}/trust/audit.svg",
    log:
        "results/{experiment}/logs/plot_audit.log",
    params:
        version=get_version("plot_audit"),
    script:
        "../scripts/trust/plot_audit.py"


rule find_label_noise:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        plan="results/{experiment}/plan.yaml",
        calibrator="results/{experiment}/trust/calibrator.json",
        calibration="results/{experiment}/predictions/calibration.jsonl",
        test="results/{experiment}/predictions/test.jsonl",
    output:
        label_noise="results/{experiment}/trust/label_noise.json",
        suspects="results/{experiment}/trust/label_noise.csv",
    log:
        "results/{experiment}/logs/find_label_noise.log",
    benchmark:
        "results/{experiment}/benchmarks/find_label_noise.tsv"
    params:
        version=get_version("find_label_noise"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
    script:
        "../scripts/trust/find_label_noise.py"


rule measure_robustness:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        plan="results/{experiment}/plan.yaml",
        splits="results/{experiment}/splits.csv",
        script="results/{experiment}/scripts/prepare_data.py",
        state="results/{experiment}/data/prep_state.json",
        config="results/{experiment}/configs/predict_test.yaml",
        adapter="results/{experiment}/adapter/adapter_model.safetensors",
        adapter_config="results/{experiment}/adapter/adapter_config.json",
        label_shift="results/{experiment}/data/label_shift.json",
        calibrator="results/{experiment}/trust/calibrator.json",
        test="results/{experiment}/predictions/test.jsonl",
    output:
        robustness="results/{experiment}/trust/robustness.json",
    log:
        "results/{experiment}/logs/measure_robustness.log",
    benchmark:
        "results/{experiment}/benchmarks/measure_robustness.tsv"
    threads: get_cpus(8)
    resources:
        gpu=1,
        mem_mb=get_memory(16_000),
        runtime=get_minutes(120),
    params:
        version=get_version("measure_robustness"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        sandbox=get_setting("sandbox"),
        trust_remote_code=get_setting("trust_remote_code"),
        settings=get_slice("robustness_rows", "seed"),
    script:
        "../scripts/trust/measure_robustness.py"


rule plot_importance:
    input:
        robustness="results/{experiment}/trust/robustness.json",
    output:
        plot="results/{experiment}/trust/importance.svg",
    log:
        "results/{experiment}/logs/plot_importance.log",
    params:
        version=get_version("plot_importance"),
    script:
        "../scripts/trust/plot_importance.py"
