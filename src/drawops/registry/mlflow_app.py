"""The MLflow app of DrawOps: MLflow's basic-auth, and on top of it the rules of approval.

`mlflow server --app-name drawops` finds it by its entry point; `drawops registry ui` starts it so when
DRAWOPS_SIGN_IN is set. It runs in the server, knows who is signed in, and answers a change of a model version that the
rules forbid with 400 before MLflow sees it. What it accepts stands in the audit record of this server's home first.

Endpoints are told by their handler, so `api` and `ajax-api` paths, prefixes and later versions of them are the same.
GraphQL needs no guard: its mutations in MLflow 3.17 only search.
"""

import base64
import logging
from typing import TYPE_CHECKING, Any

from drawops.errors import DrawopsError, ForbiddenTransition, InputRefused
from drawops.registry.accounts import service_account
from drawops.registry.models import ModelRegistry
from drawops.registry.reconcile import SIGNED_IN
from drawops.registry.standing import ALIASES, Standing
from drawops.settings import Settings, load_settings

if TYPE_CHECKING:
    from flask import Flask, Response

logger = logging.getLogger(__name__)

WRITTEN_BY_DRAWOPS = frozenset(
    ("label", "mode", "base", "dataset", "trained_by", "sha256", "gate", "gate_name", "gate_reasons")
    + ("approved_by", "approved_at", "approval_note", "audit")
)


def create_app(app: "Flask | None" = None) -> Any:
    """What the server runs; an entry point of the group `mlflow.app`."""
    from mlflow.server import app as mlflow_app
    from mlflow.server.auth import create_app as with_basic_auth

    app = app or mlflow_app
    _take_names_of_any_alphabet()
    served = with_basic_auth(app)
    app.before_request(Guard(load_settings()))  # behind basic-auth: who asks, and that they may edit, is known by then
    return served


def _take_names_of_any_alphabet() -> None:
    """MLflow's newer routes read the Authorization header as ASCII only: 李伟 would be signed out by the first of them,
    and his browser would forget the password that all the others took."""
    from mlflow.server import auth

    theirs = auth._authenticate_fastapi_request

    def authenticate(request: Any) -> Any:
        credentials = request.headers.get("Authorization", "").removeprefix("Basic ")
        try:
            name, _, password = base64.b64decode(credentials).decode().partition(":")
        except ValueError:
            return theirs(request)
        return theirs(request) if (name + password).isascii() else auth._authenticate_cached(name, password)

    auth._authenticate_fastapi_request = authenticate


