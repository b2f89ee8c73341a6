"""The folder of a local run: <home>/runs/<id>/.

run.json      the request: pipeline, parameters, pid (written by the runner)
result.json   how it ended: status, outputs, error (written once, by the child or on cancelling)
events.jsonl  what the steps told
log.txt       everything that was printed
artifacts/    outputs of the steps
"""

import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class RunFiles:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.request = folder / "run.json"
        self.result = folder / "result.json"
        self.events = folder / "events.jsonl"
        self.log = folder / "log.txt"

    def read_request(self) -> dict[str, Any]:
        return json.loads(self.request.read_text(encoding="utf-8"))

    def write_request(self, **values: Any) -> None:
        _replace(self.request, values)

    def read_result(self) -> dict[str, Any] | None:
        try:
            return json.loads(self.result.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None

    def write_result(self, *, status: str, outputs: dict[str, Any] | None = None, error: str = "") -> bool:
        """Write how the run ended, unless that is known already; the first word stands."""
        if self.result.exists():
            return False
        finished = datetime.now(UTC).isoformat()
        _replace(self.result, {"status": status, "finished": finished, "outputs": outputs or {}, "error": error})
        return True

    def read_log(self) -> str:
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""


def _replace(path: Path, value: dict[str, Any]) -> None:
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=".tmp-")
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(value, out, ensure_ascii=False, indent=2, default=str)
    os.replace(partial, path)  # a reader never sees half a file
