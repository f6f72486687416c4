"""The drivers of a cluster: those whose tasks would run in the controller run them as its Jobs instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsched.drivers.registry import Drivers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qsched.drivers import Driver
    from qsched.kube.task_cluster import ApiTaskCluster


class ClusterDrivers(Drivers):
    """The installed drivers; simulations never run in the controller.

    Args:
        cluster: Where tasks of simulators run.
    """

    def __init__(self, cluster: ApiTaskCluster) -> None:
        super().__init__()
        self._cluster = cluster

    def make(self, name: str, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None) -> Driver:
        """See ``Drivers.make``."""
        if name != "aer":
            return super().make(name, parameters, credentials)
        from qsched_aer.cluster_driver import AerJobsDriver

        return AerJobsDriver(parameters, credentials, cluster=self._cluster)
