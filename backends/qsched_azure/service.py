"""Azure's own client: the blocking calls that the driver makes of it.

This module is imported by the first call, in its thread, because the client's libraries take a second.

``azure.quantum.Workspace`` finds the workspace and its endpoint. It leaves no say in time limits, retries
(ten of them, on a submission too) or trusted authorities, so that the two clients which it makes are made
here, over one transport.
"""

from __future__ import annotations

import datetime as dt
import math
import os
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import requests
from azure.core import PipelineClient
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.core.pipeline.policies import RetryPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.quantum._client import WorkspaceClient
from azure.quantum._client.models import BlobDetails, JobDetails
from azure.quantum._mgmt_client import WorkspaceMgmtClient  # type: ignore[import-untyped]
from azure.quantum.workspace import Workspace  # type: ignore[import-untyped]
from azure.storage.blob import BlobClient, ContainerClient, ContentSettings
from requests.adapters import HTTPAdapter

from qsched.api.job import Money
from qsched.drivers import NotFound, Unauthenticated
from qsched_azure.jobs import Job, state_of
from qsched_azure.logs import quiet
from qsched_azure.targets import Target, provider_of

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from qsched_azure.parameters import AzureParameters, Credentials
    from qsched_azure.program import Program

_ARM = "https://management.azure.com/"
_SCOPE = "https://quantum.microsoft.com/.default"
_CONNECT_S = 4.0
_INPUT = "inputData"
_SPARE = dt.timedelta(minutes=5)
"""An address that expires sooner is not used any more."""


class _Adapter(HTTPAdapter):
    """Connections that are closed when their session is.

    The adapter of ``requests`` forgets its pools only: a connection would stay open until the garbage is
    collected, if an error's traceback still refers to its pool.
    """

    def close(self) -> None:
        """Close every connection that no request is using."""
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118 - it does not iterate by itself
                manager.pools[key].close()
        super().close()


class _Workspace(Workspace):  # type: ignore[misc]
    """The client's workspace, with a pipeline of ours."""

    def __init__(self, *args: Any, pipeline: dict[str, Any], **kwargs: Any) -> None:
        self._pipeline = pipeline
        super().__init__(*args, **kwargs)

    def _create_client(self) -> WorkspaceClient:
        it = self._connection_params
        return WorkspaceClient(
            endpoint=it.quantum_endpoint,
            credential=it.get_credential_or_default(),
            credential_scopes=[_SCOPE],
            authentication_policy=it.get_auth_policy(),
            user_agent="qsched",
            retry_policy=RetryPolicy.no_retries(),
            **self._pipeline,
        )


class _Management(WorkspaceMgmtClient):  # type: ignore[misc]
    """The client's view of Azure Resource Manager, with a pipeline of ours."""

    def __init__(self, credential: TokenCredential, endpoint: str, pipeline: dict[str, Any]) -> None:
        super().__init__(credential, endpoint, "qsched")
        policies = [policy for policy in self._policies if not isinstance(policy, RetryPolicy)]
        self._client = PipelineClient(endpoint, policies=policies, **pipeline)


