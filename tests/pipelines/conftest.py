"""A home with a small dataset, made once for all tests that run pipelines."""

import pytest

from drawops.datasets.ingest import ingest
from drawops.settings import Settings, load_settings, prepare_home
from tests.sheets import draw_sheet


@pytest.fixture(scope="session")
def small_home(tmp_path_factory) -> Settings:
    """A home, in a folder with a Chinese name, with the dataset `零件` of eight drawings."""
    folder = tmp_path_factory.mktemp("pipelines")
    settings = prepare_home(load_settings(folder / "图纸 home"))
    files = [draw_sheet(folder / f"零件 {i}.pdf", seed=i) for i in range(8)]
    result = ingest(files, "零件", settings=settings)
    assert result.version is not None and not result.refused
    return settings
