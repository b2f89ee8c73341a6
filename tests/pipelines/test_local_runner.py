"""LocalRunner on a toy pipeline: what it does with success, failure, cancelling, killing and odd paths."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from drawops.errors import Conflict, NotFound, StepFailed
from drawops.runners.local import LocalRunner
from drawops.settings import load_settings

TOY = """
from kfp import compiler, dsl
from kfp.dsl import Dataset, Input, Output

component = lambda f: dsl.component(f, base_image="x:1", packages_to_install=[], install_kfp_package=False)

@component
def write(text: str, folder: str, data: Output[Dataset]):
    from pathlib import Path
    from drawops.runners.events import emit, reported
    def step():
        with open(Path(folder, "written"), "a") as calls:
            calls.write("x")
        Path(data.path).write_text(text)
        emit("progress", "write", done=1, total=1)
    reported("write")(step)()

@component
def work(data: Input[Dataset], how: str) -> str:
    import os, signal, time
    from drawops.errors import InputRefused
    from drawops.runners.events import reported
    def step():
        text = open(data.path).read()
        if how == "refuse":
            raise InputRefused("图纸.pdf", "is encrypted")
        if how == "crash":
            return {}["no such key"]
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "sleep":
            time.sleep(120)
        return text.upper()
    return reported("work")(step)()

@dsl.pipeline(name="toy")
def toy(folder: str, text: str = "abc ⌀", how: str = "") -> str:
    written = write(text=text, folder=folder).set_caching_options(True)
    worked = work(data=written.outputs["data"], how=how).set_caching_options(False)
    return worked.output

import sys
compiler.Compiler().compile(toy, sys.argv[1])
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy.py").write_text(TOY, encoding="utf-8")
    subprocess.run([sys.executable, "-W", "ignore", folder / "toy.py", folder / "toy.yaml"], check=True)
    return folder / "toy.yaml"


@pytest.fixture
def runner(tmp_path) -> LocalRunner:
    return LocalRunner(load_settings(tmp_path / "a home 图纸 python3"))


def run(runner, package, **parameters):
    runner.settings.home.mkdir(parents=True, exist_ok=True)
    return runner.submit("toy", package, {"folder": str(runner.settings.home), **parameters})


def wait_until_step_runs(run, step: str) -> None:
    deadline = time.monotonic() + 30
    while not any(s.name == step and s.status == "running" for s in run.steps):
        assert time.monotonic() < deadline, run.logs()
        time.sleep(0.05)


