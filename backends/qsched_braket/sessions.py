"""Connections to Braket and S3: one pair of clients for each region."""

from __future__ import annotations

import logging
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from qsched.drivers import Unauthenticated, Unavailable
from qsched_braket.errors import REMEDY

if TYPE_CHECKING:
    from qsched_braket.parameters import BraketCredentials, BraketParameters

_CONNECT_S = 5
_REGION = "us-east-1"
_TELLTALES = ("botocore.auth", "botocore.endpoint", "botocore.parsers")
"""Loggers whose debug messages hold session tokens; the last, where AWS quotes a request that it refuses."""


@dataclass(frozen=True, slots=True)
class Region:
    """The clients of one region.

    Attributes:
        name: The region.
        session: Braket's ``AwsSession``.
    """

    name: str
    session: Any

    @property
    def braket(self) -> Any:
        """boto3's Braket client. ``AwsSession`` wraps it, and has its own retries around some calls."""
        return self.session.braket_client


class Sessions:
    """Makes each region's clients when they are first needed; called from any thread."""

    def __init__(self, parameters: BraketParameters, credentials: BraketCredentials | None) -> None:
        self._parameters = parameters
        self._credentials = credentials
        self._lock = threading.Lock()
        self._regions: dict[str, Region] = {}
        self._s3: dict[str, Any] = {}
        self._loader: Any = None  # of botocore's descriptions of services, which take a while to read
        self._home: str | None = None
        self._asked: set[str] = set()  # whose ``AwsSession`` made clients of its own, to find its bucket
        self._closed = False

    def home(self) -> str:
        """The region of what has none of its own."""
        with self._lock:
            if self._home is None:
                self._home = self._parameters.region or self._surroundings()
            return self._home

    def names(self) -> list[str]:
        """The regions to look for devices and tasks in, the home region first."""
        return list(dict.fromkeys([self.home(), *self._parameters.regions]))

    def of(self, arn: str) -> Region:
        """The clients for a device or task, by the region in its ARN."""
        return self.region(arn.split(":")[3] or self.home())

    def region(self, name: str) -> Region:
        """The clients of a region.

        Raises:
            Unauthenticated: If there are no credentials.
            Unavailable: If the sessions are closed.
        """
        with self._lock:
            if self._closed:
                raise Unavailable("the Braket driver is closed")
            if name not in self._regions:
                self._regions[name] = self._made(name)
            return self._regions[name]

    def s3(self, arn: str) -> Any:
        """boto3's S3 client for the results of a quantum task."""
        from botocore.config import Config

        region = self.of(arn)
        with self._lock:
            if region.name not in self._s3:
                endpoint = self._parameters.s3_endpoint
                path_style = Config(s3={"addressing_style": "path"}) if endpoint else None
                boto = region.session.boto_session
                self._s3[region.name] = boto.client("s3", config=path_style, endpoint_url=endpoint)
            return self._s3[region.name]

    def bucket(self, region: Region) -> str:
        """The bucket for results of a region."""
        named = self._parameters.bucket
        if named is not None:
            return named.replace("{region}", region.name)
        with self._lock:
            self._asked.add(region.name)
            bucket: str = region.session.default_bucket()
        return bucket

    def close(self) -> None:
        """Close every connection, and make no new ones."""
        with self._lock:
            self._closed = True
            for region in self._regions.values():
                region.braket.close()
                if region.name in self._asked:
                    region.session.s3_client.close()
                    region.session.sts_client.close()
            for s3 in self._s3.values():
                s3.close()
            self._regions.clear()
            self._s3.clear()

    def _made(self, name: str) -> Region:
        from botocore.config import Config
        from braket import _schemas, _sdk
        from braket.aws import AwsSession

        boto = self._boto(name)
        if boto.get_credentials() is None:
            raise Unauthenticated(f"there are no AWS credentials; {REMEDY}")
        # The service leaves out what concerns OpenQASM unless the client names a version of Braket's schemas.
        agents = f"BraketSdk/{_sdk.__version__} BraketSchemas/{_schemas.__version__}"
        config = Config(user_agent_extra=agents)
        braket = boto.client("braket", config=config, endpoint_url=self._parameters.endpoint)
        return Region(name, AwsSession(boto_session=boto, braket_client=braket))

    def _surroundings(self) -> str:
        return os.environ.get("AWS_REGION") or self._boto(None).region_name or _REGION

    def _boto(self, region: str | None) -> Any:
        """A boto3 session whose clients have time limits, and leave retries to qsched."""
        import boto3
        from botocore.config import Config
        from botocore.session import get_session

        for name in _TELLTALES:
            logging.getLogger(name).setLevel(logging.INFO)
        core = get_session()
        if self._loader is None:
            self._loader = core.get_component("data_loader")
        core.register_component("data_loader", self._loader)
        core.set_default_client_config(
            Config(
                connect_timeout=min(_CONNECT_S, self._parameters.timeout_s),
                read_timeout=self._parameters.timeout_s,
                retries={"total_max_attempts": 1},
                max_pool_connections=self._parameters.connections,
            )
        )
        given = self._credentials
        keys = {}
        if given is not None:
            keys = {
                "aws_access_key_id": given.access_key_id,
                "aws_secret_access_key": given.secret_access_key,
                "aws_session_token": given.session_token,
            }
        return boto3.Session(botocore_session=core, region_name=region, **keys)
