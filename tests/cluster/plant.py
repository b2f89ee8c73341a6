"""What stands beside the cluster at a plant: PostgreSQL, MinIO, OpenSearch and MLflow on this machine."""

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.node import HOST, wait_for
from tests.servers import minio, opensearch, postgresql
from tests.servers.ports import free_port


@dataclass
class Servers:
    """What runs beside the cluster; each can be killed and started again."""

    database: postgresql.PostgreSQL
    objects: minio.Minio
    mlflow: "MlflowServer"
    secret: dict[str, str]
    """Keys of the Secret `drawops`, which name the servers to the pods."""


KEYS = {"AWS_ACCESS_KEY_ID": "drawops", "AWS_SECRET_ACCESS_KEY": "drawops-secret", "AWS_REGION": "us-east-1"}


@contextmanager
def running(folder: Path) -> Iterator[Servers]:
    with ExitStack() as stack:
        database = stack.enter_context(postgresql.running(options=""))  # it is killed: what it said is there must be
        for name in ("mlflow", "records"):
            database.sql(f"create database {name} owner mlflow")
        objects = stack.enter_context(minio.running(folder / "minio"))
        shapes = stack.enter_context(opensearch.running(folder / "opensearch"))
        for port in (database.port, objects.port, shapes.port):
            stack.enter_context(forwarded(port))
        make_buckets(objects.endpoint, "mlflow", "drawings")
        # MLflow hands out addresses of the store, so it has to know it as pods do.
        store = f"http://{HOST}:{objects.port}"
        mlflow = MlflowServer(database.url("mlflow"), store, folder / "mlflow.log")
        stack.callback(mlflow.kill)
        mlflow.start()
        secret = {
            "mlflow": mlflow.address,
            "records": f"postgresql://mlflow:mlflow@{HOST}:{database.port}/records",
            "index": f"opensearch://{HOST}:{shapes.port}/shapes",
            "objects": f"s3://drawings?endpoint=http://{HOST}:{objects.port}",
            "accesskey": KEYS["AWS_ACCESS_KEY_ID"],
            "secretkey": KEYS["AWS_SECRET_ACCESS_KEY"],
        }
        yield Servers(database, objects, mlflow, secret)


def make_buckets(endpoint: str, *names: str) -> None:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=KEYS["AWS_REGION"],
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )
    for name in names:
        client.create_bucket(Bucket=name)


class MlflowServer:
    """MLflow as a plant runs it: its database on PostgreSQL, its artifacts on S3, handed through by the server."""

    def __init__(self, database: str, s3: str, log: Path) -> None:
        port = free_port()
        self.address = f"http://{HOST}:{port}"
        self._log = log
        self._command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]
        self._command += ["--backend-store-uri", database.replace("postgresql://", "postgresql+psycopg2://")]
        self._command += ["--artifacts-destination", "s3://mlflow", "--serve-artifacts", "--allowed-hosts", "*"]
        self._command += ["--workers", "1"]
        self._environment = {**KEYS, "MLFLOW_S3_ENDPOINT_URL": s3, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("a") as stream:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        wait_for("MLflow", 120, lambda: answers(f"{self.address}/health"))

    def kill(self) -> None:
        """SIGKILL to the server and its workers."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None


def answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return bool(opener.open(url, timeout=3).status == 200)
    except OSError:
        return False


@contextmanager
def forwarded(port: int) -> Iterator[None]:
    """Pods reach this machine on HOST only, the servers listen on 127.0.0.1: pass connections on."""
    with closing(socket.create_server((HOST, port))) as listener:
        threading.Thread(target=_accept, args=(listener, port), daemon=True).start()
        yield
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, port: int) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        try:
            server = socket.create_connection(("127.0.0.1", port))
        except OSError:  # it is down: so is its address
            client.close()
            continue
        for source, target in ((client, server), (server, client)):
            threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
