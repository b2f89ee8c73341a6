"""MLflow's registry webhook: it wakes the watcher of a DrawOps server, and tells it nothing that is believed."""

from typing import TYPE_CHECKING

from drawops.errors import SettingsError, Unavailable

if TYPE_CHECKING:
    from drawops.registry.models import ModelRegistry

NAME = "drawops"
PATH = "/v1/hooks/mlflow"


def set_webhook(registry: "ModelRegistry", server: str) -> str:
    """Make the webhook, or put a new one in the place of the one that is there. Returns its URL.

    Raises:
        SettingsError: there is no secret to sign with.
        Unavailable: MLflow refuses the address.
    """
    import os

    from mlflow.exceptions import MlflowException

    from drawops.registry.ui import webhook_environment

    secret = registry.settings.hook_secret
    if not secret:
        raise SettingsError("Set DRAWOPS_HOOK_SECRET, here and where the DrawOps server runs: it signs the webhook.")
    os.environ.update(webhook_environment(registry.settings))  # before MLflow reads them
    url = server.rstrip("/") + PATH
    client = registry.client
    try:
        for old in client.list_webhooks():
            if old.name == NAME:
                client.delete_webhook(old.webhook_id)
        events = ["model_version.created", "model_version_tag.set", "model_version_alias.created"]
        client.create_webhook(NAME, url, events, description="Wakes the watcher of DrawOps", secret=secret)  # type: ignore[arg-type]
    except MlflowException as exc:
        raise Unavailable(f"MLflow takes no webhook to {url}: {exc.message}") from exc
    return url
