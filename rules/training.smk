rule generate_lmf_config:
    input:
        balanced="results/{experiment}/data/balanced_data.json",
        validation="results/{experiment}/data/validation.json",
        plan="results/{experiment}/plan.yaml",
        verification="results/{experiment}/data/verification.json",
        review="results/{experiment}/review/balance.json",
    output:
        train="results/{experiment}/configs/train.yaml",
        predict_train="results/{experiment}/configs/predict_train.yaml",
        predict_test="results/{experiment}/configs/predict_test.yaml",
        dataset_info="results/{experiment}/data/dataset_info.json",
        processes="results/{experiment}/configs/processes.json",
    log:
        "results/{experiment}/logs/generate_lmf_config.log",
    benchmark:
        "results/{experiment}/benchmarks/generate_lmf_config.tsv"
    params:
        version=get_version("generate_lmf_config"),
        feedback_hash=get_feedback_hash("config"),
        model_hash=get_model_hash,
        settings=get_slice(
            *TRAINING_KEYS,
            "model",
            "template",
            "trust_remote_code",
            "seed",
            "precision",
            "flash_attn",
            "gpus",
            "nodes",
            "extra_training_args",
            feedback="config",
        ),
    script:
        "../scripts/training/generate_lmf_config.py"


rule run_finetuning:
    input:
        config="results/{experiment}/configs/train.yaml",
        dataset_info="results/{experiment}/data/dataset_info.json",
        balanced="results/{experiment}/data/balanced_data.json",
        validation="results/{experiment}/data/validation.json",
        review="results/{experiment}/review/config.json",
    output:
        adapter="results/{experiment}/adapter/adapter_model.safetensors",
        adapter_config="results/{experiment}/adapter/adapter_config.json",
        trainer_log="results/{experiment}/adapter/trainer_log.jsonl",
    log:
        "results/{experiment}/logs/run_finetuning.log",
    benchmark:
        "results/{experiment}/benchmarks/run_finetuning.tsv"
    threads: get_cpus(8, get_gpus)
    resources:
        gpu=lambda wildcards: get_gpus(wildcards) * get_nodes(wildcards),
        mem_mb=get_memory(16_000, get_gpus),
        runtime=get_minutes(240),
        nodes=get_nodes,
        mpi=on_several_nodes(lambda _: "srun"),
        tasks=on_several_nodes(get_nodes),
        tasks_per_gpu=on_several_nodes(lambda _: 0),
        slurm_extra=get_slurm_options,
    params:
        version=get_version("run_finetuning"),
        model_hash=before_training(get_model_hash),
        own=get_slice(
            "model",
            "trust_remote_code",
            "gpus",
            "nodes",
            "extra_training_args",
            feedback="config",
        ),
        precision=get_setting("precision", feedback="config"),
        flash_attn=get_setting("flash_attn", feedback="config"),
    script:
        "../scripts/training/run_finetuning.py"
