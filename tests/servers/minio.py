"""A real MinIO server for tests, from `../shared/minio` (see its README)."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import needs
from tests.servers.ports import free_port

SCRIPT = Path(os.environ.get("DRAWOPS_SHARED", Path(__file__).parents[3] / "shared")) / "minio" / "minio"


class Minio:
    """One server on 127.0.0.1; its folder outlives a stop and a kill."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder, self.port, self.environment = folder, free_port(), environment

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        done = self._run("start")
        assert done.returncode == 0, done.stderr + done.stdout

    def stop(self) -> None:
        self._run("stop")

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        pid = int((self.folder / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        while (status := Path(f"/proc/{pid}/status")).exists() and "State:\tZ" not in status.read_text():
            time.sleep(0.01)

    def _run(self, action: str) -> "subprocess.CompletedProcess[str]":
        command = [str(SCRIPT), action, "--port", str(self.port), "--dir", str(self.folder)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=120, env={**os.environ, **self.environment}
        )


@contextmanager
def running(folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[Minio]:
    """A server that answers; the test skips (or fails, see `needs`) where there is none."""
    if not SCRIPT.is_file():
        needs("minio", f"there is no {SCRIPT}")
    server = Minio(folder, environment or {})
    server.start()
    try:
        yield server
    finally:
        server.stop()
