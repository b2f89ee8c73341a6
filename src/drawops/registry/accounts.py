"""Who may sign in to the MLflow server of this home."""

from typing import Literal

from drawops.errors import InputRefused, SettingsError, Unavailable
from drawops.settings import Settings

Role = Literal["approver", "reader"]


def service_account(settings: Settings) -> str:
    """The account of DrawOps itself, which also administers the server. It decides nothing."""
    return settings.mlflow_user or "drawops"


def accounts_uri(settings: Settings) -> str:
    """The database of the accounts: that of MLflow, or a file beside it."""
    if settings.mlflow_uri.startswith("sqlite:"):
        return f"sqlite:///{settings.home / 'mlflow-users.db'}"
    return settings.mlflow_uri


def set_account(settings: Settings, name: str, password: str, role: Role) -> None:
    """Make an account, or change password and role of one that is there.

    Args:
        role: an approver may decide on versions (but not approve his own); a reader looks.

    Raises:
        InputRefused: MLflow takes no such name or password.
        SettingsError: MLflow is a server elsewhere; accounts are made where it runs.
        Unavailable: the database does not answer.
    """
    if settings.mlflow_uri.startswith("http"):
        raise SettingsError("Make accounts in the home that runs `drawops registry ui`, or at MLflow's page /signup.")
    from drawops.registry.tracking import quieten

    quieten()
    from mlflow.exceptions import MlflowException
    from mlflow.server.auth.sqlalchemy_store import SqlAlchemyStore
    from sqlalchemy.exc import SQLAlchemyError

    if name == service_account(settings):
        raise InputRefused(name, "is the account of DrawOps itself; its password is DRAWOPS_MLFLOW_PASSWORD.")
    store = SqlAlchemyStore()
    try:
        store.init_db(accounts_uri(settings))
        if store.has_user(name):
            store.update_user(name, password=password)
        else:
            store.create_user(name, password)
        permission = "EDIT" if role == "approver" else "READ"
        store.grant_user_permission(name, "registered_model", settings.model_name, permission)
    except MlflowException as exc:
        raise InputRefused(f"account '{name}'", str(exc.message)) from exc
    except SQLAlchemyError as exc:
        raise Unavailable(f"The database of the accounts does not answer: {getattr(exc, 'orig', exc)}") from exc
