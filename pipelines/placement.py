"""Where a task runs on a cluster: image, resources, credentials and time limit.

None of it is baked in: image, cpu, memory and secret are parameters of every pipeline, given at submission.
kfp.local ignores them all.
"""

from kfp import kubernetes
from kfp.dsl import PipelineTask

# Key of the Secret -> environment variable of the step. Missing keys (and a missing Secret) are left out.
SECRET_KEYS = {
    "objects": "DRAWOPS_OBJECTS",
    "mlflow": "DRAWOPS_MLFLOW",
    "index": "DRAWOPS_INDEX",
    "records": "DRAWOPS_RECORDS",
    "servers": "DRAWOPS_SERVERS",
    "model-name": "DRAWOPS_MODEL_NAME",
    "notify": "DRAWOPS_NOTIFY",
    "accesskey": "AWS_ACCESS_KEY_ID",
    "secretkey": "AWS_SECRET_ACCESS_KEY",
    "s3-endpoint": "AWS_ENDPOINT_URL_S3",
}


def place(task: PipelineTask, image: str, cpu: str, memory: str, secret: str, *, hours: float, cache: bool) -> None:
    """Set image, limits, credentials, time limit and caching of a task.

    The time limit matters: a missing image or a machine that no node offers leaves a run waiting for ever.
    Caching is decided here because `enable_caching` at submission does not reach nested tasks.
    """
    task.set_container_image(image)
    task.set_cpu_limit(cpu)
    task.set_memory_limit(memory)
    task.set_caching_options(cache)
    kubernetes.use_secret_as_env(task, secret, SECRET_KEYS, optional=True)
    kubernetes.set_timeout(task, seconds=int(hours * 3600))
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
