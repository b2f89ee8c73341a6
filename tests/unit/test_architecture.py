"""Which way imports run, and what `drawops --help` may load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[2] / "src" / "drawops"
# A module may import from its own layer's entry and from everything below it.
LAYERS = [
    {"errors", "settings", "resources", "costs", "files"},
    {"storage"},
    {"drawings"},
    {"datasets"},
    {"dimensions"},
    {"ocr"},
    {"training", "evaluation", "similarity"},
    {"registry"},
    {"reading"},
    {"serving"},
    {"runners", "steps"},
    {"backup", "bench", "demo", "doctor"},
    {"cli"},
]
LEVEL = {name: i for i, layer in enumerate(LAYERS) for name in layer}
FORBIDDEN_LIBRARIES = {
    "training": {"kfp", "mlflow", "boto3", "opensearchpy"},
    "ocr": {"kfp", "mlflow", "boto3", "opensearchpy", "paddle", "torch"},
    "drawings": {"kfp", "mlflow", "boto3", "paddle", "torch", "onnxruntime"},
    "serving": {"kfp", "torch", "paddle"},
}
MODULES = sorted(SRC.rglob("*.py"))


def imports_of(path: Path) -> set[str]:
    """Dotted names that a module imports anywhere, also inside functions (but not for type checking only)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    names: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(path: Path) -> str:
    return path.relative_to(SRC).with_suffix("").parts[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(SRC).as_posix())
def test_imports_run_down_the_layers(path: Path) -> None:
    room = room_of(path)
    for name in imports_of(path):
        parts = name.split(".")
        if parts[0] != "drawops" or len(parts) < 2 or parts[1] not in LEVEL or room not in LEVEL:
            continue
        assert LEVEL[parts[1]] <= LEVEL[room], f"{room} imports {name}, which is above it"


@pytest.mark.parametrize("room", sorted(FORBIDDEN_LIBRARIES))
def test_a_room_imports_no_backend_it_does_not_use(room: str) -> None:
    for path in (p for p in MODULES if room_of(p) == room):
        used = {name.split(".")[0] for name in imports_of(path)}
        assert not used & FORBIDDEN_LIBRARIES[room], path


def test_only_settings_reads_the_environment() -> None:
    readers = {
        p.relative_to(SRC).as_posix()
        for p in MODULES
        if "os.environ.get" in (text := p.read_text(encoding="utf-8")) or "os.getenv" in text
    }
    # a run tells its child process through the environment where to report
    assert readers <= {"settings.py", "runners/events.py", "runners/local_child.py"}


def test_help_loads_no_heavy_library() -> None:
    heavy = "torch paddle mlflow kfp numpy cv2 onnxruntime fastapi matplotlib sqlalchemy pandas sklearn".split()  # noqa: SIM905 (easier to read)
    code = f"import sys, drawops.cli; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
