from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from qsched.drivers import DriverError, Task
from qsched.drivers.fake import FakeDriver
from qsched.drivers.registry import Drivers
from qsched.errors import InvalidInput


def entry(name: str, value: str = "qsched.drivers.fake:FakeDriver") -> EntryPoint:
    return EntryPoint(name, value, "qsched.drivers")


async def test_backends_with_equal_parameters_share_a_driver():
    drivers = Drivers()
    one = drivers.get("fake", {"seed": 1, "latencySeconds": 0.0})
    assert isinstance(one, FakeDriver)
    assert drivers.get("fake", {"latencySeconds": 0.0, "seed": 1}) is one
    assert drivers.get("fake", {"seed": 2}) is not one
    await drivers.aclose()


async def test_an_empty_secret_is_not_the_same_as_none():
    told = []

    class Telling(FakeDriver):
        def __init__(self, parameters, *credentials):
            told.append(credentials)
            super().__init__(parameters)

    class Entry:
        name = "telling"

        def load(self):
            return Telling

    drivers = Drivers(lambda: [Entry()])
    drivers.get("telling", {}, {})
    drivers.get("telling", {}, None)
    await drivers.aclose()
    assert told == [({},), ()]


async def test_closing_closes_every_driver():
    drivers = Drivers()
    made = [drivers.get("fake", {"seed": seed}) for seed in range(2)]
    await drivers.aclose()
    for driver in made:
        with pytest.raises(DriverError, match="closed"):
            await driver.submit(Task(device="fake", circuits=(), shots=1), "token")


def test_nothing_is_loaded_before_it_is_named():
    drivers = Drivers(lambda: [entry("broken", "no_such_module:Driver"), entry("fake")])
    assert drivers.get("fake", {})
    with pytest.raises(DriverError, match="'broken' does not load: No module named 'no_such_module'"):
        drivers.get("broken", {})


def test_an_unknown_driver_is_refused_with_those_that_there_are():
    drivers = Drivers(lambda: [entry("aer"), entry("fake")])
    with pytest.raises(InvalidInput, match=r"'fakee'; did you mean 'fake'\? installed are aer, fake"):
        drivers.get("fakee", {})


def test_a_driver_that_misses_a_package_names_the_extra(monkeypatch):
    (aer,) = (it for it in Drivers()._find() if it.name == "aer")
    broken = EntryPoint("aer", "no_such_module:AerDriver", "qsched.drivers")
    vars(broken)["dist"] = aer.dist
    with pytest.raises(DriverError, match=r"pip install 'qsched\[aer\]'"):
        Drivers(lambda: [broken]).get("aer", {})


def test_the_doctor_hears_of_every_driver_and_why_one_does_not_load():
    reports = Drivers(lambda: [entry("zzz", "no_such_module:Driver"), entry("fake")]).describe()
    assert [(it.name, bool(it.problem)) for it in reports] == [("fake", False), ("zzz", True)]
    assert "no_such_module" in reports[1].problem


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"devces": []}, "no parameter 'devces'; did you mean 'devices'"),
        (
            {"devices": [{"name": "a", "qubits": "five"}]},
            r"Expected `int`, got `str` - at `\$.devices\[0\].qubits`",
        ),
        ({"unavailable": 1.5}, "unavailable"),
    ],
)
def test_wrong_parameters_are_refused_with_their_place(parameters, message):
    with pytest.raises(InvalidInput, match=message):
        Drivers().get("fake", parameters)
