"""Drivers by name: the entry points of the group ``qsched.drivers``, loaded when a backend names them."""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import msgspec

from qsched.drivers.errors import DriverError
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from qsched.drivers.types import Driver, DriverFactory

GROUP = "qsched.drivers"


@dataclass(frozen=True, slots=True)
class DriverReport:
    """What ``qsched doctor`` says of one entry point.

    Attributes:
        name: What a backend's ``driver`` says.
        target: The module and attribute that it names.
        distribution: The installed package that offers it, with its version.
        problem: Why it does not load; empty when it does.
    """

    name: str
    target: str
    distribution: str
    problem: str = ""


def installed() -> Iterable[EntryPoint]:
    """The entry points of every driver that is installed, none of them loaded."""
    return entry_points(group=GROUP)


class Drivers:
    """The drivers in use: one for each pair of driver name and parameters, made when first asked for."""

    def __init__(self, find: Callable[[], Iterable[EntryPoint]] = installed) -> None:
        """Look nothing up yet.

        Args:
            find: Where entry points come from.
        """
        self._find = find
        self._drivers: dict[tuple[str, bytes], Driver] = {}

    def get(
        self, name: str, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None = None
    ) -> Driver:
        """The driver of a backend.

        Args:
            name: The backend's ``driver``.
            parameters: The backend's ``parameters``.
            credentials: What its Secret holds; backends with equal parameters and credentials share a driver.

        Raises:
            InvalidInput: If no installed package offers the driver, or it refuses the parameters.
            DriverError: If the driver is there and cannot be loaded, an optional package missing for example.
        """
        key = name, msgspec.json.encode([parameters, credentials], order="deterministic")
        if key not in self._drivers:
            self._drivers[key] = self.make(name, parameters, credentials)
        return self._drivers[key]

    def make(self, name: str, parameters: Mapping[str, Any], credentials: Mapping[str, str] | None) -> Driver:
        """A new driver; see ``get``."""
        factory = self._load(name)
        # An empty Secret is not the same as none: a driver must not go on with credentials from elsewhere.
        return factory(parameters) if credentials is None else factory(parameters, credentials)

    def __iter__(self) -> Iterator[Driver]:
        return iter(list(self._drivers.values()))

    async def keep_only(self, used: Iterable[Driver]) -> None:
        """Close every driver but these."""
        kept = {id(each) for each in used}
        for driver in self:
            if id(driver) not in kept:
                await self.drop(driver)

    async def drop(self, driver: Driver) -> None:
        """Close a driver that no backend uses any more."""
        for key, each in list(self._drivers.items()):
            if each is driver:
                del self._drivers[key]
                await driver.aclose()

    async def aclose(self) -> None:
        """Close every driver, then raise what the first of them raised, if one did."""
        drivers = list(self._drivers.values())
        self._drivers.clear()
        outcomes = await asyncio.gather(*(driver.aclose() for driver in drivers), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    def describe(self) -> list[DriverReport]:
        """Try to load every driver that is installed, by name."""
        reports = []
        for entry in sorted(self._find(), key=lambda entry: entry.name):
            dist = entry.dist
            reports.append(
                DriverReport(
                    name=entry.name,
                    target=entry.value,
                    distribution=f"{dist.name} {dist.version}" if dist else "",
                    problem=_problem(entry),
                )
            )
        return reports

    def _load(self, name: str) -> DriverFactory:
        entries = {entry.name: entry for entry in self._find()}
        if name not in entries:
            raise InvalidInput(Problem("spec.driver", _unknown(name, sorted(entries))))
        return load(entries[name])


def load(entry: EntryPoint) -> DriverFactory:
    """The factory that an entry point names.

    Raises:
        DriverError: If it cannot be imported, with the command that mends it where one is known.
    """
    try:
        factory: DriverFactory = entry.load()
    except Exception as error:
        raise DriverError(f"driver {entry.name!r} does not load: {error}{_remedy(entry, error)}") from error
    return factory


def _problem(entry: EntryPoint) -> str:
    try:
        load(entry)
    except DriverError as error:
        return str(error)
    return ""


def _remedy(entry: EntryPoint, error: Exception) -> str:
    """The extra that the entry point names, or of the driver's name: that is where its requirements are."""
    if not isinstance(error, ImportError) or entry.dist is None:
        return ""
    extras = entry.dist.metadata.get_all("Provides-Extra") or []
    named = next((each for each in (*entry.extras, entry.name) if each in extras), None)
    return f"; install it with: pip install '{entry.dist.name}[{named}]'" if named else ""


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return (
        f"no installed package offers a driver {name!r}; {hint}"
        f"installed are {', '.join(known) or 'none'}; 'qsched doctor' tells more"
    )
