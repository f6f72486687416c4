"""The driver's link to IBM Quantum: the client and the devices, each made when first needed.

Everything here blocks, and runs in the driver's threads.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from qsched.api.findings import nearest
from qsched.drivers import DriverError, NotFound, Unauthenticated, Unavailable
from qsched_ibm.devices import used_up
from qsched_ibm.errors import translate, without

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from qiskit_ibm_runtime import IBMBackend

    from qsched_ibm.client import Client
    from qsched_ibm.parameters import IbmParameters

_USAGE_S = 300.0


class Link:
    """One account's client, and what it was told of devices that does not change from task to task."""

    def __init__(
        self,
        parameters: IbmParameters,
        token: str | None,
        *,
        connections: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet.

        Args:
            parameters: The backend's.
            token: The API key of its Secret; None for the client's own chain.
            connections: How many to keep open.
            clock: Seconds.
        """
        self._clock = clock
        self._parameters = parameters
        self._token = token
        self._connections = connections
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._devices: dict[str, IBMBackend] = {}
        self._describing = threading.Lock()
        self._counting = threading.Lock()
        self._used_up = ""
        self._usage_until_s = 0.0

    def client(self) -> Client:
        """The client; the first call finds the account."""
        from qsched_ibm.client import Client, find_account

        with self._lock:
            if self._client is None:
                account = find_account(self._parameters, self._token)
                self._token = account.token
                self._client = Client(
                    account,
                    url=self._parameters.url,
                    timeout_s=self._parameters.timeout_s,
                    connections=self._connections,
                )
            return self._client

    @property
    def location(self) -> str:
        """The region of the instance: the sixth part of its CRN."""
        instance = "" if self._client is None else self._client.instance
        return (instance.split(":") + [""] * 6)[5]

    def configuration(self, device: str) -> dict[str, Any]:
        """What does not change of a device, as the service tells it; asked for once.

        Raises:
            NotFound: If the account reaches no such device, or it is retired.
        """
        try:
            configuration: dict[str, Any] = self.client().backend_configuration(device)
        except Exception as error:
            raise self.missing(device, error) from error
        return configuration

    def device(self, name: str) -> IBMBackend:
        """A device as the client's primitives take it, with its gates and faulty qubits.

        Raises:
            NotFound: As ``configuration``.
        """
        from qiskit_ibm_runtime import IBMBackend
        from qiskit_ibm_runtime.utils.backend_decoder import configuration_from_server_data

        with self._describing:
            if name not in self._devices:
                client = self.client()
                decoded = configuration_from_server_data(self.configuration(name), instance=client.instance)
                if decoded is None:
                    raise Unavailable(f"the configuration that IBM Quantum gives of {name} cannot be read")
                device = IBMBackend(
                    configuration=decoded, service=None, api_client=client, instance=client.instance
                )
                device.target  # noqa: B018 - asks for the properties, which a submission is checked against
                self._devices[name] = device
            return self._devices[name]

    def used_up(self) -> str:
        """Why the instance runs no jobs now; empty if it does. Asked for every few minutes.

        An account that may not ask is not told.
        """
        with self._counting:
            if self._clock() >= self._usage_until_s:
                try:
                    usage = self.client().cloud_usage()
                except Exception as error:
                    if not isinstance(translate(error), Unauthenticated | NotFound):
                        raise
                    usage = {}
                self._used_up = used_up(usage)
                self._usage_until_s = self._clock() + _USAGE_S
            return self._used_up

    def forget_if_older(self, device: str, taken_at: dt.datetime) -> None:
        """Have a device's gates and faulty qubits asked for anew if it was calibrated since."""
        known = self._devices.get(device)
        properties = known.properties() if known is not None else None
        if properties is not None and properties.last_update_date < taken_at:
            self._devices.pop(device, None)

    def missing(self, device: str, error: Exception) -> DriverError:
        """The error for a failed request about a device; for one that does not exist, with those that do."""
        known = translate(error)
        if not isinstance(known, NotFound):
            return known
        names = [each["name"] for each in self.client().list_backends()]
        return NotFound(
            f"this IBM Quantum instance has no device {device!r}, or it is retired; {nearest(device, names)}"
        )

    def translate(self, error: Exception) -> DriverError:
        """The driver's error for an exception of the client, without the API key."""
        return without(self._token or "", translate(error))

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
