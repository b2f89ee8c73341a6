"""Files that ship with DrawOps: gates and model cards (registry/), compiled pipeline packages."""

from pathlib import Path

_HERE = Path(__file__).resolve().parent


def registry_dir() -> Path:
    """`registry/` of the checkout, or its copy inside the wheel."""
    packed = _HERE / "_registry"
    return packed if packed.is_dir() else _HERE.parents[1] / "registry"


def packages_dir() -> Path:
    """Folder of the compiled pipeline packages (YAML)."""
    return _HERE / "packages"
