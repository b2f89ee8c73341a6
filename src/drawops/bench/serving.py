"""`drawops bench serve`: many clients for many minutes, and whether the server's memory stays what it is.

Each server runs in a process of its own, alone; its clients are threads here, which keep their connections and ask again as
soon as they are answered. MLflow's scoring server gets the same model and the same drawings.
"""

import base64
import itertools
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from drawops.errors import InputRefused, Unavailable
from drawops.serving.process import server_process
from drawops.serving.servers import call, key_for, known_servers
from drawops.settings import Settings, child_environment, prepare_home

_SAMPLE_S = 5.0
_READY_S = 180.0
_PATIENCE_S = 600.0
_SEED = 90210  # drawings of this seed train nothing

Ask = Callable[[Any, Path], None]
"""Send one drawing with an httpx.Client; raises Unavailable for anything but a good answer."""


@dataclass(frozen=True)
class Target:
    """A server that is asked: `memory` gives its MB (RSS of all its processes), NaN where that can't be told."""

    name: str
    ask: Ask
    memory: Callable[[], float]


@dataclass
class ServeFigures:
    """Of one server. Times are milliseconds as the clients saw them. Memory in MB: the median of the first and of the
    last tenth of the minutes, after every client has sent every drawing, as caches grow with the shapes they see. `load`
    is the machine's load average over the last minute, at the end."""

    server: str
    clients: int
    minutes: float
    requests: int = 0
    errors: int = 0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    per_minute: float = 0.0
    start_mb: float = 0.0
    end_mb: float = 0.0
    peak_mb: float = 0.0
    load: float = 0.0
    first_errors: list[str] = field(default_factory=list)

    @property
    def growth(self) -> float:
        """Share by which memory grew."""
        return self.end_mb / self.start_mb - 1

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "growth": self.growth}


def soak(
    files: Sequence[Path],
    settings: Settings,
    model: Path,
    *,
    url: str = "",
    clients: int = 8,
    minutes: float = 10.0,
    mlflow_minutes: float = 0.0,
    say: Callable[[str], None] = lambda message: None,
) -> list[ServeFigures]:
    """
    Args:
        files: drawings; none: six are generated.
        model: directory of the model that a server started here serves, and MLflow's; a file is the base model.
        url: a server that runs already is asked instead of one started here.
        mlflow_minutes: so long MLflow's scoring server is asked afterwards.
    Raises:
        InputRefused: nothing to do. Unavailable: a server does not start.
    """
    if minutes <= 0 or clients < 1:
        raise InputRefused(f"{minutes} minutes, {clients} clients", "give more than none of each")
    with tempfile.TemporaryDirectory(prefix="drawops-bench-") as folder:
        drawings = list(files) or _generated(Path(folder, "drawings"))
        serve = str(model) if model.is_dir() else "base"
        home = prepare_home(
            settings.model_copy(update={"home": Path(folder, "home"), "records": "", "serve": serve, "rate_limit": ""})
        )
        with _named(url, settings) if url else _own(home) as target:
            figures = [_measured(target, drawings, clients, minutes, say)]
        if mlflow_minutes:
            with _mlflow(model, home, Path(folder)) as target:
                figures.append(_measured(target, drawings, clients, mlflow_minutes, say))
    return figures


def _generated(folder: Path) -> list[Path]:
    from drawops.drawings.synth import generate

    generate(folder, drawings=6, seed=_SEED, formats=("png",))
    return sorted(folder.glob("*.png"))


