"""A plant on a real node, from the overlay to the rollback. The tests are one story and run in this order."""

import io
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.cluster import plant as plants
from tests.cluster.node import NAMESPACE, ROOT, Node, wait_for
from tests.conftest import needs
from tests.pictures import text_picture

pytestmark = pytest.mark.server
CLIENTS = 8
SERVER, CANARY = "drawops-server", "drawops-server-canary"
IMAGES = ("localhost/drawops/server:0.1.0", "localhost/drawops/trainer:0.1.0")


def picture() -> bytes:
    sheet = Image.new("RGB", (700, 300), "white")
    sheet.paste(Image.fromarray(text_picture("GEARBOX 128.5")), (150, 120))
    out = io.BytesIO()
    sheet.save(out, "PNG", dpi=(200, 200))
    return out.getvalue()


PICTURE = picture()


@dataclass
class Plant:
    node: Node
    servers: plants.Servers
    url: str

    def read(self, client: httpx.Client | None = None) -> dict[str, Any]:
        post = client.post if client else httpx.Client(trust_env=False, timeout=120).post
        answer = post(f"{self.url}/v1/read", files={"file": ("齿轮.png", PICTURE)}, data={"vector_text": "false"})
        answer.raise_for_status()
        return answer.json()

    def pods(self, track: str = "stable") -> list[dict[str, Any]]:
        labels = f"app.kubernetes.io/name={SERVER},drawops.io/track={track}"
        return [p for p in self.node.get("pods", "-l", labels)["items"] if "deletionTimestamp" not in p["metadata"]]

    def ready(self, track: str = "stable") -> list[str]:
        return [
            p["metadata"]["name"]
            for p in self.pods(track)
            if any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))
        ]

    def champion(self) -> str:
        return next(
            v["label"] for v in json.loads(self.node.drawops("model", "list", "--json")) if "champion" in v["aliases"]
        )


@dataclass
class Load:
    """What happened to the requests of some clients that never pause."""

    models: "Counter[str]" = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def summary(self) -> str:
        ordered = sorted(self.seconds)
        return (
            f"{len(ordered)} requests of {CLIENTS} clients: {len(self.failures)} failed, answered by {dict(self.models)}; "
            f"median {ordered[len(ordered) // 2]:.2f} s, p99 {ordered[int(len(ordered) * 0.99)]:.2f} s"
        )