class Guard:
    """Refuses what the rules forbid; records a decision of the person who is signed in."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.registry = ModelRegistry(settings)
        self.service = service_account(settings)
        self._rules = {
            "_set_model_version_tag": self._set_tag,
            "_delete_model_version_tag": self._delete_tag,
            "_set_registered_model_alias": self._alias,
            "_delete_registered_model_alias": self._alias,
            "_create_model_version": self._create,
            "_delete_model_version": self._delete,
            "_delete_registered_model": self._delete,
            "_rename_registered_model": self._delete,
        }

    def __call__(self) -> "Response | None":
        from flask import g, request

        rule = self._rules.get(request.endpoint or "")
        if rule is None:
            return None
        message = _message(request.endpoint or "")
        if message.name != self.settings.model_name:
            return None
        try:
            return rule(message, str(g.mlflow_authenticated_user))
        except DrawopsError as exc:
            return _refusal(exc)

    def _set_tag(self, message: Any, user: str) -> "Response | None":
        from flask import jsonify

        key, version = message.key, int(message.version)
        if user == self.service:
            if key == "approval_status" and message.value != self._status(version):
                raise ForbiddenTransition(f"'{user}' is DrawOps itself and decides nothing. Sign in as yourself.")
            return None
        if key == "approval_status":
            self._decide(version, message.value, user)
            self._tell_webhooks(message)
            return jsonify({})  # all tags of the decision are written
        if key in WRITTEN_BY_DRAWOPS:
            raise InputRefused(
                key, f"is written by DrawOps. You are signed in as {user}; set approval_status to decide."
            )
        if key == "approval_reason" and self._status(version) not in ("", "Pending", "Approved"):
            raise InputRefused(key, "can't be changed after the decision.")
        return None

    def _delete_tag(self, message: Any, user: str) -> None:
        key, protected = message.key, (*WRITTEN_BY_DRAWOPS, "approval_status")
        if user != self.service and key in protected:
            raise InputRefused(key, "is a record of DrawOps and can't be deleted. Set approval_status to decide.")
        if key == "approval_reason" and user != self.service and self._status(int(message.version)) != "Pending":
            raise InputRefused(key, "can't be deleted after the decision.")

    def _alias(self, message: Any, user: str) -> None:
        if message.alias not in ALIASES:
            return
        now = self.registry.standing()
        wanted = getattr(message, "version", "")  # none when it is deleted
        if user == self.service and _number(now, now.aliases.get(message.alias, "")) == wanted:
            return
        raise ForbiddenTransition(
            f"Alias {message.alias} shows what serves and can't be moved by hand. Approve a version, or use "
            "`drawops model deploy` or `drawops model rollback`."
        )

    def _create(self, message: Any, user: str) -> None:
        tags = {tag.key: tag.value for tag in message.tags}
        if user == self.service:
            return
        status = tags.get("approval_status", "Pending")
        forbidden = sorted(tags.keys() & {"approved_by", "approved_at", "approval_reason", "audit"})
        if forbidden or status not in ("Pending", "Rejected"):
            raise ForbiddenTransition(
                f"A new version is Pending or Rejected and was decided by nobody; got approval_status '{status}'"
                + (f" and {', '.join(forbidden)}." if forbidden else ".")
            )
        if tags.get("trained_by", "") != user:
            raise InputRefused(
                "trained_by", f"must be who is signed in: set it to '{user}' (DRAWOPS_USER where `drawops train` runs)."
            )

    def _delete(self, message: Any, user: str) -> None:
        version = getattr(message, "version", "")
        if version and int(version) not in self.registry.standing().numbers:
            return
        raise ForbiddenTransition(
            f"{message.name}{f' version {version}' if version else ''} stands in the audit record and is not deleted "
            "or renamed. Reject a version that must not be used."
        )

    def _status(self, version: int) -> str:
        now = self.registry.standing()
        return now.status.get(now.numbers.get(version, ""), "")

    def _decide(self, version: int, wish: str, user: str) -> None:
        self.registry.reconcile()  # a version that was just registered gets its first line
        now = self.registry.standing()
        label = now.numbers.get(version, "")
        if not label:
            raise ForbiddenTransition(f"Version {version} was not registered by DrawOps: nobody can approve it.")
        if wish == now.status[label]:
            return
        try:
            why = self._reason(now, label, version)
            self.registry.decide(label, wish, by=user, why=why, source=SIGNED_IN)
        except DrawopsError as exc:
            self.registry.refuse(label, wish, by=user, why=str(exc), source=SIGNED_IN)
            raise

    def _reason(self, now: Standing, label: str, version: int) -> str:
        """The tag `approval_reason`; that of an earlier decision does not count."""
        tags = self.registry.client.get_model_version(self.registry.name, str(version)).tags
        why, decided = tags.get("approval_reason", "").strip(), now.decision.get(label)
        if not why:
            raise InputRefused("approval_reason", "must say why: set it first, approval_status last.")
        if decided and why == decided.why:
            raise InputRefused("approval_reason", "is that of the decision before: set your own first.")
        return why

    def _tell_webhooks(self, message: Any) -> None:
        from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent
        from mlflow.server.handlers import _get_model_registry_store
        from mlflow.webhooks.delivery import deliver_webhook
        from mlflow.webhooks.types import ModelVersionTagSetPayload

        payload = ModelVersionTagSetPayload(
            name=message.name, version=message.version, key=message.key, value=message.value
        )
        event = WebhookEvent(WebhookEntity.MODEL_VERSION_TAG, WebhookAction.SET)
        deliver_webhook(event=event, payload=payload, store=_get_model_registry_store())


def _number(now: Standing, label: str) -> str:
    return next((str(number) for number, known in now.numbers.items() if known == label), "")


def _message(endpoint: str) -> Any:
    """The request, read as its handler will read it."""
    from mlflow.protos import model_registry_pb2
    from mlflow.server.handlers import _get_request_message

    kind = "".join(word.capitalize() for word in endpoint.split("_"))
    return _get_request_message(getattr(model_registry_pb2, kind)())


def _refusal(exc: DrawopsError) -> "Response":
    from flask import jsonify

    logger.info("refused: %s", exc)
    response = jsonify({"error_code": "INVALID_PARAMETER_VALUE", "message": str(exc)})
    response.status_code = 400
    return response
