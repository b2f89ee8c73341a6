"""Model versions over MLflow: registered, judged by a gate, approved by a person, deployed, rolled back; every
step in an append-only audit record.

The names below are loaded when they are used: MLflow takes seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from drawops.registry.audit import AuditEntry, AuditLog
    from drawops.registry.links import lineage
    from drawops.registry.models import ModelRegistry
    from drawops.registry.records import Records
    from drawops.registry.versions import ModelVersion
    from drawops.registry.watch import Watcher

_WHERE = {
    "AuditEntry": "audit",
    "AuditLog": "audit",
    "ModelRegistry": "models",
    "ModelVersion": "versions",
    "Records": "records",
    "Watcher": "watch",
    "lineage": "links",
}
__all__ = ["AuditEntry", "AuditLog", "ModelRegistry", "ModelVersion", "Records", "Watcher", "lineage"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"drawops.registry.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'drawops.registry' has no attribute {name!r}")