@contextmanager
def under_load(plant: Plant) -> Iterator[Load]:
    load, stop = Load(), threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=120) as client:  # keeps its connection, as most clients do
            while not stop.is_set():
                started = time.monotonic()
                try:
                    load.models[plant.read(client).get("model") or "(none)"] += 1
                except Exception as exc:
                    load.failures.append(f"{type(exc).__name__}: {exc}")
                load.seconds.append(time.monotonic() - started)

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def plant(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    import subprocess

    for image in IMAGES:
        if subprocess.run(["podman", "image", "exists", image]).returncode:
            needs("kubernetes", f"there is no image {image} (infra/ci/podman images)")
    node.load(*IMAGES)
    with plants.running(tmp_path_factory.mktemp("厂")) as servers:
        node.kubectl("apply", "-f", str(ROOT / "infra/overlays/standalone/namespace.yaml"))
        literals = [f"--from-literal={key}={value}" for key, value in servers.secret.items()]
        node.kubectl("-n", NAMESPACE, "create", "secret", "generic", "drawops", *literals)
        node.kubectl("apply", "-k", str(ROOT / "infra/overlays/test"))
        open_volume(node)
        try:
            for name in ("drawops-control", SERVER):
                node.kubectl("-n", NAMESPACE, "rollout", "status", f"deployment/{name}", "--timeout=300s", timeout=320)
        except AssertionError:
            print(node.kubectl("-n", NAMESPACE, "describe", "pods"))
            print(
                node.kubectl(
                    "-n", NAMESPACE, "logs", "-l", f"app.kubernetes.io/name={SERVER}", "--tail=30", check=False
                )
            )
            print(node.kubectl("-n", NAMESPACE, "logs", "deploy/drawops-control", "--tail=30", check=False))
            raise
        address = node.get("service", SERVER)["spec"]["clusterIP"]
        yield Plant(node, servers, f"http://{address}")
        node.kubectl("delete", "namespace", NAMESPACE, "--timeout=120s", check=False)


def open_volume(node: Node) -> None:
    """The node's volumes are folders of this machine that root owns; a storage driver would heed fsGroup."""
    wait_for("volume", 60, lambda: node.get("pvc", "drawops-home")["status"]["phase"] == "Bound")
    volume = node.get("pvc", "drawops-home")["spec"]["volumeName"]
    Path(json.loads(node.kubectl("get", "pv", volume, "-o", "json"))["spec"]["hostPath"]["path"]).chmod(0o777)


def test_a_drawing_is_read_through_the_service_and_recorded_on_postgresql(plant: Plant) -> None:
    wait_for("two servers", 120, lambda: len(plant.ready()) == 2)
    reading = plant.read()
    assert reading["model"] == "v1.0"
    assert [line["text"] for line in reading["pages"][0]["lines"]] == ["GEARBOX 128.5"]
    again = httpx.get(f"{plant.url}/v1/readings/{reading['reading_id']}", trust_env=False)
    assert again.json()["file"] == "齿轮.png"


@pytest.mark.parametrize(
    ("account", "verb", "what", "allowed"),
    [
        ("drawops-server", "get", "secrets", "no"),
        ("drawops-server", "list", "pods", "no"),
        ("drawops-increment", "patch", "deployments.apps/drawops-server", "no"),
        ("drawops-control", "patch", "deployments.apps/drawops-server", "yes"),
        ("drawops-control", "patch", "deployments.apps/drawops-control", "no"),
        ("drawops-control", "create", "deployments.apps", "no"),
        ("drawops-control", "get", "secrets", "no"),
        ("drawops-control", "create", "pods/exec", "no"),
        ("default", "list", "pods", "no"),
    ],
)
def test_an_account_may_do_what_it_must_and_no_more(
    plant: Plant, account: str, verb: str, what: str, allowed: str
) -> None:
    user = f"system:serviceaccount:{NAMESPACE}:{account}"
    said = plant.node.kubectl("-n", NAMESPACE, "auth", "can-i", verb, what, "--as", user, check=False)
    assert said.strip().splitlines()[-1] == allowed or said.startswith(allowed)


def test_a_pod_is_refused_what_its_account_may_not(plant: Plant) -> None:
    code = (
        "from kubernetes import client, config\n"
        "config.load_incluster_config()\n"
        f"try: client.CoreV1Api().list_namespaced_secret('{NAMESPACE}')\n"
        "except client.ApiException as e: print('refused', e.status)"
    )
    where = ("-n", NAMESPACE, "exec", "deploy/drawops-control", "--", "python3", "-c", code)
    assert plant.node.kubectl(*where).strip() == "refused 403"
    token = "/var/run/secrets/kubernetes.io/serviceaccount/token"
    said = plant.node.kubectl("-n", NAMESPACE, "exec", f"deploy/{SERVER}", "--", "cat", token, check=False)
    assert "No such file" in said


def nightly(plant: Plant, name: str) -> str:
    """Run the CronJob now. Returns what it said."""
    node = plant.node
    node.kubectl("-n", NAMESPACE, "create", "job", "--from=cronjob/drawops-increment", name)
    began = time.monotonic()

    def ended() -> str:
        conditions = node.get("job", name).get("status", {}).get("conditions", [])
        return next(
            (c["type"] for c in conditions if c["status"] == "True" and c["type"] in ("Complete", "Failed")), ""
        )

    result = wait_for("end of the job", 1200, ended)
    log = node.kubectl("-n", NAMESPACE, "logs", f"job/{name}", "--tail=60", check=False)
    assert result == "Complete", log
    print(f"\n{name} took {time.monotonic() - began:.0f} s as a Job")
    return log


def test_the_nightly_job_ends_early_where_there_is_too_little_to_learn(plant: Plant) -> None:
    plant.node.drawops("synth", "/tmp/few", "-n", "1")
    plant.node.drawops("ingest", "/tmp/few", "--dataset", "drawings")
    said = nightly(plant, "too-early")
    why = r"\d+ new labelled lines and nothing was trained on 'drawings' yet \(100 are asked for\)"
    assert re.search(why, " ".join(said.split())), said
    assert [v["label"] for v in json.loads(plant.node.drawops("model", "list", "--json"))] == ["v1.0"]


def test_with_enough_new_labels_it_trains_and_its_candidate_waits_for_a_person(plant: Plant) -> None:
    node = plant.node
    node.drawops("synth", "/tmp/drawings", "-n", "8", "--seed", "5")
    node.drawops("ingest", "/tmp/drawings", "--dataset", "drawings")
    assert "v1.1" in nightly(plant, "increment-now")
    version = json.loads(node.drawops("model", "show", "v1.1", "--json"))
    assert (version["status"], version["base"]) == ("Pending", "v1.0")
    assert plant.champion() == "v1.0" == plant.read()["model"]


def test_a_version_nobody_approved_is_not_deployed(plant: Plant) -> None:
    said = plant.node.drawops("model", "deploy", "v1.1", check=False)
    assert "v1.1 is Pending" in said
    assert plant.read()["model"] == "v1.0"


def test_an_approval_rolls_out_under_load_without_a_lost_request(plant: Plant) -> None:
    with under_load(plant) as load:
        wait_for("answers", 120, lambda: load.models["v1.0"] > CLIENTS)
        plant.node.drawops("model", "approve", "v1.1", "--by", "李伟", "--why", "读得好")
        wait_for("answers of v1.1", 120, lambda: load.models["v1.1"] > CLIENTS)
    print(f"\nrollout: {load.summary()}")
    assert not load.failures
    assert set(load.models) == {"v1.0", "v1.1"}
    assert plant.champion() == "v1.1"
    assert {plant.read()["model"] for _ in range(6)} == {"v1.1"}
    assert "drawops-server: 2 of 2 pods ready for v1.1" in plant.node.drawops("doctor", "--json", check=False)
    told = {p["metadata"]["annotations"]["drawops.io/model-version"] for p in plant.pods()}
    assert told == {"v1.1"}


def test_applying_the_overlay_again_leaves_the_version(plant: Plant) -> None:
    before = plant.ready()
    plant.node.kubectl("apply", "-k", str(ROOT / "infra/overlays/test"))
    time.sleep(3)
    assert plant.ready() == before
    assert plant.read()["model"] == "v1.1"


def test_a_canary_answers_its_share_and_goes_without_a_lost_request(plant: Plant) -> None:
    with under_load(plant) as load:
        plant.node.drawops("model", "deploy", "v1.0", "--canary", "33", "--by", "李伟", "--why", "compare")
        assert len(plant.ready("canary")) == 1 and len(plant.ready()) == 2
        # connections stay where they are: the share is one of clients that come anew
        wait_for("answers of the canary", 60, lambda: plant.read()["model"] == "v1.0")
        plant.node.drawops("model", "deploy", "v1.0", "--canary", "0", "--by", "李伟", "--why", "seen enough")
    wait_for("end of the canary", 120, lambda: not plant.pods("canary"))
    print(f"\ncanary: {load.summary()}")
    assert not load.failures
    assert plant.champion() == "v1.1"
    lines = json.loads(plant.node.drawops("registry", "audit", "v1.0", "--json"))
    assert [line["why"] for line in lines if line["action"] == "canary"] == ["compare", "seen enough"]


def test_a_rollback_is_one_command_and_loses_no_request(plant: Plant) -> None:
    with under_load(plant) as load:
        plant.node.drawops("model", "rollback", "--by", "王芳", "--why", "⌀ misread")
    print(f"\nrollback: {load.summary()}")
    assert not load.failures
    assert plant.champion() == "v1.0" == plant.read()["model"]


def test_a_version_that_no_pod_can_serve_leaves_the_one_that_serves(plant: Plant) -> None:
    """Its files vanish from the store before the pods fetch them."""
    patch = {"spec": {"template": {"metadata": {"annotations": {"drawops.io/model-version": "v9.9"}}}}}
    plant.node.kubectl("-n", NAMESPACE, "patch", f"deployment/{SERVER}", "-p", json.dumps(patch))
    time.sleep(10)
    assert len(plant.ready()) >= 2
    assert {plant.read()["model"] for _ in range(4)} == {"v1.0"}
    plant.node.drawops("model", "deploy", "v1.0", "--by", "王芳", "--why", "as it was")
    assert {p["metadata"]["annotations"]["drawops.io/model-version"] for p in plant.pods()} == {"v1.0"}


def test_a_killed_pod_comes_back_and_the_others_answer(plant: Plant) -> None:
    victim, *others = plant.ready()
    plant.node.kubectl("-n", NAMESPACE, "delete", "pod", victim, "--grace-period=0", "--force")
    assert others
    wait_for("an answer", 30, lambda: plant.read()["model"] == "v1.0")
    wait_for("two servers", 120, lambda: len(plant.ready()) == 2 and victim not in plant.ready())


def test_without_its_kubelet_the_node_goes_on_reading(plant: Plant) -> None:
    plant.node.kill("kubelet")
    for _ in range(5):
        assert plant.read()["model"] == "v1.0"
    plant.node.up()  # starts what does not run
    plant.node.kubectl("-n", NAMESPACE, "delete", "pod", plant.ready()[0])
    wait_for("two servers", 180, lambda: len(plant.ready()) == 2)


PREPARE = """
import time
from pathlib import Path
from drawops.errors import Unavailable
from drawops.registry import ModelRegistry
from drawops.settings import load_settings

registry = ModelRegistry(load_settings())
model, passed = registry.fetch("v1.0"), {"passed": True, "reasons": ["for this test"]}

def register():
    return registry.register(model, mode="incremental", base="v1.0", dataset="drawings@0", verdict=passed).label
"""
REGISTER = PREPARE + "print(register())"
WORK = (
    PREPARE
    + """
Path("/tmp/stop").unlink(missing_ok=True)
while not Path("/tmp/stop").exists():
    try:
        label = register()
        registry.approve(label, "李伟", f"{label} reads well")
        print("approved", label, flush=True)
    except Unavailable as exc:
        print("refused", exc, flush=True)
        time.sleep(0.5)
"""
)


class Worker(threading.Thread):
    """Registers and approves versions in the home on the cluster, again and again."""

    def __init__(self, node: Node) -> None:
        super().__init__(daemon=True)
        self.node = node
        where = ("-n", NAMESPACE, "exec", "deploy/drawops-control", "--", "python3", "-c", WORK)
        self.process = node.start(*where)
        self.approved: list[str] = []
        self.lines: list[str] = []

    def run(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line)
            if line.startswith("approved "):
                self.approved.append(line.split()[1])

    def stop(self) -> None:
        """After what it is at."""
        self.node.kubectl("-n", NAMESPACE, "exec", "deploy/drawops-control", "--", "touch", "/tmp/stop")
        self.process.wait(timeout=180)

    def wait_for_more(self) -> None:
        """Until another version was approved: it goes on."""
        before = len(self.approved)

        def more() -> bool:
            assert self.process.poll() is None, "".join(self.lines[-30:])
            return len(self.approved) > before

        try:
            wait_for("another version", 180, more)
        except AssertionError:
            print("".join(self.lines[-30:]))
            raise


def check_nothing_is_lost(plant: Plant, approved: list[str]) -> None:
    """Every version is whole or not there, and every approval that was acknowledged stands."""

    def whole() -> bool:  # the watcher finishes what a kill left open
        return bool(json.loads(plant.node.drawops("registry", "verify", "--json", check=False))["ok"])

    try:
        wait_for("whole registry", 120, whole)
    except AssertionError:
        print(plant.node.drawops("registry", "verify", check=False))
        raise
    versions = {v["label"]: v for v in json.loads(plant.node.drawops("model", "list", "--json"))}
    assert {versions[label]["status"] for label in approved} == {"Approved"}
    for version in versions.values():
        assert version["status"] and version["sha256"], version
    decided = json.loads(plant.node.drawops("registry", "audit", "--json"))
    assert {line["subject"] for line in decided if line["action"] == "approve"} >= set(approved)


def test_each_server_is_killed_while_versions_are_registered_and_approved(plant: Plant) -> None:
    servers = plant.servers
    worker = Worker(plant.node)
    worker.start()
    try:
        for server in (servers.database, servers.objects, servers.mlflow):
            worker.wait_for_more()
            time.sleep(0.4)  # in the middle of the next one
            server.kill()
            if server is not servers.database:  # which keeps the readings
                assert plant.read()["model"] == "v1.0"
            time.sleep(2)
            server.start()
            worker.wait_for_more()
            assert plant.read()["model"] == "v1.0"
    finally:
        worker.stop()
    check_nothing_is_lost(plant, worker.approved)
    refused = sum(line.startswith("refused") for line in worker.lines)
    print(f"\nthree servers killed: {len(worker.approved)} versions registered and approved, {refused} times refused")


def test_the_watcher_is_killed_and_no_approval_is_lost(plant: Plant) -> None:
    node, selector = plant.node, "app.kubernetes.io/name=drawops-control"
    label = node.kubectl("-n", NAMESPACE, "exec", "deploy/drawops-control", "--", "python3", "-c", REGISTER).split()[-1]
    waiting = json.loads(node.drawops("model", "show", label, "--json"))
    assert waiting["status"] == "Pending"
    worker = Worker(node)
    worker.start()
    worker.wait_for_more()
    node.kubectl("-n", NAMESPACE, "delete", "pod", "-l", selector, "--grace-period=0", "--force")
    worker.process.wait(timeout=60)
    decide_in_the_ui(plant, waiting)  # while nobody watches
    node.kubectl("-n", NAMESPACE, "rollout", "status", "deployment/drawops-control", "--timeout=180s")
    wait_for("deployment of what was approved", 240, lambda: plant.champion() == waiting["label"])
    assert plant.read()["model"] == waiting["label"]
    check_nothing_is_lost(plant, worker.approved)
    line = json.loads(node.drawops("registry", "audit", waiting["label"], "--json"))[1]
    assert (line["who"], line["action"], line["source"]) == ("王芳", "approve", "mlflow-ui")


def decide_in_the_ui(plant: Plant, version: dict[str, Any]) -> None:
    """What the tags table of MLflow's UI sends."""
    tags = {"approved_by": "王芳", "approval_reason": "读得好", "approval_status": "Approved"}
    for key, value in tags.items():
        body = {"name": "drawing-ocr", "version": str(version["version"]), "key": key, "value": value}
        url = f"{plant.servers.mlflow.address}/ajax-api/2.0/mlflow/model-versions/set-tag"
        httpx.post(url, json=body, timeout=60, trust_env=False).raise_for_status()
