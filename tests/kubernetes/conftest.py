"""The cluster's fixtures. Every test here is marked ``kubernetes``; ``make test-fast`` leaves them out.

The programs are built (once; minutes) before the first test starts, where no test's time limit runs.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from tests.kubernetes.rig import Cluster, NoGo
from tests.kubernetes.rig.build import binaries as build
from tests.kubernetes.rig.node import Node
from tests.kubernetes.rig.prerequisites import node_tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    StartCluster: TypeAlias = Callable[..., Cluster]

_built = pytest.StashKey["Path | NoGo"]()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "kubernetes: runs against a real control plane; not in make test-fast")


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.kubernetes)


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = any("binaries" in getattr(item, "fixturenames", ()) for item in session.items)
    if not wanted or session.config.option.collectonly:
        return
    capture: Any = session.config.pluginmanager.getplugin("capturemanager")

    def say(line: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stderr.write(f"\nrig: {line}\n")
            sys.stderr.flush()

    try:
        session.config.stash[_built] = build(say)
    except NoGo as error:
        session.config.stash[_built] = error


@pytest.fixture(scope="session")
def binaries(pytestconfig: pytest.Config) -> Path:
    """The folder of the cluster's programs."""
    built = pytestconfig.stash[_built]
    if isinstance(built, NoGo):
        pytest.skip(f"the cluster's programs cannot be built: {built}")
    return built


@pytest.fixture(scope="module")
def start_cluster(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartCluster]:
    """Starts clusters that end with the module: ``start_cluster(controllers=True)``; see ``Cluster``."""
    started: list[Cluster] = []

    def start(**options: Any) -> Cluster:
        cluster = Cluster(tmp_path_factory.mktemp("cluster"), binaries, **options)
        started.append(cluster)
        cluster.start()
        return cluster

    yield start
    for cluster in reversed(started):
        cluster.stop()


@pytest.fixture(scope="module")
def cluster(start_cluster: StartCluster) -> Cluster:
    """A fresh control plane with the project's CRDs."""
    cluster = start_cluster()
    cluster.install_crds()
    return cluster


@pytest.fixture(scope="module")
def node(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A fresh cluster with the project's CRDs and a kubelet that runs pods; needs root."""
    tools = node_tools()
    if isinstance(tools, str):
        pytest.skip(f"no real node here: {tools}")
    with Node(tmp_path_factory.mktemp("node"), binaries) as node:
        node.cluster.install_crds()
        yield node
