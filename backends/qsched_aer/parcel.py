"""What travels between the driver and a task's pod: the work on the way in, the result on the way out.

Both are compressed msgpack. Each is a value of the task's Secret, and a Secret holds a mebibyte at most.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import msgspec

from qsched.api import calibration_file
from qsched.drivers import DriverError, Rejected, TaskResult
from qsched.version import VERSION
from qsched_aer.admission import admit
from qsched_aer.simulate import Limits, Order  # noqa: TC001 - msgspec reads them

if TYPE_CHECKING:
    from qsched.drivers import Task

MOST_BYTES = 2**20
"""What the values of a Secret may take together."""

_INFLATED_BYTES = 2**28
"""Unpacked, nothing that was packed here is larger; it keeps a crafted result from filling the memory."""

_FORMAT = 1


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """A task as its pod gets it.

    Attributes:
        remote_id: The task's.
        orders: The circuits, and how each is simulated.
        hashes: Content hash of each.
        shots: How many of each.
        seed: Makes the counts repeatable.
        calibration: The bytes of a calibration file; None for an ideal simulation.
        device_s: Seconds that the device itself would take; None for an ideal simulation.
        limits: Of the process.
    """

    remote_id: str
    orders: tuple[Order, ...]
    hashes: tuple[str, ...]
    shots: int
    seed: int | None
    calibration: bytes | None
    device_s: float | None
    limits: Limits


class Packed(msgspec.Struct, frozen=True):
    """A task that was admitted and packed.

    Attributes:
        data: The parcel, for ``unpack``.
        memory_mb: Mebibytes that its pod may come to use.
    """

    data: bytes
    memory_mb: int


class _Header(msgspec.Struct, frozen=True):
    format: int
    version: str
    parcel: msgspec.Raw


_encode = msgspec.msgpack.Encoder().encode
_header = msgspec.msgpack.Decoder(_Header)
_parcel = msgspec.msgpack.Decoder(Parcel)
_result = msgspec.msgpack.Decoder(TaskResult)


def pack(task: Task, remote_id: str, limits: Limits) -> Packed:
    """Admit a task and pack it. Reads circuits, and so belongs into a worker process.

    Raises:
        Rejected: If the task cannot be simulated, or is too large for a Secret.
        NotFound: If there is no such device.
        NoCalibration: If its calibration cannot be read.
    """
    work = admit(task, limits.memory_mb)
    parcel = Parcel(
        remote_id=remote_id,
        orders=work.orders,
        hashes=work.hashes,
        shots=work.shots,
        seed=work.seed,
        calibration=None if work.calibration is None else calibration_file.dumps(work.calibration),
        device_s=work.device_s,
        limits=limits,
    )
    data = zlib.compress(_encode(_Header(_FORMAT, VERSION, msgspec.Raw(_encode(parcel)))))
    if len(data) > MOST_BYTES:
        raise Rejected(
            f"the task's circuits take {len(data) >> 10} KiB compressed, and a task that "
            f"runs in a cluster may take {MOST_BYTES >> 10}; divide them among several jobs"
        )
    return Packed(data, work.memory_mb)


def unpack(data: bytes) -> Parcel:
    """The parcel in what ``pack`` gave.

    Raises:
        DriverError: If it is none, or another version of qsched packed it in another way.
    """
    try:
        header = _header.decode(_inflate(data))
        if header.format != _FORMAT:
            raise DriverError(
                f"qsched {header.version} packed this task, and this image holds qsched {VERSION}, which "
                "cannot read it; let the backend's parameters.cluster.image be of the controller's version"
            )
        return _parcel.decode(header.parcel)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise DriverError(f"the task cannot be read: {error}") from error


def pack_result(result: TaskResult) -> bytes:
    """A result, for ``unpack_result``.

    Raises:
        DriverError: If it is too large for a Secret.
    """
    data = zlib.compress(_encode(result))
    if len(data) > MOST_BYTES:
        outcomes = sum(len(counts) for counts in result.counts)
        raise DriverError(
            f"the {outcomes:,} distinct bit strings of the result take {len(data) >> 10} KiB compressed, and "
            f"the result of a task that runs in a cluster may take {MOST_BYTES >> 10}; fewer shots, fewer "
            "measured qubits or fewer circuits a job give fewer"
        )
    return data


def unpack_result(data: bytes) -> TaskResult:
    """The result in what ``pack_result`` gave.

    Raises:
        DriverError: If it is none.
    """
    try:
        return _result.decode(_inflate(data))
    except (zlib.error, msgspec.MsgspecError) as error:
        raise DriverError(f"the task's result cannot be read: {error}") from error


def _inflate(data: bytes) -> bytes:
    inflater = zlib.decompressobj()
    text = inflater.decompress(data, _INFLATED_BYTES)
    if not inflater.eof:
        raise zlib.error("it is cut off, or too large")
    return text
