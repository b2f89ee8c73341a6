"""What a Kubeflow Pipelines API answers, as far as our client asks: on loopback, and it keeps what it was sent.

Its answers have the form that a 2.17 backend was seen to give; it runs nothing.
"""

import json
import re
import threading
from contextlib import contextmanager
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse


class Backend:
    def __init__(self) -> None:
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: list[dict[str, Any]] = []
        self.packages: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, str] = {}
        self.tokens: set[str] = set()
        self.wanted_token = ""

    def end(self, run_id: str, state: str, tasks: list[dict[str, Any]], *, terminated: bool = False) -> None:
        """Let a run end, with the details that a backend would give."""
        run = self.runs[run_id]
        states = [*(["CANCELING"] if terminated else []), state]
        run |= {"state": state, "run_details": {"task_details": tasks}, "finished_at": "2026-01-01T00:01:00Z"}
        run["state_history"] = [{"state": s, "update_time": "2026-01-01T00:01:00Z"} for s in states]

    def tick(self, recurring_id: str) -> str:
        """Let a recurring run's time come. The run that a backend makes of it is named after the schedule."""
        schedule = self.recurring[recurring_id]
        run_id = f"r{len(self.runs) + 1}"
        self.runs[run_id] = {key: schedule[key] for key in ("pipeline_version_reference", "runtime_config")} | {
            "run_id": run_id,
            "recurring_run_id": recurring_id,
            "display_name": f"Run of {schedule['display_name']} ({run_id})",
            "state": "RUNNING",
            "created_at": "2026-01-01T02:00:00Z",
        }
        return run_id

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        if path.endswith("/healthz"):
            return 200, {"multi_user": False}
        if path.endswith("/experiments"):
            return 200, {"experiments": [{"experiment_id": "e1", "display_name": "drawops"}], "total_size": 1}
        if path.endswith("/pipelines/upload"):
            pipeline_id = f"p{len(self.pipelines) + 1}"
            # without a display name of its own, a pipeline shows its name
            names = {"name": query["name"], "display_name": query.get("display_name") or query["name"]}
            self.pipelines[query["name"]] = {"pipeline_id": pipeline_id, **names}
            return 200, self.pipelines[query["name"]]
        if path.endswith("/pipelines/upload_version"):
            version = {
                "pipeline_id": query["pipelineid"],
                "pipeline_version_id": f"v{len(self.versions) + 1}",
                "display_name": query["name"],
            }
            self.versions.append(version)
            self.packages[version["pipeline_version_id"]] = body
            return 200, version
        if path.endswith("/pipelines"):
            wanted = json.loads(query["filter"])["predicates"][0]["stringValue"]
            found = [p for name, p in self.pipelines.items() if name == wanted]
            return 200, {"pipelines": found} if found else {}
        if match := re.search(r"/pipelines/([^/]+)/versions$", path):
            return 200, {"pipeline_versions": [v for v in self.versions if v["pipeline_id"] == match[1]]}
        if match := re.search(r"/pipelines/([^/]+)$", path):
            found = next((p for p in self.pipelines.values() if p["pipeline_id"] == match[1]), None)
            return (200, found) if found else (404, {"message": f"pipeline {match[1]} not found"})
        if match := re.search(r"/runs/[^/]+/nodes/([^/]+)/log$", path):
            return 200, self.logs.get(match[1], '{"error_message": "no log"}')
        if match := re.search(r"/runs/([^/]+):terminate$", path):
            self.end(match[1], "FAILED", [], terminated=True)
            return 200, {}
        if path.endswith("/runs") and method == "POST":
            run_id = f"r{len(self.runs) + 1}"
            self.runs[run_id] = {**body, "run_id": run_id, "state": "RUNNING", "created_at": "2026-01-01T00:00:00Z"}
            return 200, self.runs[run_id]
        if path.endswith("/runs"):
            return 200, {"runs": list(self.runs.values())[::-1]}
        if match := re.search(r"/runs/([^/]+)$", path):
            found = self.runs.get(match[1])
            return (200, found) if found else (404, {"message": f"run {match[1]} not found"})
        if path.endswith("/recurringruns") and method == "POST":
            made = {**body, "recurring_run_id": f"c{len(self.recurring) + 1}"}
            self.recurring[made["recurring_run_id"]] = made
            return 200, made
        if path.endswith("/recurringruns"):
            return 200, {"recurringRuns": [r for r in self.recurring.values() if not r.get("deleted")]}
        if match := re.search(r"/recurringruns/([^/]+)$", path):
            self.recurring[match[1]]["deleted"] = True
            return 200, {}
        return 404, {"message": f"{method} {path}"}


@contextmanager
def serving(backend: Backend):
    class Handler(BaseHTTPRequestHandler):
        def handle_one(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            url = urlparse(self.path)
            query = {key: values[0] for key, values in parse_qs(url.query).items()}
            token = self.headers.get("authorization", "").removeprefix("Bearer ")
            if backend.wanted_token and token != backend.wanted_token:
                return self.reply(401, {"message": "Request header error: there is no valid token"})
            kind = self.headers.get("content-type", "")
            if kind.startswith("multipart/"):
                parts = BytesParser().parsebytes(f"content-type: {kind}\r\n\r\n".encode() + body)
                content = parts.get_payload()[0].get_payload(decode=True).decode()
            else:
                content = json.loads(body) if body else None
            self.reply(*backend.answer(self.command, url.path, query, content))

        def reply(self, status: int, value: Any) -> None:
            data = (value if isinstance(value, str) else json.dumps(value)).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = handle_one

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
