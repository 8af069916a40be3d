from loramake.console import step
from loramake.evaluation.run import run_evaluation
from loramake.plots.evaluation import plot_evaluation

with step(snakemake.log[0]):
    run_evaluation(
        task=snakemake.input.task,
        train=snakemake.input.train,
        test=snakemake.input.test,
        baselines=snakemake.input.baselines,
        seed=snakemake.params.seed,
        out=snakemake.output.metrics,
    )
    plot_evaluation(
        task=snakemake.input.task,
        test=snakemake.input.test,
        baselines=snakemake.input.baselines,
        trainer_log=snakemake.input.trainer_log,
        confusion_matrix_out=snakemake.output.confusion_matrix,
        roc_out=snakemake.output.roc,
        precision_recall_out=snakemake.output.precision_recall,
        loss_out=snakemake.output.loss,
    )
