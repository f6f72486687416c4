"""Quantum tasks of Braket's: blocking calls, each made in one of the driver's threads."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsched.drivers import NotFound, PartlyTaken, Unauthenticated, Unavailable
from qsched_braket.capabilities import at_least
from qsched_braket.errors import code_of, is_denied
from qsched_braket.results import read_results
from qsched_braket.tags import TOKEN, read_tags

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qsched.drivers import RemoteState
    from qsched_braket.results import Outcome
    from qsched_braket.sessions import Region, Sessions
    from qsched_braket.tags import Part

_STATES: dict[str, RemoteState] = {
    "CREATED": "Queued",
    "QUEUED": "Queued",
    "RUNNING": "Running",
    "CANCELLING": "Running",
    "COMPLETED": "Succeeded",
    "FAILED": "Failed",
    "CANCELLED": "Cancelled",
}
_PAGE = 100


_ARN = re.compile(r"arn:aws[a-z-]*:braket:[a-z0-9-]+:[0-9]+:quantum-task/[\w-]+\Z")


def is_task_arn(name: object) -> bool:
    """Whether this names a quantum task."""
    return isinstance(name, str) and _ARN.match(name) is not None


@dataclass(frozen=True, slots=True)
class QuantumTask:
    """One quantum task as Braket tells of it.

    Attributes:
        arn: Its name.
        state: Where it is; a state that the driver does not know has not ended.
        message: Why it failed.
        position: Its place in the queue, if it is told.
        part: What its tags tell; None if they are not qsched's.
        bucket: Of its results.
        folder: Of its results, in the bucket.
        ended_at: When it ended.
    """

    arn: str
    state: RemoteState
    message: str
    position: int | None
    part: Part | None
    bucket: str
    folder: str
    ended_at: dt.datetime | None

    @property
    def arns(self) -> list[str]:
        """The quantum tasks of all circuits, in order, if this is the head."""
        stem = self.arn.rsplit("/", 1)[0]
        return [self.arn, *(f"{stem}/{other}" for other in (self.part.others if self.part else ()))]


def create(sessions: Sessions, request: Mapping[str, Any], *, source: str, folder: str) -> str:
    """Create a quantum task; one of the same client token is not made again.

    Args:
        sessions: The connections.
        request: What ``CreateQuantumTask`` takes, without the program and the place of its results.
        source: The program, as OpenQASM 3.
        folder: Where results go, in the bucket.

    Returns:
        Its ARN.

    Raises:
        Unavailable: If the answer is none: the task may be there, which the same client token makes once.
    """
    from braket.ir.openqasm import Program

    region = sessions.of(request["deviceArn"])
    arn = region.session.create_quantum_task(
        **request,
        action=Program(source=source).json(),
        outputS3Bucket=sessions.bucket(region),
        outputS3KeyPrefix=folder,
    )
    if not is_task_arn(arn):
        raise Unavailable(f"Braket took a task, and its answer is not the task's ARN: {arn!r}")
    return str(arn)


def get(sessions: Sessions, arn: str) -> QuantumTask | None:
    """A quantum task; None if there is none."""
    from botocore.exceptions import ClientError

    try:
        # AwsSession.get_quantum_task would try a throttled request nine times.
        told = sessions.of(arn).braket.get_quantum_task(
            quantumTaskArn=arn, additionalAttributeNames=["QueueInfo"]
        )
    except ClientError as error:
        if code_of(error) == "ResourceNotFoundException":
            return None
        raise
    return QuantumTask(
        arn=arn,
        state=_STATES.get(told["status"], "Running"),
        message=told.get("failureReason", ""),
        position=at_least(told.get("queueInfo", {}).get("position")),
        part=read_tags(told.get("tags", {})),
        bucket=told["outputS3Bucket"],
        folder=told["outputS3Directory"],
        ended_at=_utc(told.get("endedAt")),
    )


def find(sessions: Sessions, region: str, token: str) -> str | None:
    """The head of a token's quantum tasks in a region; None if there are no tasks of it.

    Braket's list of filters does not name tags, although the service takes them. So what it answers is looked
    through, and where it refuses the filter everything is.

    Raises:
        PartlyTaken: If there are others of the token that were not cancelled, and no head.
        Unauthenticated: If the account may not search in this region.
    """
    from botocore.exceptions import ClientError

    there = sessions.region(region)
    try:
        return _head(
            _search(there, [{"name": f"tags:{TOKEN}", "operator": "EQUAL", "values": [token]}]), token
        )
    except ClientError as error:
        if is_denied(error):
            raise Unauthenticated(
                f"AWS denies searching for quantum tasks in {region}: {error}; if the account does not use "
                "that region, name those that it uses in parameters.regions"
            ) from error
        if code_of(error) != "ValidationException":
            raise
    return _head(_search(there, []), token)


def cancel(sessions: Sessions, arn: str) -> None:
    """Stop a quantum task; one that has ended, or is not there, is left as it is."""
    from botocore.exceptions import ClientError

    try:
        sessions.of(arn).session.cancel_quantum_task(arn)
    except ClientError as error:
        if code_of(error) not in {"ConflictException", "ResourceNotFoundException"}:
            raise


def fetch(sessions: Sessions, task: QuantumTask) -> Outcome:
    """What came out of a quantum task that was completed.

    Raises:
        Unavailable: If its file is not there yet, or cannot be read.
        NotFound: If the bucket is gone.
        Unauthenticated: If the file may not be read.
    """
    from botocore.exceptions import ClientError

    key = f"{task.folder}/results.json"
    where = f"s3://{task.bucket}/{key}"
    assert task.part is not None
    try:
        body = sessions.s3(task.arn).get_object(Bucket=task.bucket, Key=key)["Body"].read()
    except ClientError as error:
        match code_of(error):
            case "NoSuchKey":
                raise Unavailable(f"the results are not in S3 yet: there is no {where}") from error
            case "NoSuchBucket":
                raise NotFound(
                    f"the bucket {task.bucket}, which holds the results {where}, does not exist"
                ) from error
            case "AccessDenied":
                raise Unauthenticated(
                    f"the AWS credentials are good for Braket, and may not read {where}; "
                    f"allow s3:GetObject and s3:ListBucket on the bucket {task.bucket}"
                ) from error
        raise
    return read_results(body, task.part, arn=task.arn)


def _search(region: Region, filters: list[dict[str, Any]]) -> Iterator[Mapping[str, Any]]:
    page: Mapping[str, Any] = {}
    while True:
        more = {"nextToken": page["nextToken"]} if page.get("nextToken") else {}
        page = region.braket.search_quantum_tasks(filters=filters, maxResults=_PAGE, **more)
        yield from page["quantumTasks"]
        if not page.get("nextToken"):
            return


def _head(found: Iterator[Mapping[str, Any]], token: str) -> str | None:
    other = ""
    for each in found:
        part = read_tags(each.get("tags", {}))
        if part is None or part.token != token:
            continue
        arn: str = each["quantumTaskArn"]
        if part.is_head:
            return arn
        if each["status"] not in {"CANCELLING", "CANCELLED"}:
            other = arn
    if other:
        raise PartlyTaken(f"Braket has {other} of the task, and not yet its first circuit; submit it again")
    return None


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    return moment.astimezone(dt.UTC) if moment is not None else None
