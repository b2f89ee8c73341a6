"""Names that move (a dataset's latest version, `champion`) and the names that stay behind them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from drawops.errors import InputRefused
from drawops.settings import Settings, load_settings, prepare_home

if TYPE_CHECKING:
    from drawops.datasets import DatasetStore


def pin_dataset(ref: str, settings: Settings) -> str:
    """`name` -> `name@version` of its latest version. Raises NotFound."""
    return datasets(settings).get(ref).ref


def pin_models(names: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """Labels behind names such as `champion` and `base`; the base model is registered where it is missing.

    Raises:
        NotFound: no such version.
    """
    from drawops.registry import ModelRegistry

    registry = ModelRegistry(settings)
    if not registry.standing().champion:
        registry.ensure_base()
    return {key: registry.resolve(name) for key, name in names.items()}


def require_pinned(dataset: str, *labels: str) -> None:
    """Steps are cached by their parameters: one that means something else tomorrow would bring back yesterday's."""
    if "@" not in dataset:
        raise InputRefused(f"dataset '{dataset}'", "a pipeline needs name@version; `drawops dataset list` shows them")
    for label in labels:
        if not label.startswith("v"):
            raise InputRefused(f"model '{label}'", "a pipeline needs a version label such as v1.0, not an alias")


def step_settings() -> Settings:
    """The settings of the home that the step runs in."""
    return prepare_home(load_settings())


def datasets(settings: Settings) -> "DatasetStore":
    """The dataset versions of a home."""
    from drawops.datasets import DatasetStore
    from drawops.storage import open_store

    return DatasetStore(open_store(settings.objects_url))
