"""Price lists of known devices: one YAML file a driver in ``pricing/``, each price with its date and source.

A backend whose manifest has no ``pricing`` is reckoned with the preset of its driver and device. Nothing is
converted: a preset has the currency of its price list, be it money or a provider's credits (HQC).
"""

from __future__ import annotations

import datetime as dt  # noqa: TC003 - msgspec reads it
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from qsched.api.backend import Pricing  # noqa: TC001 - msgspec reads it
from qsched.api.base import Declared
from qsched.errors import InvalidInput

if TYPE_CHECKING:
    from qsched.api.backend import BackendSpec

OLD_AFTER_DAYS = 180
"""Price lists of clouds change about once or twice a year: after this a price should be looked up again."""

_DIRECTORY = Path(__file__).parent / "pricing"


class PricePreset(Declared, frozen=True, kw_only=True):
    """What a provider's price list says of some devices.

    Attributes:
        name: The line of the price list, or the plan.
        devices: Patterns of the driver's device names (``*`` is any text); none for a price that is not used
            by itself, such as that of a plan, and is to be copied into a manifest.
        as_of: The day of the price list.
        source: Where it is printed.
        second_hand: How it is known if the source itself was not read; empty if it was.
        retired: Whether its devices are no longer offered, so that the price will not change.
        note: What the price does not say.
        pricing: The price, as a manifest would have it.
    """

    name: str
    devices: tuple[str, ...]
    as_of: dt.date
    source: str
    second_hand: str = ""
    retired: bool = False
    note: str = ""
    pricing: Pricing

    def age_days(self, today: dt.date) -> int:
        """Days since the price list was read; a price that can no longer change does not age."""
        return 0 if self.retired else max(0, (today - self.as_of).days)


class _File(Declared, frozen=True, kw_only=True):
    driver: str
    presets: tuple[PricePreset, ...]


class Price(NamedTuple):
    """What a backend is reckoned with.

    Attributes:
        pricing: The price; None if none is known.
        preset: The preset that it is from; None if the manifest says it, or nothing is known.
    """

    pricing: Pricing | None
    preset: PricePreset | None

    @property
    def origin(self) -> str:
        """Where the price comes from, for people: ``preset of 2026-03-01``; empty for the manifest's own."""
        return f"preset of {self.preset.as_of:%Y-%m-%d}" if self.preset is not None else ""


@cache
def price_presets(driver: str) -> tuple[PricePreset, ...]:
    """The presets of a driver, in the order in which they are tried; none for a driver without a file.

    Raises:
        InvalidInput: If the file is damaged.
    """
    path = _DIRECTORY / f"{driver}.yaml"
    if driver not in priced_drivers():
        return ()
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=_File).presets
    except (OSError, ValueError, msgspec.DecodeError) as error:
        raise InvalidInput(
            f"the price presets of {driver} cannot be read: {error}; reinstall qsched"
        ) from error


@cache
def priced_drivers() -> tuple[str, ...]:
    """The drivers that have presets, by name."""
    return tuple(sorted(path.stem for path in _DIRECTORY.glob("*.yaml")))


@cache
def price_preset(driver: str, device: str) -> PricePreset | None:
    """The preset of a device: the first of its driver with a pattern that fits.

    Args:
        driver: A backend's ``driver``.
        device: Its ``device``.

    Raises:
        InvalidInput: If the driver's file is damaged.
    """
    for preset in price_presets(driver):
        if any(fnmatchcase(device, pattern) for pattern in preset.devices):
            return preset
    return None


def price_of(spec: BackendSpec) -> Price:
    """The price that a backend is reckoned with: all of its manifest's own, else its preset's.

    Raises:
        InvalidInput: If the driver's file of presets is damaged.
    """
    if spec.pricing is not None:
        return Price(spec.pricing, None)
    preset = price_preset(spec.driver, spec.device)
    return Price(preset.pricing if preset is not None else None, preset)


def priced(spec: BackendSpec) -> BackendSpec:
    """A backend's declaration with the price that it is reckoned with.

    Raises:
        InvalidInput: As ``price_of``.
    """
    pricing = price_of(spec).pricing
    return spec if pricing is spec.pricing else msgspec.structs.replace(spec, pricing=pricing)
