"""On which nodes the steps of a package run and with what resources: said in a YAML file, not in the package.

steps:
  default: {cpu: "2", memory: 4G}
  train-full:
    gpu: 1
    node_selector: {pool: gpu}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
    volumes: [{claim: drawops-cache, path: /cache}]
"""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from drawops.errors import SettingsError, did_you_mean


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Toleration(_Strict):
    key: str = ""
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = ""
    effect: Literal["", "NoSchedule", "PreferNoSchedule", "NoExecute"] = ""


class Volume(_Strict):
    claim: str = Field(description="Name of a PersistentVolumeClaim in the namespace of the runs.")
    path: str = Field(description="Where it is mounted.", pattern="^/")


class Place(_Strict):
    """What a step asks of its node. Quantities as Kubernetes writes them; what is left out stays as compiled."""

    cpu: str = Field("", description="Limit, such as 4 or 500m.")
    memory: str = Field("", description="Limit, such as 12G.")
    cpu_request: str = Field("", description="Default: the limit.")
    memory_request: str = Field("", description="Default: the limit.")
    gpu: int = Field(0, ge=0, description="Number of GPUs.")
    gpu_type: str = Field("nvidia.com/gpu", description="Name of the resource.")
    node_selector: dict[str, str] = {}
    tolerations: tuple[Toleration, ...] = ()
    volumes: tuple[Volume, ...] = ()
    labels: dict[str, str] = Field({}, description="Labels of the step's pod.")


class Placement(_Strict):
    """Places by step; `default` is for every step that is not named."""

    steps: dict[str, Place] = {}

    @classmethod
    def load(cls, file: Path) -> "Placement":
        """Raises SettingsError for a file that can't be read or holds what nobody knows."""
        try:
            return cls.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
            raise SettingsError(f"Can't read the placement {file}: {exc}. Check DRAWOPS_PLACEMENT.") from exc
        except ValidationError as exc:
            first = exc.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise SettingsError(f"Placement {file}: {where}: {first['msg']}.") from exc

    def apply(self, documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Put the places into a package's two documents, pipeline and platform (changed in place).

        Raises:
            SettingsError: a step that is in no package that ships.
        """
        spec, platform = documents
        executors = spec["deploymentSpec"]["executors"]
        on_kubernetes = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        for name in executors:
            step = name.removeprefix("exec-")
            if place := self.steps.get(step, self.steps.get("default")):
                _set_resources(place, executors[name]["container"].setdefault("resources", {}))
                _set_node(place, on_kubernetes.setdefault(name, {}))
        return documents

    def check_steps(self, known: set[str]) -> None:
        """Raises SettingsError when a place is for a step that nobody knows: it would silently do nothing."""
        for step in self.steps.keys() - known - {"default"}:
            raise SettingsError(f"The placement names a step '{step}'. {did_you_mean(step, known)}")


def _set_resources(place: Place, resources: dict[str, Any]) -> None:
    # Without a request Kubernetes takes the limit for it.
    given = {
        "resourceCpuLimit": place.cpu,
        "resourceMemoryLimit": place.memory,
        "resourceCpuRequest": place.cpu_request,
        "resourceMemoryRequest": place.memory_request,
    }
    resources.update({key: value for key, value in given.items() if value})
    if place.gpu:
        resources["accelerator"] = {"resourceType": place.gpu_type, "resourceCount": str(place.gpu)}


def _set_node(place: Place, settings: dict[str, Any]) -> None:
    if place.node_selector:
        settings["nodeSelector"] = {"labels": place.node_selector}
    if place.tolerations:
        settings["tolerations"] = [
            t.model_dump(exclude_defaults=True) | {"operator": t.operator} for t in place.tolerations
        ]
    if place.labels:
        settings.setdefault("podMetadata", {}).setdefault("labels", {}).update(place.labels)
    for volume in place.volumes:
        settings.setdefault("pvcMount", []).append(
            {
                "constant": volume.claim,
                "mountPath": volume.path,
                "pvcNameParameter": {"runtimeValue": {"constant": volume.claim}},
            }
        )