class Service:
    """A workspace, and what one can ask of it; every method blocks, for ``timeout_s`` at most a request."""

    def __init__(self, parameters: AzureParameters, credentials: Credentials) -> None:
        """Find the workspace.

        Raises:
            Unauthenticated: If a connection string is not one.
            NotFound: If it is not said which workspace is meant.
            Exception: Whatever the client raises.
        """
        quiet()
        session = requests.Session()
        session.mount("https://", _Adapter(pool_maxsize=parameters.concurrency))
        self._transport = RequestsTransport(
            session=session,
            connection_timeout=min(_CONNECT_S, parameters.timeout_s),
            read_timeout=parameters.timeout_s,
            connection_verify=parameters.ca_file or True,
        )
        self._closing: list[Any] = [self._transport]
        try:
            self._workspace = self._find(parameters, credentials)
        except BaseException:
            self.close()
            raise
        it = self._workspace
        self._client: WorkspaceClient = it._client  # noqa: SLF001 - the public methods lack what is asked here
        self._names = (it.subscription_id, it.resource_group, it.name)
        self._blob_options: dict[str, Any] = {"transport": self._transport, "retry_total": 0}

    @property
    def location(self) -> str:
        """The workspace's region."""
        return str(self._workspace.location or "")

    def close(self) -> None:
        """Close every connection."""
        for each in self._closing:
            each.close()

    def targets(self) -> list[Target]:
        """Every target of the workspace."""
        return [
            Target(
                name=str(target.id),
                availability=_word(target.current_availability),
                queue_s=_seconds(target.average_queue_time),
                told_qubits=_count(target.num_qubits),
            )
            for provider in self._client.services.providers.list(*self._names)
            for target in provider.targets
        ]

    def container(self, job_id: str) -> str:
        """A signed address of a job's storage container, which is made if it is not there."""
        return self._signed(BlobDetails(container_name=f"job-{job_id}"))

    def upload(self, container_uri: str, program: Program, *, overwrite: bool) -> bool:
        """Store a program; whether it was done, and there was none before unless it is overwritten."""
        container = ContainerClient.from_container_url(container_uri, **self._blob_options)
        settings = ContentSettings(content_type=program.content_type)
        try:
            container.get_blob_client(_INPUT).upload_blob(
                program.content, content_settings=settings, overwrite=overwrite
            )
        except ResourceExistsError:
            return False
        return True

    def create(
        self,
        job_id: str,
        *,
        name: str,
        device: str,
        program: Program,
        shots: int,
        container_uri: str,
        metadata: dict[str, str],
        tags: list[str],
    ) -> Job:
        """Make a job of a program that was uploaded; one with this id that is there already is left alone."""
        address = urlsplit(container_uri)
        details = JobDetails(
            name=name,
            provider_id=provider_of(device),
            target=device,
            container_uri=container_uri,
            input_data_uri=address._replace(path=f"{address.path}/{_INPUT}", query="").geturl(),
            input_data_format=program.input_format,
            output_data_format=program.output_format,
            input_params={"shots": shots, **program.options},
            metadata=metadata,
            tags=tags,
        )
        try:
            return _job(self._client.services.jobs.create(*self._names, job_id, details))
        except ResourceExistsError:
            return _job(self._client.services.jobs.get(*self._names, job_id))

    def job(self, job_id: str) -> Job | None:
        """A job; None if the workspace has none with this id."""
        try:
            return _job(self._client.services.jobs.get(*self._names, job_id))
        except ResourceNotFoundError:
            return None

    def cancel(self, job_id: str) -> None:
        """Stop a job; one that has ended, or is not there, is left as it is."""
        try:
            self._client.services.jobs.cancel(*self._names, job_id)
        except HttpResponseError as error:
            if error.status_code in {204, 404}:  # the client takes 200 only
                return
            if error.status_code in {400, 409} and ((job := self.job(job_id)) is None or job.done):
                return
            raise

    def download(self, uri: str) -> bytes:
        """What is stored at an address that a job tells."""
        if _expires(uri):
            blob = BlobClient.from_blob_url(uri)
            uri = self._signed(BlobDetails(container_name=blob.container_name, blob_name=blob.blob_name))
        return BlobClient.from_blob_url(uri, **self._blob_options).download_blob().readall()

    def _signed(self, details: BlobDetails) -> str:
        return self._client.services.storage.get_sas_uri(*self._names, details).sas_uri

    def _find(self, it: AzureParameters, credentials: Credentials) -> _Workspace:
        pipeline = {"transport": self._transport}
        if credentials.connection_string:
            try:
                return cast(
                    "_Workspace",
                    _Workspace.from_connection_string(credentials.connection_string, pipeline=pipeline),
                )
            except ValueError as error:
                raise Unauthenticated(
                    "the Secret's connectionString is not one of an Azure Quantum workspace; copy it from "
                    "the workspace's page 'Access keys'"
                ) from error
        credential = self._credential(it, credentials)
        # The client prefers a connection string of its own variable to its chain, if it is given nothing.
        own = not credentials.client_secret and os.environ.get("AZURE_QUANTUM_CONNECTION_STRING")
        try:
            return _Workspace(
                subscription_id=it.subscription_id,
                resource_group=it.resource_group,
                name=it.workspace,
                credential=None if own else credential,
                pipeline=pipeline,
                _mgmt_client=_Management(credential, it.arm_endpoint or _ARM, pipeline),
            )
        except ValueError as error:
            if error.__cause__ is not None:
                raise
            if not it.workspace:
                raise NotFound(
                    "it is not said which workspace is meant: set the parameters subscriptionId, "
                    "resourceGroup and workspace"
                ) from error
            raise NotFound(f"there is no workspace {it.workspace!r}: {error}") from error

    def _credential(self, it: AzureParameters, credentials: Credentials) -> TokenCredential:
        options: dict[str, Any] = {
            "retry_total": 0,
            "connection_timeout": min(_CONNECT_S, it.timeout_s),
            "read_timeout": it.timeout_s,
            "connection_verify": it.ca_file or True,
        }
        if it.authority_host:
            # Another authority is not among those that the public cloud knows.
            options |= {"authority": it.authority_host, "disable_instance_discovery": True}
        if credentials.client_secret:
            try:
                return ClientSecretCredential(
                    credentials.tenant_id,
                    credentials.client_id,
                    credentials.client_secret,
                    transport=self._transport,
                    **options,
                )
            except ValueError as error:
                raise Unauthenticated(f"the Secret's tenantId is not one: {error}") from error
        chain = DefaultAzureCredential(**options)
        self._closing.append(chain)
        return chain


def _word(value: Any) -> str:
    """A word of the service: the client makes an enumeration's member of one that it knows."""
    return str(getattr(value, "value", value) or "")


def _seconds(value: float | None) -> float | None:
    seconds = -1.0 if value is None else float(value)
    return seconds if 0 <= seconds < math.inf else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and value > 0 else None


def _job(details: JobDetails) -> Job:
    failure = details.error_data
    message = ": ".join(str(each) for each in (failure.code, failure.message) if each) if failure else ""
    return Job(
        id=details.id,
        state=state_of(_word(details.status)),
        target=details.target,
        metadata=dict(details.metadata or {}),
        message=message,
        output_uri=details.output_data_uri or "",
        output_format=details.output_data_format or "",
        began=_utc(details.begin_execution_time),
        ended=_utc(details.end_execution_time),
        cost=_cost(details),
    )


def _utc(moment: dt.datetime | None) -> dt.datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _cost(details: JobDetails) -> Money | None:
    cost = details.cost_estimate
    if cost is None or not re.fullmatch("[A-Z]{3}", str(cost.currency_code)):
        return None
    try:
        total = float(cost.estimated_total)
    except TypeError:  # it is left out
        return None
    if not 0 <= total < 1e15:  # nor not-a-number
        return None
    amount = Decimal(str(total)).quantize(Decimal("1e-9")).normalize()
    return Money(amount=f"{amount:f}", currency=cost.currency_code)


def _expires(uri: str) -> bool:
    """Whether an address is not signed, or not for long."""
    ends = parse_qs(urlsplit(uri).query).get("se")
    try:
        end = dt.datetime.fromisoformat(ends[0]) if ends else None
    except ValueError:
        return True
    if end is None:
        return True
    return (end if end.tzinfo else end.replace(tzinfo=dt.UTC)) < dt.datetime.now(dt.UTC) + _SPARE
