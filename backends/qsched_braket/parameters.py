"""What a backend's ``parameters`` and its Secret may say to the Braket driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from qsched.api.base import Declared, Text
from qsched.drivers.parameters import check_address, stripped
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Region = Annotated[str, Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]\Z", max_length=32)]

Bucket = Annotated[
    str,
    Meta(
        pattern=r"^(?:[a-z0-9.-]|\{region\})+\Z",
        min_length=3,
        max_length=80,
        title="the name of a bucket, in lower case",
    ),
]

REGIONS = ("us-east-1", "us-west-1", "us-west-2", "eu-west-2", "eu-north-1")
"""Where Braket is, as ``braket.aws.AwsDevice.REGIONS`` of its SDK has it."""

_WHERE = "spec.credentialsSecretRef"


class BraketParameters(Declared, frozen=True, kw_only=True):
    """Parameters of the Braket driver. Backends with equal ones and equal credentials share connections.

    Attributes:
        region: Where simulators run, and what has no region of its own; by default that of the surroundings
            (``AWS_REGION``, ``AWS_DEFAULT_REGION`` or the profile), else us-east-1. A QPU is reached in the
            region that its ARN names.
        regions: Where devices and tasks are looked for; all of Braket's by default.
        bucket: The S3 bucket for results; ``{region}`` in it stands for the region. By default that of
            ``AMZN_BRAKET_OUT_S3_BUCKET``, else Braket's own, ``amazon-braket-REGION-ACCOUNT``, which is made
            if it is not there.
        prefix: What the keys of results begin with.
        endpoint: The address of the service, where it is not Amazon's.
        s3_endpoint: The address of S3, likewise.
        connections: Requests at once.
        timeout_s: How long to wait for an answer.
    """

    region: Region | None = None
    regions: Annotated[tuple[Region, ...], Meta(min_length=1, max_length=32)] = REGIONS
    bucket: Bucket | None = None
    prefix: Annotated[str, Meta(min_length=1, max_length=512)] = "qsched"
    endpoint: Text | None = None
    s3_endpoint: Text | None = None
    connections: Annotated[int, Meta(ge=1, le=256)] = 16
    timeout_s: Annotated[float, Meta(gt=0, le=25)] = 20.0


def check(parameters: BraketParameters) -> None:
    """Raise ``InvalidInput`` if an address is none."""
    check_address(parameters.endpoint, "endpoint")
    check_address(parameters.s3_endpoint, "s3Endpoint")


class BraketCredentials(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a Secret holds: an access key, and a session token where it is a temporary one."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return "BraketCredentials(...)"


def read_credentials(credentials: Mapping[str, str] | None) -> BraketCredentials | None:
    """The Secret's content; None to look where boto3 looks.

    Raises:
        InvalidInput: If a key is missing, or there is one that the driver does not know. No value is told.
    """
    if credentials is None:
        return None
    given = stripped(credentials)
    known = [field.encode_name for field in msgspec.structs.fields(BraketCredentials)]
    problems = [
        Problem(_WHERE, f"driver 'braket' knows no credential {name!r}; it knows {', '.join(known)}")
        for name in given
        if name not in known
    ]
    problems += [
        Problem(_WHERE, f"the Secret has no {name}; an AWS access key has accessKeyId and secretAccessKey")
        for name in known[:2]
        if not given.get(name)
    ]
    if problems:
        raise InvalidInput(problems)
    # An empty session token would be sent, and refused.
    return msgspec.convert({name: value for name, value in given.items() if value}, BraketCredentials)
