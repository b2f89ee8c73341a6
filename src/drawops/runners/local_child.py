"""One local run: `python -m drawops.runners.local_child RUN_FOLDER`, started by LocalRunner.

kfp.local keeps process-wide state and prints a lot; a process of its own gives every run its own state, a log
file and something that can be cancelled.
"""

import os
import shutil
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from drawops.costs import cpu_seconds
from drawops.runners.events import EVENTS_VARIABLE, emit
from drawops.runners.run_files import RunFiles


def main(folder: Path) -> int:
    files = RunFiles(folder)
    request = files.read_request()
    if request["tied"]:
        threading.Thread(target=_end_with_parent, args=(files,), daemon=True).start()
    os.environ[EVENTS_VARIABLE] = str(files.events)
    _make_python3_this_one()
    try:
        outputs = _run(request, files)
    except Exception as exc:
        # kfp's own error only names the task; the step has told the real cause in its events.
        files.write_result(status="failed", error=f"{type(exc).__name__}: {exc}")
        print(f"{type(exc).__name__}: {exc}", flush=True)
        return 1
    files.write_result(status="succeeded", outputs=outputs)
    return 0


def _run(request: dict[str, Any], files: RunFiles) -> dict[str, Any]:
    warnings.simplefilter("ignore")  # kfp warns about image and resources, which mean nothing here
    from kfp import components, local

    folder, package, parameters = files.folder, Path(request["package"]), request["parameters"]
    runner = local.SubprocessRunner(use_venv=False)
    if request["containers"]:
        from drawops.runners.containers import container_runner, resolve_image

        runner = container_runner(request["id"], Path(os.environ["DRAWOPS_HOME"]))
        package = resolve_image(package, parameters, folder / "package.yaml")
    local.init(
        runner=runner,
        pipeline_root=str(folder / "artifacts"),
        # A folder that kfp deletes after the run: nothing of ours may lie in it.
        workspace_root=str(folder / "workspace"),
        enable_caching=True,
        cache_root=request["step_cache"],
    )
    pipeline = components.load_component_from_file(str(package))
    emit("loaded", "", cpu_seconds=cpu_seconds())
    run = pipeline(**parameters)
    emit("ended", "", cpu_seconds=cpu_seconds())
    if request["containers"]:
        from drawops.runners.containers import check_ended

        check_ended(files)
    return {name: _plain(name, value, folder) for name, value in run.outputs.items()}


def _plain(name: str, output: Any, folder: Path) -> Any:
    """A parameter's value, an artifact's path. A page gets a name that a browser opens: kfp's has no suffix."""
    from kfp.dsl import HTML, Artifact

    if not isinstance(output, Artifact):
        return output
    if isinstance(output, HTML):
        return shutil.copyfile(output.path, folder / f"{name}.html")
    return output.path


def _make_python3_this_one() -> None:
    """Let the steps find this interpreter as `python3`.

    kfp.local puts sys.executable unquoted into a shell line, and over every 'python3' in the step's arguments:
    a space in the path, or a home below `…/python3.11/…`, would break the step. With the interpreter's folder in
    front of PATH, where `child_environment` put it, both replacements become harmless.
    """
    if Path(sys.executable).with_name("python3").exists():
        sys.executable = "python3"


def _end_with_parent(files: RunFiles) -> None:
    """Our stdin is a pipe whose other end the parent holds: it closes when the parent ends, however it ends."""
    # os.read, not sys.stdin: a thread that holds sys.stdin's lock at shutdown makes the interpreter abort
    while os.read(0, 1):
        pass
    files.write_result(status="cancelled", error="the process that waited for this run has ended")
    os.killpg(os.getpgid(0), signal.SIGTERM)
    time.sleep(5)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
