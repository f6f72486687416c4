"""What a backend's ``parameters`` and its Secret may say to the Azure driver."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from qsched.api.base import Declared, Text
from qsched.drivers.parameters import check_address, stripped
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Guid = Annotated[
    str,
    Meta(
        pattern=r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z",
        max_length=36,
        title="a GUID such as 11111111-2222-3333-4444-555555555555",
    ),
]
Endpoint = Annotated[
    str, Meta(pattern=r"^https://[^/\s]+/?\Z", max_length=1024, title="an address such as https://host.name")
]


class AzureParameters(Declared, frozen=True, kw_only=True):
    """Parameters of the Azure driver.

    What names the workspace may be left out where a connection string holds it, or the variables
    ``AZURE_QUANTUM_*`` that the client reads do.

    Attributes:
        subscription_id: The Azure subscription.
        resource_group: The workspace's resource group.
        workspace: The workspace's name.
        arm_endpoint: Azure Resource Manager, for another cloud than the public one, or an emulator.
        authority_host: Where tokens come from, likewise.
        ca_file: Certificates of the authorities to trust, as a PEM file; those of the machine when not said.
        timeout_s: Seconds that one request may wait for its answer.
        concurrency: Requests at once.
    """

    subscription_id: Guid | None = None
    resource_group: Annotated[Text, Meta(min_length=1)] | None = None
    workspace: Annotated[Text, Meta(min_length=1)] | None = None
    arm_endpoint: Endpoint | None = None
    authority_host: Endpoint | None = None
    ca_file: Annotated[Text, Meta(min_length=1)] | None = None
    # A submission must not go on for more than 30 s after its call was cancelled.
    timeout_s: Annotated[float, Meta(ge=0.05, le=25)] = 20.0
    concurrency: Annotated[int, Meta(ge=1, le=64)] = 16


def check(parameters: AzureParameters) -> None:
    """Raise ``InvalidInput`` if an address is none, or the file of authorities is not there."""
    check_address(parameters.arm_endpoint, "armEndpoint")
    check_address(parameters.authority_host, "authorityHost")
    if parameters.ca_file is not None and not Path(parameters.ca_file).is_file():
        message = f"there is no file {parameters.ca_file!r}"
        raise InvalidInput(Problem("spec.parameters.caFile", message))


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a Secret holds; nothing of it shows in a ``repr``.

    Attributes:
        connection_string: Of the workspace, with its access key; empty to use the others.
        tenant_id: Of a service principal; all three are empty to use the chain of Azure's own client.
        client_id: Likewise.
        client_secret: Likewise.
    """

    connection_string: str = field(default="", repr=False)
    tenant_id: str = field(default="", repr=False)
    client_id: str = field(default="", repr=False)
    client_secret: str = field(default="", repr=False)

    def secrets(self) -> Iterator[str]:
        """What no message may hold."""
        yield self.client_secret
        yield self.connection_string
        for part in self.connection_string.split(";"):
            name, _, value = part.partition("=")
            if name.strip().lower() == "apikey":
                yield value


_FORMS = (frozenset({"connectionString"}), frozenset({"tenantId", "clientId", "clientSecret"}))


def read_credentials(credentials: Mapping[str, str] | None) -> Credentials:
    """Read what a backend's Secret holds.

    Args:
        credentials: None for the chain of Azure's own client: environment, workload and managed
            identity, Azure CLI.

    Raises:
        InvalidInput: If the Secret has other keys than one of its two forms; no value is quoted.
    """
    if credentials is None:
        return Credentials()
    given = stripped(credentials)
    if given.keys() not in _FORMS or not all(given.values()):
        names = ", ".join(sorted(given)) or "nothing"
        message = (
            "for driver 'azure' the Secret holds either connectionString, or tenantId, clientId and "
            f"clientSecret, and none of them empty; it holds {names}"
        )
        raise InvalidInput(Problem("spec.credentialsSecretRef", message))
    return Credentials(
        connection_string=given.get("connectionString", ""),
        tenant_id=given.get("tenantId", ""),
        client_id=given.get("clientId", ""),
        client_secret=given.get("clientSecret", ""),
    )
