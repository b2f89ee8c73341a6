"""What each pipeline step does: plain values in, files and plain values out.

The bodies of the Kubeflow components call these and nothing else, so a step can be run and tested without kfp.
"""

from drawops.steps.figures import write_metrics
from drawops.steps.learning import evaluate, preprocess, train
from drawops.steps.pinning import pin_dataset, pin_models
from drawops.steps.publishing import Deployed, deploy, embed
from drawops.steps.registration import Registered, register
from drawops.steps.retraining import Retrained, increment, notify, occasion

__all__ = [
    "Deployed",
    "Registered",
    "Retrained",
    "deploy",
    "embed",
    "evaluate",
    "increment",
    "notify",
    "occasion",
    "pin_dataset",
    "pin_models",
    "preprocess",
    "register",
    "train",
    "write_metrics",
]
