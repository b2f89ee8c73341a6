"""An approval's consequence: the deployment pipeline, run here."""

from drawops.registry import ModelRegistry
from drawops.runners.submission import submit
from drawops.serving.deploy import Deployment
from drawops.settings import Settings


def deploy(label: str, settings: Settings, *, by: str, why: str) -> Deployment:
    """Run the pipeline `deployment` for an approved version and wait for it.

    Raises:
        StepFailed: a server can't serve the version; the champion is as before.
    """
    submit("deployment", settings=settings, version=label, by=by, why=why).wait()
    entries = reversed(ModelRegistry(settings).audit.entries(label))  # none is added where the version served already
    servers = next((e.details["servers"] for e in entries if "servers" in (e.details or {})), ())
    return Deployment(label, tuple(servers))
