rule render_report:
    input:
        profile="results/{experiment}/profile.json",
        task="results/{experiment}/task.json",
        splits_summary="results/{experiment}/splits.json",
        unusable_columns="results/{experiment}/unusable_columns.json",
        selected_features="results/{experiment}/feature_selection/selected_features.json",
        plan="results/{experiment}/plan.yaml",
        verification="results/{experiment}/data/verification.json",
        all_data="results/{experiment}/data/all_data.json",
        balanced="results/{experiment}/data/balanced_data.json",
        train_config="results/{experiment}/configs/train.yaml",
        adapter="results/{experiment}/adapter/adapter_model.safetensors",
        metrics="results/{experiment}/evaluation/metrics.json",
        calibrator="results/{experiment}/trust/calibrator.json",
        calibrated_test="results/{experiment}/trust/test.jsonl",
        calibration_measures="results/{experiment}/trust/calibration_measures.json",
        conformal="results/{experiment}/trust/conformal.json",
        risk="results/{experiment}/trust/risk.json",
        costs="results/{experiment}/trust/costs.json",
        audit="results/{experiment}/trust/audit.json",
        label_noise="results/{experiment}/trust/label_noise.json",
        suspects="results/{experiment}/trust/label_noise.csv",
        robustness="results/{experiment}/trust/robustness.json",
        plots=[
            "results/{experiment}/feature_selection/feature_rankings.svg",
            "results/{experiment}/evaluation/roc.svg",
            "results/{experiment}/evaluation/precision_recall.svg",
            "results/{experiment}/evaluation/confusion_matrix.svg",
            "results/{experiment}/evaluation/loss.svg",
            "results/{experiment}/trust/reliability.svg",
            "results/{experiment}/trust/conformal.svg",
            "results/{experiment}/trust/risk_coverage.svg",
            "results/{experiment}/trust/audit.svg",
            "results/{experiment}/trust/importance.svg",
        ],
    output:
        report=report("results/{experiment}/report.html", category="{experiment}"),
        model_card="results/{experiment}/model_card.md",
    log:
        "results/{experiment}/logs/render_report.log",
    benchmark:
        "results/{experiment}/benchmarks/render_report.tsv"
    params:
        version=get_version("render_report"),
        csv=get_csv,
        test_csv=get_test_csv,
        tables=get_tables_hash,
        templates=hash_templates(*REPORT_TEMPLATES),
        experiment="{experiment}",
        settings=get_all_settings,
        benchmarks="results/{experiment}/benchmarks",
        transcripts="results/{experiment}/agent",
        history="results/{experiment}/review/history.jsonl",
    script:
        "../scripts/report/render_report.py"


ARTIFACTS = get_artifacts()


rule summarize_results:
    input:
        artifacts=ARTIFACTS,
        task="results/{experiment}/task.json",
        splits="results/{experiment}/splits.json",
        plan="results/{experiment}/plan.yaml",
        metrics="results/{experiment}/evaluation/metrics.json",
        train_config="results/{experiment}/configs/train.yaml",
        predictions="results/{experiment}/predictions/test.jsonl",
        calibration_measures="results/{experiment}/trust/calibration_measures.json",
        conformal="results/{experiment}/trust/conformal.json",
        risk="results/{experiment}/trust/risk.json",
        costs="results/{experiment}/trust/costs.json",
        audit="results/{experiment}/trust/audit.json",
        label_noise="results/{experiment}/trust/label_noise.json",
        robustness="results/{experiment}/trust/robustness.json",
    output:
        results="results/{experiment}/evaluation/results.json",
    log:
        "results/{experiment}/logs/summarize_results.log",
    params:
        version=get_version("summarize_results"),
        missing=get_missing_artifacts,
        experiment="{experiment}",
        benchmarks="results/{experiment}/benchmarks",
    script:
        "../scripts/report/summarize_results.py"
