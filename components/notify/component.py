"""How a run ended -> a message to the webhook of the settings, when it failed."""

from kfp.dsl import PipelineTaskFinalStatus

from components import component


@component
def notify(status: PipelineTaskFinalStatus, dataset: str):
    """Tell the webhook of the settings that a run failed.

    Args:
        status: Filled in by the backend.
        dataset: Name of the dataset that was to be learnt.
    """
    from drawops import steps

    steps.notify(status.state, dataset, status.pipeline_job_resource_name)
