"""MLflow's registry webhook: it wakes the watcher of a DrawOps server, and tells it nothing that is believed."""

import json
import os
import secrets

from drawops.errors import SettingsError, Unavailable
from drawops.settings import Settings

NAME = "drawops"
PATH = "/v1/hooks/mlflow"


def set_webhook(settings: Settings, server: str) -> str:
    """Make the webhook, or put a new one in the place of the one that is there. Returns its URL.

    In a process that has opened another home's MLflow before, the secret would be encrypted with that home's key.

    Raises:
        SettingsError: there is no secret to sign with.
        Unavailable: MLflow refuses the address.
    """
    from drawops.registry.models import ModelRegistry

    if not settings.hook_secret:
        raise SettingsError("Set DRAWOPS_HOOK_SECRET, here and where the DrawOps server runs: it signs the webhook.")
    os.environ.update(webhook_environment(settings))  # read while MLflow is imported
    url, client = server.rstrip("/") + PATH, ModelRegistry(settings).client
    from mlflow.exceptions import MlflowException

    try:
        for old in client.list_webhooks():
            if old.name == NAME:
                client.delete_webhook(old.webhook_id)
        client.create_webhook(
            NAME,
            url,
            ["model_version.created", "model_version_tag.set", "model_version_alias.created"],  # type: ignore[arg-type]
            description="Wakes the watcher of DrawOps",
            secret=settings.hook_secret,
        )
    except MlflowException as exc:
        raise Unavailable(f"MLflow takes no webhook to {url}: {exc.message}") from exc
    return url


def webhook_environment(settings: Settings) -> dict[str, str]:
    """What MLflow reads to keep and send webhooks."""
    return {
        # They go to a DrawOps server, which is as a rule on the same network; only administrators make them.
        "MLFLOW_WEBHOOK_ALLOWED_SCHEMES": "http,https",
        "MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS": "true",
        **_keys(settings),
    }


def _keys(settings: Settings) -> dict[str, str]:
    """Keys that must outlive a restart: sessions and webhooks are lost with them."""
    from cryptography.fernet import Fernet

    file = settings.home / "mlflow-keys.json"
    if not file.is_file():
        keys = {
            "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(32),
            "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": Fernet.generate_key().decode(),
        }
        partial = file.with_suffix(".part")
        partial.touch(mode=0o600)
        partial.write_text(json.dumps(keys), encoding="utf-8")
        os.replace(partial, file)
    return json.loads(file.read_text(encoding="utf-8"))
