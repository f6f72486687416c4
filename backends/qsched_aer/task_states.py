"""What the Jobs and pods of tasks say of them."""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads it

import msgspec

from qsched.drivers import RemoteState, TaskStatus
from qsched_aer.pod_template import CONTAINER
from qsched_aer.task_objects import STOPPED, TASK_LABEL

CANCELLED = "Cancelled"
"""What ``STOPPED`` says of a task that was cancelled; of any other it says why it failed."""

_OOM_KILLED = "OOMKilled"

_NO_START = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RunContainerError",
    }
)
"""Why a container waits that will hardly ever start."""


class _Struct(msgspec.Struct, frozen=True, rename="camel"):
    """The base: Kubernetes' names are in camel case, and fields that are not named here are skipped."""


class _Metadata(_Struct, frozen=True):
    name: str
    uid: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: dt.datetime | None = None
    deletion_timestamp: dt.datetime | None = None


class _JobSpec(_Struct, frozen=True):
    suspend: bool = False


class _Condition(_Struct, frozen=True):
    type: str
    status: str
    reason: str = ""
    message: str = ""


class _Uncounted(_Struct, frozen=True):
    succeeded: list[str] = []
    failed: list[str] = []


class _JobStatus(_Struct, frozen=True):
    conditions: list[_Condition] = []
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    uncounted_terminated_pods: _Uncounted = _Uncounted()
    start_time: dt.datetime | None = None

    @property
    def ran(self) -> bool:
        """Whether a pod has ended, though the Job has not yet."""
        uncounted = self.uncounted_terminated_pods
        return bool(self.succeeded or self.failed or uncounted.succeeded or uncounted.failed)


class Job(_Struct, frozen=True):
    """The part of a Job that says where its task is."""

    metadata: _Metadata
    spec: _JobSpec = _JobSpec()
    status: _JobStatus = _JobStatus()

    @property
    def token(self) -> str:
        """Of its task."""
        return self.metadata.labels.get(TASK_LABEL, "")

    @property
    def half_made(self) -> bool:
        """Whether a submission has not come to its end."""
        return self.spec.suspend and not self.ended

    @property
    def going(self) -> bool:
        """Whether it is being deleted."""
        return self.metadata.deletion_timestamp is not None

    @property
    def ended(self) -> bool:
        """Whether it is over: none of its pods runs any more."""
        return self.state not in {"Queued", "Running"}

    @property
    def stopped(self) -> bool:
        """Whether this driver ended it, or is about to."""
        return STOPPED in self.metadata.annotations

    @property
    def state(self) -> RemoteState:
        """The state of its task."""
        conditions = {it.type for it in self.status.conditions if it.status == "True"}
        if "Complete" in conditions:
            return "Succeeded"
        if "Failed" in conditions:
            return "Cancelled" if self.metadata.annotations.get(STOPPED) == CANCELLED else "Failed"
        return "Running" if self.status.ready or self.status.ran else "Queued"

    def has(self, pod: Pod) -> bool:
        """Whether a pod is of the same task."""
        return pod.token == self.token

    def task_status(self, pods: list[Pod]) -> TaskStatus:
        """The status of its task.

        Args:
            pods: Its own, if it has failed.
        """
        message = self._why(pods) if self.state == "Failed" else ""
        return TaskStatus(remote_id=self.metadata.name, state=self.state, message=message)

    def _why(self, pods: list[Pod]) -> str:
        if self.stopped:
            return self.metadata.annotations[STOPPED]
        words = next(filter(None, (pod.why_it_failed() for pod in pods)), "")
        failed = next(it for it in self.status.conditions if it.type == "Failed")
        return words or f"the task's Job failed: {failed.message or failed.reason}"


class _Waiting(_Struct, frozen=True):
    reason: str = ""
    message: str = ""


class _Terminated(_Struct, frozen=True):
    exit_code: int = 0
    reason: str = ""
    message: str = ""


