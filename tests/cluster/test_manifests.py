"""Every overlay: what Kubernetes would accept, and what it accepts though it can't work."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.node import ROOT, Node

pytestmark = pytest.mark.server
OVERLAYS = sorted(p.parent.name for p in (ROOT / "infra" / "overlays").glob("*/kustomization.yaml"))
# Kinds of others: name of the resource, group, version. Their own schemas are not here, so only our part is checked.
FOREIGN = {"InferenceService": ("inferenceservices", "serving.kserve.io", "v1beta1")}
SECRET_NAMES = re.compile(r"password|secret|token|accesskey|access_key|mlflow$|records$|objects$|index$|keys$", re.I)


@pytest.fixture(scope="module", params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def objects(node: Node, overlay: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(node.kubectl("kustomize", str(ROOT / "infra" / "overlays" / overlay))))


def pod_specs(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """(name, labels, pod spec) of everything that makes pods."""
    for o in objects:
        name = f"{o['kind']} {o['metadata']['name']}"
        if o["kind"] == "Deployment":
            yield name, o["spec"]["template"]["metadata"]["labels"], o["spec"]["template"]["spec"]
        elif o["kind"] == "CronJob":
            template = o["spec"]["jobTemplate"]["spec"]["template"]
            yield name, template["metadata"]["labels"], template["spec"]
        elif o["kind"] == "InferenceService":
            predictor = {k: v for k, v in o["spec"]["predictor"].items() if k not in ("minReplicas", "maxReplicas")}
            yield name, {}, predictor


def containers(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, _, spec in pod_specs(objects):
        for container in spec["containers"] + spec.get("initContainers", []):
            yield f"{name}/{container['name']}", container


def test_the_schemas_allow_it(objects: list[dict[str, Any]], tmp_path: Path) -> None:
    own = [o for o in objects if o["kind"] not in FOREIGN]
    for name, _, spec in pod_specs([o for o in objects if o["kind"] in FOREIGN]):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name.split()[-1]}, "spec": spec}
        own.append(pod)
    file = tmp_path / "all.yaml"
    file.write_text(yaml.safe_dump_all(own))
    program = Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run([program, "--strict", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_real_api_server_takes_it(node: Node, objects: list[dict[str, Any]]) -> None:
    """With validation of fields, defaults and admission, in the namespaces that it names."""
    for kind in {o["kind"] for o in objects} & FOREIGN.keys():
        node.kubectl("apply", "-f", "-", stdin=json.dumps(definition(kind)))
        node.kubectl("wait", "--for=condition=Established", f"crd/{FOREIGN[kind][0]}.{FOREIGN[kind][1]}")
    for namespace in {o["metadata"].get("namespace") for o in objects} - {None}:
        made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
        node.kubectl("apply", "-f", "-", stdin=json.dumps(made))
    manifests = yaml.safe_dump_all(objects)
    answer = node.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", stdin=manifests)
    assert answer.count("(server dry run)") == len(objects)
    assert "would violate" not in answer


def definition(kind: str) -> dict[str, Any]:
    plural, group, version = FOREIGN[kind]
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }


def test_every_selector_finds_its_pods(objects: list[dict[str, Any]]) -> None:
    pods = [labels for _, labels, _ in pod_specs(objects)]

    def chosen(selector: dict[str, str]) -> int:
        return sum(selector.items() <= labels.items() for labels in pods)

    for o in objects:
        spec = o.get("spec", {})
        name = f"{o['kind']} {o['metadata']['name']}"
        if o["kind"] == "Deployment":
            assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items(), name
            assert chosen(spec["selector"]["matchLabels"]) == 1, f"{name} selects pods of another"
        elif o["kind"] == "Service":
            assert chosen(spec["selector"]), name
        elif o["kind"] == "PodDisruptionBudget":
            assert chosen(spec["selector"]["matchLabels"]), name
        elif o["kind"] == "NetworkPolicy":
            assert chosen(spec["podSelector"]["matchLabels"]), name
        elif o["kind"] == "HorizontalPodAutoscaler":
            aim = spec["scaleTargetRef"]
            assert any((x["kind"], x["metadata"]["name"]) == (aim["kind"], aim["name"]) for x in objects), name


def test_every_name_that_is_used_is_there(objects: list[dict[str, Any]]) -> None:
    there = {(o["kind"], o["metadata"]["name"]) for o in objects}
    for name, _, spec in pod_specs(objects):
        assert ("ServiceAccount", spec["serviceAccountName"]) in there, name
        for volume in spec["volumes"]:
            if claim := volume.get("persistentVolumeClaim"):
                assert ("PersistentVolumeClaim", claim["claimName"]) in there, name
        volumes = {volume["name"] for volume in spec["volumes"]}
        for container in spec["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} == volumes, name
            for source in container.get("envFrom", []):
                assert ("ConfigMap", source["configMapRef"]["name"]) in there, name
    for o in objects:
        if o["kind"] == "RoleBinding":
            assert ("Role", o["roleRef"]["name"]) in there


def test_no_secret_is_written_down(objects: list[dict[str, Any]]) -> None:
    assert not [o for o in objects if o["kind"] == "Secret"]
    for name, container in containers(objects):
        for variable in container["env"]:
            if SECRET_NAMES.search(variable["name"]) and "value" in variable:
                pytest.fail(f"{name}: {variable['name']} has its value in the manifest")
    for o in objects:
        if o["kind"] == "ConfigMap":
            assert not [k for k in o["data"] if SECRET_NAMES.search(k)], o["metadata"]["name"]


def test_whoever_writes_the_registry_shares_the_audit_record(objects: list[dict[str, Any]]) -> None:
    for name, container in containers(objects):
        variables = {variable["name"]: variable.get("valueFrom") for variable in container["env"]}
        if "DRAWOPS_MLFLOW" in variables:
            assert variables["DRAWOPS_RECORDS"] == {"secretKeyRef": {"name": "drawops", "key": "records"}}, name


def test_every_image_is_pinned(objects: list[dict[str, Any]]) -> None:
    for name, container in containers(objects):
        _, _, tag = container["image"].rpartition(":")
        assert tag and tag != "latest" and "/" not in tag, f"{name}: {container['image']}"


def test_every_container_asks_for_no_more_than_its_limits(objects: list[dict[str, Any]]) -> None:
    for name, container in containers(objects):
        wanted, limits = container["resources"]["requests"], container["resources"]["limits"]
        for resource in ("cpu", "memory"):
            assert amount(wanted[resource]) <= amount(limits[resource]), f"{name}: {resource}"


def amount(text: str) -> float:
    units = {"m": 1e-3, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "": 1}
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()  # type: ignore[union-attr]
    return float(number) * units[unit]


def test_every_pod_has_no_more_rights_than_it_needs(objects: list[dict[str, Any]]) -> None:
    for name, _, spec in pod_specs(objects):
        assert spec["securityContext"]["runAsNonRoot"] and spec["enableServiceLinks"] is False, name
        token = spec.get("automountServiceAccountToken", True)
        assert token == (spec["serviceAccountName"] == "drawops-control"), name
    for name, container in containers(objects):
        context = container["securityContext"]
        assert context["readOnlyRootFilesystem"] and not context["allowPrivilegeEscalation"], name
        assert context["capabilities"] == {"drop": ["ALL"]}, name
    for o in objects:
        if o["kind"] == "Role":
            for rule in o["rules"]:
                assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
                assert "secrets" not in rule["resources"]
        assert o["kind"] not in ("ClusterRole", "ClusterRoleBinding")


def test_a_server_is_asked_only_while_it_can_answer(objects: list[dict[str, Any]]) -> None:
    for name, _, spec in pod_specs(objects):
        for container in spec["containers"]:
            if "/server" not in container["image"]:
                continue
            probes = [container[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")]
            assert probes in (["/readyz", "/healthz"], ["/v2/health/ready", "/v2/health/live"]), name
            drain = next(float(v["value"]) for v in container["env"] if v["name"] == "DRAWOPS_DRAIN_S")
            assert 0 < drain < spec["terminationGracePeriodSeconds"] - 30, name
    for o in objects:
        if o["kind"] == "Deployment" and o["metadata"]["name"].startswith("drawops-server"):
            assert o["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
