"""A server in a process of its own, for as long as a block runs."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from drawops.errors import Unavailable
from drawops.serving.servers import call, url_of
from drawops.settings import Settings, child_environment, prepare_home


@contextmanager
def server_process(settings: Settings, *, watch: bool = True, timeout_s: float = 120.0) -> Iterator[str]:
    """Run `drawops serve` on a free port of this machine; gives its base URL once it is ready to read.

    Raises:
        Unavailable: it ended or was not ready in time; the message names its log.
    """
    prepare_home(settings)
    log = settings.home / "serve.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "drawops.cli",
                "serve",
                "--tied",
                "--port",
                "0",
                "--watch" if watch else "--no-watch",
            ],
            env=child_environment(settings),
            stdin=subprocess.PIPE,  # closes when this process ends, however it ends: the server ends too
            stdout=stream,
            stderr=stream,
        )
    try:
        yield _wait_until_ready(settings, process, log, timeout_s)
    finally:
        process.terminate()
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


def _wait_until_ready(settings: Settings, process: "subprocess.Popen[bytes]", log: Path, timeout_s: float) -> str:
    deadline = time.monotonic() + timeout_s
    reason = ""
    while time.monotonic() < deadline:
        if process.poll() is not None:
            said = (log.read_text(errors="replace").strip().splitlines() or [""])[-1]
            raise Unavailable(f"The server ended with exit code {process.returncode}: {said} Its log: {log}")
        try:
            if url := url_of(settings, process.pid):
                call("GET", f"{url}/readyz", timeout_s=5)
                return url
        except Unavailable as exc:
            reason = f" {exc}"
        time.sleep(0.1)
    raise Unavailable(f"The server was not ready after {timeout_s:.0f} s.{reason} Its log: {log}")
