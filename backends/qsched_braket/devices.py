"""Asking Braket for devices."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from qsched.drivers import NotFound, Rejected, Unauthenticated
from qsched_braket.capabilities import read_device
from qsched_braket.errors import is_denied
from qsched_braket.together import together

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qsched.drivers.blocking import Blocking
    from qsched_braket.capabilities import Device
    from qsched_braket.sessions import Sessions

_ARN = re.compile(r"arn:aws[a-z-]*:braket:[a-z0-9-]*::device/(qpu|quantum-simulator)/[\w.-]+/[\w.-]+\Z")
_FRESH_S = 300.0
"""How old a device's description may be for what does not change from one minute to the next."""


class Devices:
    """Braket's devices; what was told lately is kept, so that a call that failed halfway goes on there."""

    def __init__(
        self, sessions: Sessions, blocking: Blocking, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._sessions = sessions
        self._blocking = blocking
        self._clock = clock
        self._known: dict[str, tuple[float, Device]] = {}
        self._listed: dict[str, tuple[float, list[str] | None]] = {}

    async def get(self, arn: str) -> Device:
        """A gate-based device as it is now.

        Raises:
            NotFound: If there is none of that name, or it was retired.
            Rejected: If it takes something else than circuits.
        """
        if not _ARN.match(arn):
            raise NotFound(
                f"there is no Braket device {arn!r}; a device is named by its ARN, "
                "as 'qsched discover braket' lists them"
            )
        return _usable(await self._asked(arn))

    async def lately(self, arn: str) -> Device:
        """A device as it was told of in the last minutes."""
        kept = self._kept(arn)
        return _usable(kept) if kept is not None else await self.get(arn)

    async def all(self) -> Sequence[Device]:
        """Every gate-based device that is not retired, in every region that the account may use.

        Raises:
            Unauthenticated: If the account may use none.
        """
        regions = await self._blocking.call(self._sessions.names)
        lists = await together(self._listing(name) for name in regions)
        if all(each is None for each in lists):
            raise Unauthenticated(
                f"AWS denies searching for devices in {', '.join(regions)}; "
                "allow braket:SearchDevices in the IAM policy of these credentials"
            )
        arns = {arn: None for each in lists for arn in each or ()}
        devices = await together(self._described(arn) for arn in arns)
        return [device for device in devices if device.gate_based and device.state != "RETIRED"]

    async def _described(self, arn: str) -> Device:
        kept = self._kept(arn)
        return kept if kept is not None else await self._asked(arn)

    async def _asked(self, arn: str) -> Device:
        def ask() -> Device:
            return read_device(self._sessions.of(arn).session.get_device(arn))

        device = await self._blocking.call(ask)
        self._known[arn] = (self._clock(), device)
        return device

    async def _listing(self, region: str) -> list[str] | None:
        """The ARNs of a region's devices; None if the account may not ask there."""

        def ask() -> list[str] | None:
            from botocore.exceptions import ClientError

            try:
                listed = self._sessions.region(region).session.search_devices()
                return [each["deviceArn"] for each in listed if _ARN.match(each["deviceArn"])]
            except ClientError as error:
                if is_denied(error):
                    return None
                raise

        if region in self._listed and self._clock() - self._listed[region][0] < _FRESH_S:
            return self._listed[region][1]
        arns = await self._blocking.call(ask)
        self._listed[region] = (self._clock(), arns)
        return arns

    def _kept(self, arn: str) -> Device | None:
        at, device = self._known.get(arn, (0.0, None))
        return device if device is not None and self._clock() - at < _FRESH_S else None


def _usable(device: Device) -> Device:
    """The device, if it takes circuits; raises as ``Devices.get`` says."""
    if device.state == "RETIRED":
        raise NotFound(
            f"Braket device {device.arn} was retired; choose another, as 'qsched discover braket' lists them"
        )
    if not device.gate_based:
        takes = ", ".join(sorted(device.capabilities.action)) or "no programs at all"
        raise Rejected(
            f"{device.name} of {device.provider} runs no circuits: it takes {takes}; "
            "qsched uses gate-based devices only"
        )
    return device
