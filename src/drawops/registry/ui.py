"""The MLflow server of this home, with its UI, in a child process."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from drawops.errors import MissingExtra, SettingsError, Unavailable
from drawops.registry.accounts import accounts_uri, service_account
from drawops.registry.tracking import artifact_root, mlflow_environment
from drawops.registry.webhook import webhook_environment
from drawops.settings import Settings, child_environment

START_TIMEOUT_S = 300  # 13 s of CPU, which can take minutes on a busy machine; one that dies is noticed at once


def page_of(settings: Settings, address: str) -> str:
    """Where the model versions are listed."""
    return f"{address.rstrip('/')}/#/models/{settings.model_name}"


def how_to_decide(settings: Settings) -> str:
    if settings.sign_in:
        return (
            f"To decide on a version: sign in, open it in the list of '{settings.model_name}', and in its Tags table "
            "set\n"
            "  approval_reason  why\n"
            "  approval_status  Approved or Rejected\n"
            "Your name is recorded. `drawops serve` or `drawops watch` must run: it deploys what was approved."
        )
    return (
        f"To decide on a version: open it in the list of '{settings.model_name}', and in its Tags table set, in this "
        "order,\n"
        "  approved_by      your name\n"
        "  approval_reason  why\n"
        "  approval_status  Approved or Rejected\n"
        "`drawops serve` or `drawops watch` must run: it records the decision and deploys what was approved."
    )


@contextmanager
def mlflow_ui(settings: Settings, port: int, host: str = "127.0.0.1") -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the server and yield (address, process) once it answers; it ends with the block. `port` 0 takes a free one.

    Raises:
        SettingsError: the port is taken, or settings of the sign-in are missing.
        Unavailable: it did not start; the message holds its last words.
    """
    if host not in ("127.0.0.1", "localhost", "::1") and not settings.sign_in:
        raise SettingsError(
            f"Without sign-in, whoever reaches {host} could decide under any name. Set DRAWOPS_SIGN_IN=true and "
            "DRAWOPS_MLFLOW_PASSWORD, or leave --host away."
        )
    port = _free_port(host, port)
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", host, "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", settings.mlflow_uri, "--default-artifact-root", artifact_root(settings) or ""),
    ]
    environment = child_environment(settings) | {
        **mlflow_environment(settings),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # saves 1 GB; nothing here runs jobs in the server
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_LOGGING_LEVEL": "WARNING",
        **webhook_environment(settings),
    }
    if settings.sign_in:
        command += ["--app-name", "drawops"]
        environment |= _sign_in(settings)
    log = settings.cache / "mlflow-ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    address = f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"
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


def _sign_in(settings: Settings) -> dict[str, str]:
    """What MLflow's basic-auth reads from the environment and from a file."""
    from importlib.util import find_spec

    if find_spec("flask_wtf") is None:
        raise MissingExtra("Sign-in", "servers")
    if len(settings.mlflow_password) < 12:
        raise SettingsError(
            "Sign-in needs DRAWOPS_MLFLOW_PASSWORD (12 characters or more): the password of DrawOps' own account "
            f"'{service_account(settings)}', which also administers the others. DRAWOPS_MLFLOW_PASSWORD_FILE reads it "
            "from a file."
        )
    config = settings.home / "mlflow-auth.ini"
    config.touch(mode=0o600)
    config.write_text(
        # a page asks dozens of times, and each check of a password is slow by design
        f"[mlflow]\ndefault_permission = READ\nadmin_username = {service_account(settings)}\n"
        "auth_cache_ttl_seconds = 10\n"
        f"database_uri = {accounts_uri(settings).replace('%', '%%')}\n",
        encoding="utf-8",
    )
    return {
        "MLFLOW_AUTH_CONFIG_PATH": str(config),
        "MLFLOW_AUTH_ADMIN_USERNAME": service_account(settings),
        "MLFLOW_AUTH_ADMIN_PASSWORD": settings.mlflow_password,
    }


def _free_port(host: str, port: int) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
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
