"""Calibrations that need no network: IBM's published snapshots, and devices described by published figures.

The snapshots ship as JSON in the package qiskit-ibm-runtime. Its data files are read where it is
installed; importing it would take seconds. Published devices are the YAML files of ``qsched.presets``.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import msgspec

from qsched.api.backend_properties import BackendProperties, from_backend_properties
from qsched.api.calibration import Calibration  # noqa: TC001 - part of the public signatures
from qsched.api.findings import nearest
from qsched.drivers.errors import NoCalibration, NotFound
from qsched.presets.published import published_names, read_published

_REPETITION_S = 1e-3
"""Time between shots of IBM's devices that report none; all of that age repeated once a millisecond."""


class _Configuration(msgspec.Struct):
    """What is read of a device's configuration. Delays are in microseconds."""

    basis_gates: list[str]
    default_rep_delay: float | None = None
    rep_times: list[float] | None = None
    supported_instructions: list[str] | None = None


def snapshot_names() -> list[str]:
    """Every device that ``load_snapshot`` knows, in alphabetical order.

    Without the package qiskit-ibm-runtime these are the published devices only.
    """
    return sorted({*published_names(), *_ibm_snapshots()})


def load_snapshot(name: str) -> Calibration:
    """The calibration of a device.

    Args:
        name: One of ``snapshot_names()``, such as ``torino`` or ``ionq-forte``.

    Returns:
        What was published, not cleaned.

    Raises:
        NotFound: If there is no such device.
        NoCalibration: If the package that holds the snapshots is not installed, or its data is damaged.
    """
    if name in published_names():
        return read_published(name)
    snapshots = _ibm_snapshots()
    if name in snapshots:
        return _read_ibm(name, snapshots[name])
    if not snapshots:
        raise NoCalibration(
            f"there are no snapshots to look for device {name!r} in: "
            "the package qiskit-ibm-runtime is not installed; pip install 'qsched[aer]'"
        )
    raise NotFound(f"there is no device {name!r}; {nearest(name, snapshot_names())}")


@cache
def _ibm_snapshots() -> dict[str, Path]:
    """The directory of each of IBM's snapshots, by name; empty without the package."""
    # For a top-level package, find_spec looks it up without importing it.
    spec = find_spec("qiskit_ibm_runtime")
    if spec is None or not spec.submodule_search_locations:
        return {}
    root = Path(spec.submodule_search_locations[0]) / "fake_provider" / "backends"
    return {path.name: path for path in root.glob("*") if (path / f"props_{path.name}.json").is_file()}


def _read_ibm(name: str, directory: Path) -> Calibration:
    try:
        configuration = msgspec.json.decode(
            (directory / f"conf_{name}.json").read_bytes(), type=_Configuration
        )
        properties = msgspec.json.decode(
            (directory / f"props_{name}.json").read_bytes(), type=BackendProperties
        )
    except (OSError, msgspec.DecodeError) as error:
        raise NoCalibration(
            f"the snapshot of {name} in qiskit-ibm-runtime cannot be read: {error}; reinstall the package"
        ) from error
    return from_backend_properties(
        properties,
        device=name,
        basis_gates=configuration.basis_gates,
        reset_s=_reset_s(configuration),
        dynamic="if_else" in (configuration.supported_instructions or ()),
        source=f"qiskit-ibm-runtime, fake_provider/backends/{name}",
    )


def _reset_s(configuration: _Configuration) -> float:
    """Seconds between shots: the repetition delay, else the repetition time."""
    if configuration.default_rep_delay is not None:
        return configuration.default_rep_delay * 1e-6
    if configuration.rep_times:
        time = configuration.rep_times[0]
        # Some files of 2020 hold seconds where the others hold microseconds; no device repeats faster
        # than once a microsecond.
        return time if time < 1 else time * 1e-6
    return _REPETITION_S
