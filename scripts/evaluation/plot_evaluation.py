from loramake.console import step
from loramake.plots.evaluation import plot_evaluation

with step(snakemake.log[0]):
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
