"""One node for all tests that need Kubernetes."""

from collections.abc import Iterator

import pytest

from tests.cluster import node as nodes
from tests.cluster.node import Node


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    with nodes.running() as node:
        yield node
