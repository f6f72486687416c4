"""What a backend's ``parameters`` may say to the Aer driver."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from qsched.api.base import Declared, Json, Text
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping


class PodTemplate(Declared, frozen=True, kw_only=True):
    """A PodTemplateSpec, to be laid over that of a task's pod; see ``qsched_aer.pod_template.overlay``.

    Attributes:
        metadata: Labels and annotations.
        spec: As the API reference has it; the container named ``task``, or without a name, is the task's.
    """

    metadata: Json = {}  # noqa: RUF012 - msgspec copies mutable defaults
    spec: Json = {}  # noqa: RUF012 - likewise


class ClusterParameters(Declared, frozen=True, kw_only=True):
    """How tasks run in a cluster; of no meaning outside one.

    Attributes:
        image: A container image with Python, qsched and its extra ``aer``; the controller's when not said.
        cpu: Processors that a task asks for, such as 0.5 or 4; Aer uses as many threads.
        active_deadline_s: Seconds that a task may spend on its node, the pulling of its image included.
        pod_template: What else its pods need.
    """

    image: Annotated[Text, Meta(min_length=1)] | None = None
    cpu: Annotated[float, Meta(ge=0.01, le=1024)] = 1.0
    active_deadline_s: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    pod_template: PodTemplate = PodTemplate()


class AerParameters(Declared, frozen=True, kw_only=True):
    """Parameters of the Aer driver, embedded and in a cluster, so that one manifest serves both.

    Backends with equal parameters share their worker processes.

    Attributes:
        workers: Worker processes, each simulating one task at a time; at most two, or the number of
            processors, when not said. A cluster has none: there every task has a pod.
        threads: Threads of each simulation; when not said, the processors divided by the workers, and in a
            cluster ``cluster.cpu`` of them.
        memory_mb: Mebibytes that the state of one simulation may take.
        cluster: How tasks run in a cluster.
    """

    workers: Annotated[int, Meta(ge=1, le=1024)] | None = None
    threads: Annotated[int, Meta(ge=1, le=1024)] | None = None
    memory_mb: Annotated[int, Meta(ge=1, le=2**30)] = 2048
    cluster: ClusterParameters = ClusterParameters()

    def worker_count(self, processors: int) -> int:
        """How many worker processes to use on a machine with that many processors."""
        return self.workers or min(2, processors)

    def thread_count(self, processors: int) -> int:
        """How many threads each worker may use."""
        return self.threads or max(1, processors // self.worker_count(processors))

    def pod_threads(self) -> int:
        """How many threads a task's pod may use."""
        return self.threads or ceil(self.cluster.cpu)


def refuse_credentials(credentials: Mapping[str, str] | None) -> None:
    """Refuse a Secret, which a simulation has no use for; raises ``InvalidInput``."""
    if credentials:
        message = "the aer driver needs no credentials; remove it"
        raise InvalidInput(Problem("spec.credentialsSecretRef", message))