def _measured(
    target: Target, drawings: Sequence[Path], clients: int, minutes: float, say: Callable[[str], None]
) -> ServeFigures:
    say(f"{target.name}: {clients} clients, warming up, each with every drawing")
    figures = ServeFigures(target.name, clients, minutes)
    times: list[float] = []
    memory: list[float] = []
    lock, stop = threading.Lock(), threading.Event()

    def client(number: int, warm_up: bool) -> None:
        import httpx

        own = itertools.islice(itertools.cycle(drawings), number, number + len(drawings) if warm_up else None)
        with httpx.Client(timeout=_PATIENCE_S, trust_env=False) as connection:
            for drawing in own:
                if stop.is_set():
                    return
                started, error = time.perf_counter(), ""
                try:
                    target.ask(connection, drawing)
                except (Unavailable, httpx.HTTPError) as exc:
                    error = f"{type(exc).__name__}: {exc}"
                with lock:
                    figures.requests += 1
                    times.append(1000 * (time.perf_counter() - started))
                    if error:
                        figures.errors += 1
                        figures.first_errors = [*figures.first_errors, error][:5]

    _together(client, clients, True, lambda: None)
    if figures.errors:
        raise Unavailable(f"{target.name} failed before it was measured: {figures.first_errors[0]}")
    figures.requests = 0
    times.clear()
    say(f"{target.name}: {minutes:g} minutes, load average {os.getloadavg()[0]:.1f}")
    end = time.monotonic() + 60 * minutes

    def watch() -> None:
        while (left := end - time.monotonic()) > 0:
            memory.append(target.memory())
            time.sleep(min(_SAMPLE_S, left))
        stop.set()
        memory.append(target.memory())  # a busy machine may not have let one sample through

    _together(client, clients, False, watch)
    tenth = max(1, len(memory) // 10)
    figures.start_mb, figures.end_mb = median(memory[:tenth]), median(memory[-tenth:])
    figures.peak_mb, figures.load = max(memory), os.getloadavg()[0]
    figures.p50_ms, figures.p99_ms = (float(v) for v in np.percentile(times, [50, 99]))
    figures.per_minute = figures.requests / minutes
    say(
        f"{target.name}: {figures.requests} requests, {figures.errors} errors, p50 {figures.p50_ms:.0f} ms, "
        f"p99 {figures.p99_ms:.0f} ms, {figures.start_mb:.0f} MB at first, {figures.end_mb:.0f} MB at the end"
    )
    return figures


def _together(client: Callable[[int, bool], None], count: int, warm_up: bool, meanwhile: Callable[[], None]) -> None:
    threads = [threading.Thread(target=client, args=(number, warm_up)) for number in range(count)]
    for thread in threads:
        thread.start()
    meanwhile()
    for thread in threads:
        thread.join()


def _upload_to(url: str, key: str = "") -> Ask:
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def ask(connection: Any, drawing: Path) -> None:
        files, data = {"file": (drawing.name, drawing.read_bytes())}, {"vector_text": "false"}
        answer = connection.post(f"{url}/v1/read", headers=headers, files=files, data=data)
        if answer.status_code != 200 or not answer.json()["model"]:
            raise Unavailable(f"{answer.status_code}: {answer.text[:200]}")

    return ask


@contextmanager
def _own(home: Settings) -> Iterator[Target]:
    with server_process(home, watch=False) as url:
        yield Target("DrawOps", _upload_to(url), _memory_of_children)


@contextmanager
def _named(url: str, settings: Settings) -> Iterator[Target]:
    url = url.rstrip("/")
    key = key_for(settings, url) if url in known_servers(settings) else settings.server_key
    call("GET", f"{url}/v1/model", key=key)

    def memory() -> float:
        import httpx

        headers = {"Authorization": f"Bearer {key}"} if key else {}
        told = httpx.get(f"{url}/metrics", headers=headers, timeout=60, trust_env=False).text.splitlines()
        found = [float(line.split()[1]) for line in told if line.startswith("process_resident_memory_bytes ")]
        return found[0] / 1e6 if found else float("nan")

    yield Target(url, _upload_to(url, key), memory)


@contextmanager
def _mlflow(model: Path, home: Settings, folder: Path) -> Iterator[Target]:
    """`mlflow models serve` with its defaults, in this Python."""
    from drawops.bench.pyfunc import save

    path, port = save(model, folder / "pyfunc"), _free_port()
    url, log = f"http://127.0.0.1:{port}", folder / "mlflow.log"
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(path), "--env-manager", "local"]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*command, "-h", "127.0.0.1", "-p", str(port)], env=child_environment(home), stdout=stream, stderr=stream
        )

    def ask(connection: Any, drawing: Path) -> None:
        body = {"inputs": [base64.b64encode(drawing.read_bytes()).decode()]}
        answer = connection.post(f"{url}/invocations", json=body)
        if answer.status_code != 200 or '\\"pages\\"' not in answer.text:
            raise Unavailable(f"{answer.status_code}: {answer.text[:200]}")

    try:
        _wait_for(url, process, log)
        yield Target("mlflow models serve", ask, _memory_of_children)
    finally:
        _stop(process)


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            import httpx

            if httpx.get(f"{url}/ping", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise Unavailable(f"mlflow models serve did not start: {log.read_text(errors='replace')[-500:]}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """With the workers that it started."""
    import psutil

    try:
        parent = psutil.Process(process.pid)
        family = [*parent.children(recursive=True), parent]
    except psutil.NoSuchProcess:  # it has ended by itself
        family = []
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.terminate()
    _, alive = psutil.wait_procs(family, timeout=20)
    for one in alive:
        one.kill()
    process.wait()


def _memory_of_children() -> float:
    """MB of the processes that this one has started; it runs one server at a time."""
    import psutil

    total = 0
    for child in psutil.Process().children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
