"""The MLflow UI of this home, in a child process on loopback."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from drawops.errors import SettingsError, Unavailable
from drawops.registry.tracking import artifact_root
from drawops.settings import Settings, child_environment

START_TIMEOUT_S = 300  # 13 s of CPU, which can take minutes on a busy machine; one that dies is noticed at once


def page_of(settings: Settings, address: str) -> str:
    """Where the model versions are listed."""
    return f"{address.rstrip('/')}/#/models/{settings.model_name}"


def how_to_decide(settings: Settings) -> str:
    return (
        f"To decide on a version: open it in the list of '{settings.model_name}', and in its Tags table set, in this "
        "order,\n"
        "  approved_by      your name\n"
        "  approval_reason  why\n"
        "  approval_status  Approved or Rejected\n"
        "`drawops serve` or `drawops watch` must run: it records the decision and deploys what was approved."
    )


@contextmanager
def mlflow_ui(settings: Settings, port: int) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the UI and yield (address, process) once it answers; it ends with the block. `port` 0 takes a free one.

    Raises:
        SettingsError: the port is taken.
        Unavailable: it did not start; the message holds its last words.
    """
    port = _free_port(port)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", settings.mlflow_uri, "--default-artifact-root", artifact_root(settings) or ""),
    ]
    environment = child_environment(settings) | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves 1 GB; nothing here runs jobs in the server
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
    }
    log = settings.cache / "mlflow-ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    address = f"http://127.0.0.1:{port}"
    with log.open("wb") as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        if not _answers(address, process):
            words = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-3:]
            raise Unavailable(f"The MLflow UI did not start (see {log}): {' '.join(words) or 'no answer'}")
        yield address, process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port(port: int) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as exc:
            raise SettingsError(f"Port {port} can't be used: {exc.strerror}. Choose another with --port.") from exc
        return int(listener.getsockname()[1])


def _answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urlopen(f"{address}/health", timeout=2):
                return True
        except (URLError, OSError):
            time.sleep(0.2)
    return False