class _State(_Struct, frozen=True):
    waiting: _Waiting | None = None
    terminated: _Terminated | None = None


class _ContainerStatus(_Struct, frozen=True):
    name: str
    image: str = ""
    state: _State = _State()


class _PodStatus(_Struct, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    container_statuses: list[_ContainerStatus] = []
    init_container_statuses: list[_ContainerStatus] = []


class _Resources(_Struct, frozen=True):
    limits: dict[str, str | int] = {}


class _Container(_Struct, frozen=True):
    name: str
    resources: _Resources = _Resources()


class _PodSpec(_Struct, frozen=True):
    containers: list[_Container] = []


class Pod(_Struct, frozen=True):
    """The part of a pod that says why its task failed, or does not start."""

    metadata: _Metadata
    spec: _PodSpec = _PodSpec()
    status: _PodStatus = _PodStatus()

    @property
    def token(self) -> str:
        """Of its task."""
        return self.metadata.labels.get(TASK_LABEL, "")

    def why_it_failed(self) -> str:
        """In words; empty if it did not, or does not say."""
        if self.status.phase == "Failed" and self.status.reason:  # the node ended it
            return f"its pod failed: {self.status.message or self.status.reason}"
        for it in self._containers():
            ended = it.state.terminated
            if ended is not None and ended.reason == _OOM_KILLED:
                return (
                    f"the simulation needed more memory than was estimated, and was killed at "
                    f"{self._memory_limit(it.name)}; give the container {it.name!r} a larger "
                    "resources.limits.memory in the backend's parameters.cluster.podTemplate"
                )
            if ended is not None and ended.exit_code:
                return (
                    ended.message.strip() or f"container {it.name!r} ended with exit code {ended.exit_code}"
                )
        return ""

    def why_it_cannot_start(self) -> str:
        """In words; empty if it may start yet."""
        for it in self._containers():
            waiting = it.state.waiting
            if waiting is not None and waiting.reason in _NO_START:
                said = f": {waiting.message}" if waiting.message else ""
                return f"container {it.name!r} of image {it.image!r} does not start: {waiting.reason}{said}"
        return ""

    def _containers(self) -> list[_ContainerStatus]:
        statuses = [*self.status.init_container_statuses, *self.status.container_statuses]
        return sorted(statuses, key=lambda it: it.name != CONTAINER)

    def _memory_limit(self, container: str) -> str:
        limits = (it.resources.limits for it in self.spec.containers if it.name == container)
        return str(next(limits, {}).get("memory", "its limit"))


class _Jobs(_Struct, frozen=True):
    items: list[Job]


class _Pods(_Struct, frozen=True):
    items: list[Pod]


class _Owner(_Struct, frozen=True):
    uid: str


class _OwnedMetadata(_Struct, frozen=True):
    owner_references: list[_Owner] = []


class _Owned(_Struct, frozen=True):
    metadata: _OwnedMetadata


class _Data(_Struct, frozen=True):
    result: bytes | None = None


class _Secret(_Struct, frozen=True):
    data: _Data = _Data()


_job = msgspec.json.Decoder(Job)
_jobs = msgspec.json.Decoder(_Jobs)
_pods = msgspec.json.Decoder(_Pods)
_owned = msgspec.json.Decoder(_Owned)
_secret = msgspec.json.Decoder(_Secret)


def read_job(body: bytes) -> Job:
    """A Job."""
    return _job.decode(body)


def read_jobs(body: bytes) -> list[Job]:
    """A list of Jobs."""
    return _jobs.decode(body).items


def read_pods(body: bytes) -> list[Pod]:
    """A list of pods."""
    return _pods.decode(body).items


def is_owned_by(body: bytes, uid: str) -> bool:
    """Whether an object is owned by the one with this uid."""
    return any(owner.uid == uid for owner in _owned.decode(body).metadata.owner_references)


def read_result(body: bytes) -> bytes | None:
    """The result in a task's Secret; None if it is not there yet."""
    return _secret.decode(body).data.result
