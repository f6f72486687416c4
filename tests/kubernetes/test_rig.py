"""The rig itself: what the other tests of this folder take for granted."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.kubernetes.rig import Cluster, RigError

if TYPE_CHECKING:
    from pathlib import Path

CONTROLLER = "qsched-system:qsched-controller"


def manifests(*objects: dict[str, object]) -> str:
    return yaml.safe_dump_all(objects)


def test_it_starts_in_seconds_and_leaves_no_process(binaries: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    with Cluster(tmp_path, binaries, controllers=True) as cluster:
        assert time.monotonic() - started < 30  # 3 s on an idle machine
        pids = [cluster.etcd.pid, cluster.apiserver.pid]
        assert cluster.kubectl("get", "--raw", "/readyz").stdout == "ok"
    assert not any(_alive(pid) for pid in pids)


def _alive(pid: int) -> bool:
    from pathlib import Path

    return Path(f"/proc/{pid}").exists()


def test_kubectl_says_what_went_wrong(cluster: Cluster) -> None:
    with pytest.raises(RigError, match=r'kubectl get node no-such: .* nodes "no-such" not found'):
        cluster.kubectl("get", "node", "no-such")