def processes_of(run) -> list[psutil.Process]:
    """Every live process that works in the folder of the run."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(run.record.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_run_gives_its_outputs_even_below_a_path_with_spaces_chinese_and_python3(runner, package):
    events = []
    done = run(runner, package).wait(on_event=events.append)
    assert done.status == "succeeded"
    assert done.outputs() == {"Output": "ABC ⌀"}
    assert [(s.name, s.status) for s in done.steps] == [("write", "succeeded"), ("work", "succeeded")]
    assert all(s.peak_mb > 5 and s.seconds >= 0 for s in done.steps)
    assert ("progress", "write") in [(e["event"], e["step"]) for e in events]
    assert "executor_input" in done.logs()


def test_a_step_that_is_cached_runs_once_and_is_shown_as_reused(runner, package):
    run(runner, package).wait()
    second = run(runner, package).wait()
    assert [s.status for s in second.steps] == ["reused", "succeeded"]
    assert Path(runner.settings.home, "written").read_text() == "x"


def test_a_refusal_in_a_step_comes_back_as_its_own_sentence(runner, package):
    with pytest.raises(StepFailed) as failure:
        run(runner, package, how="refuse").wait()
    assert failure.value.step == "work"
    assert failure.value.cause.splitlines()[0] == "图纸.pdf: is encrypted"


def test_a_crash_in_a_step_comes_back_with_type_message_and_place(runner, package):
    failed = run(runner, package, how="crash")
    with pytest.raises(StepFailed, match="KeyError: 'no such key'") as failure:
        failed.wait()
    assert 'return {}["no such key"]' in failure.value.cause
    assert str(failed.record.folder / "log.txt") in failure.value.cause
    assert [s.status for s in failed.steps] == ["succeeded", "failed"]


def test_a_step_that_is_killed_is_named(runner, package):
    with pytest.raises(StepFailed, match=r"'work'.*out of memory"):
        run(runner, package, how="killed").wait()


def test_cancelling_ends_every_process_of_the_run(runner, package):
    cancelled = run(runner, package, how="sleep")
    wait_until_step_runs(cancelled, "work")
    assert len(processes_of(cancelled)) >= 2
    cancelled.cancel()
    assert cancelled.status == "cancelled"
    assert processes_of(cancelled) == []
    with pytest.raises(Conflict, match="cancelled"):
        cancelled.wait()


def test_a_run_whose_process_was_killed_is_failed_and_leaves_no_step_behind(runner, package):
    killed = run(runner, package, how="sleep")
    wait_until_step_runs(killed, "work")
    os.kill(runner._processes[killed.id].pid, signal.SIGKILL)
    with pytest.raises(StepFailed):
        killed.wait(timeout_s=20)
    assert processes_of(killed) == []


def test_a_run_of_another_machine_with_the_same_home_is_left_alone(runner, package, monkeypatch):
    going = run(runner, package, how="sleep")
    wait_until_step_runs(going, "work")
    with monkeypatch.context() as patch:
        patch.setattr("socket.gethostname", lambda: "drawops-control-0")
        seen = LocalRunner(runner.settings).get(going.id)
        assert seen.record.status == "running"
        with pytest.raises(Conflict, match="delete its Job"):
            seen.cancel()
        folder = seen.record.folder
        for name in ("log.txt", "events.jsonl"):
            os.utime(folder / name, (0, 0))
        silent = seen.record
        assert silent.status == "failed" and "nothing was heard" in silent.cause
        assert not (folder / "result.json").exists()
    assert going.record.status == "running"
    assert len(processes_of(going)) > 0
    going.cancel()


SUBMIT_AND_WAIT = """
import sys
from pathlib import Path
import typer
from drawops.cli._run_view import follow
from drawops.runners.local import LocalRunner
from drawops.settings import load_settings
settings = load_settings(sys.argv[1])
settings.home.mkdir(parents=True)
runner = LocalRunner(settings, tied=sys.argv[3] == "tied")
run = runner.submit("toy", Path(sys.argv[2]), {"folder": sys.argv[1], "how": "sleep"})
print(run.id, flush=True)
try:
    follow(run, ("write", "work"))
except typer.Exit as end:
    sys.exit(end.exit_code)
"""


def submitted_elsewhere(tmp_path, package, how: str):
    """A run that another process submitted and waits for."""
    home = tmp_path / "home"
    command = [sys.executable, "-c", SUBMIT_AND_WAIT, home, package, how]
    # What runs in the background of a shell ignores Ctrl-C, and so do its children.
    listens = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    parent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=listens)
    run_id = parent.stdout.readline().strip()
    run = LocalRunner(load_settings(home)).get(run_id)
    wait_until_step_runs(run, "work")
    return parent, run


def test_a_tied_run_ends_when_the_process_that_waits_is_killed(tmp_path, package):
    parent, tied = submitted_elsewhere(tmp_path, package, "tied")
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while processes_of(tied) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_of(tied) == []
    assert tied.status == "cancelled"


def test_ctrl_c_cancels_the_run_and_ends_with_130(tmp_path, package):
    parent, interrupted = submitted_elsewhere(tmp_path, package, "tied")
    parent.send_signal(signal.SIGINT)
    assert parent.wait(timeout=30) == 130
    assert interrupted.status == "cancelled"
    assert processes_of(interrupted) == []


def test_a_free_run_goes_on_when_its_parent_is_killed_and_can_be_taken_up_again(tmp_path, package):
    parent, free = submitted_elsewhere(tmp_path, package, "free")
    parent.kill()
    parent.wait()
    time.sleep(0.5)
    assert free.status == "running"
    assert [r.id for r in free.runner.list()] == [free.id]
    free.cancel()
    assert processes_of(free) == []


def test_an_unknown_run_is_not_found(runner):
    with pytest.raises(NotFound, match="No run 'toy-1'"):
        runner.get("toy-1")


def test_a_step_costs_at_most_0_3_s_over_its_own_work(runner, package):
    """CPU seconds, because other jobs share the machine: kfp's bookkeeping, a new interpreter, its end."""
    events = []
    done = run(runner, package).wait(on_event=events.append)
    spent = {e["event"]: e["cpu_seconds"] for e in events if e["event"] in ("loaded", "ended")}
    own_work = sum(step.cpu_seconds for step in done.steps)
    assert (spent["ended"] - spent["loaded"] - own_work) / len(done.steps) <= 0.3
