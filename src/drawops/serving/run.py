"""Run the server in this process, with the watcher beside it."""

import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from drawops.errors import SettingsError
from drawops.serving.access import is_loopback
from drawops.serving.keys import KeyRing, new_key
from drawops.serving.request_log import set_up_log
from drawops.serving.servers import registered
from drawops.settings import Settings

if TYPE_CHECKING:
    from types import FrameType

    import uvicorn


def run_server(
    settings: Settings, *, host: str, port: int, watch: bool, announce: Callable[[str], None], tied: bool = False
) -> None:
    """Serve until interrupted.

    Args:
        port: 0 takes a free one.
        watch: also take over decisions of the MLflow UI.
        announce: told the base URL.
        tied: end when standard input closes, as it does when the process that holds its other end is killed.

    Raises:
        SettingsError: the address can't be listened on, or others can reach it and there is no key.
    """
    import uvicorn

    from drawops.registry import ModelRegistry
    from drawops.serving.app import create_app

    exposed = not is_loopback(host)
    if exposed and settings.access == "auto" and not KeyRing(settings).all():
        raise SettingsError(
            f"On {host} others can reach this server, so it asks for keys, and there is none. Make one with "
            "`drawops key add NAME --role operator`, or set DRAWOPS_ACCESS=open where something else guards it."
        )
    set_up_log(settings)
    # Of many servers on one MLflow none may begin the registry: that is for the home that keeps the audit record.
    if not settings.serve and (watch or not settings.mlflow_uri.startswith("http")):
        ModelRegistry(settings).ensure_base()
    listener = _listen(host, port)
    address = f"http://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{listener.getsockname()[1]}"
    stop, wake = threading.Event(), threading.Event()
    secret, own_key = new_key("deployment", "operator")
    app = create_app(settings, wake=wake.set, exposed=exposed, own_key=own_key)
    config = uvicorn.Config(app, log_config=None, log_level="warning", access_log=False, timeout_graceful_shutdown=30)
    server = _draining_server(config, app.state.drain, settings.drain_s)
    with ExitStack() as stack:
        stack.callback(stop.set)
        stack.enter_context(registered(settings, address, secret))
        if watch:
            _start_watcher(settings, stop, wake)
        if tied:
            threading.Thread(target=_end_with_stdin, args=(server,), daemon=True, name="tied").start()
        announce(address)
        server.run(sockets=[listener])


def _draining_server(config: "uvicorn.Config", drain: threading.Event, seconds: float) -> "uvicorn.Server":
    """A server that, told to stop, says so for a while before it does: a load balancer sends it requests until it
    has seen /readyz fail, and clients keep connections open until an answer closes them."""
    import uvicorn

    class Draining(uvicorn.Server):
        def handle_exit(self, sig: int, frame: "FrameType | None") -> None:
            if drain.is_set() or not seconds:  # asked twice, it stops at once
                super().handle_exit(sig, frame)
                return
            drain.set()
            timer = threading.Timer(seconds, super().handle_exit, (sig, frame))
            timer.daemon = True
            timer.start()

    return Draining(config)


def _end_with_stdin(server: "uvicorn.Server") -> None:
    while os.read(0, 1):  # not sys.stdin, whose lock would abort the interpreter at shutdown
        pass
    server.should_exit = True


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Head and body of an answer are sent apart: without this the body waits 40 ms for the head's acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        raise SettingsError(f"Can't listen on {host}:{port}: {exc.strerror}. Choose another with --port.") from exc
    return listener


def _start_watcher(settings: Settings, stop: threading.Event, wake: threading.Event) -> None:
    from drawops.registry.watch import watch_and_deploy

    threading.Thread(target=watch_and_deploy, args=(settings, stop, None, wake), daemon=True, name="watch").start()
