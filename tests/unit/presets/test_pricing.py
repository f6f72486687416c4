from __future__ import annotations

import datetime as dt

import pytest

from qsched.api.backend import BackendSpec, Pricing, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.manifest import manifest_yaml, read_manifests
from qsched.engine.backend import Backend
from qsched.presets.pricing import PricePreset, price_of, price_preset, price_presets, priced, priced_drivers

TODAY = dt.date(2026, 11, 21)
ALL = [(driver, preset) for driver in priced_drivers() for preset in price_presets(driver)]


def spec(driver: str, device: str, **fields: object) -> BackendSpec:
    return BackendSpec(driver=driver, device=device, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("driver", "preset"), ALL, ids=lambda each: getattr(each, "name", each))
def test_a_preset_says_where_it_is_from_and_is_a_valid_price(driver: str, preset: PricePreset) -> None:
    backend = QuantumBackend(
        metadata=ObjectMeta(name="any"), spec=spec(driver, "device", pricing=preset.pricing)
    )
    assert read_manifests(manifest_yaml(backend), "preset") == [backend]
    assert preset.source
    assert dt.date(2024, 1, 1) < preset.as_of < dt.date(2100, 1, 1)


@pytest.mark.parametrize(
    ("driver", "device", "expected"),
    [
        ("ibm", "ibm_torino", Pricing(currency="USD", per_second="1.60", quantum="0.01")),
        (
            "braket",
            "arn:aws:braket:us-east-1::device/qpu/ionq/Forte-Enterprise-1",
            Pricing(currency="USD", per_task="0.30", per_shot="0.08"),
        ),
        (
            "braket",
            "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet",
            Pricing(currency="USD", per_task="0.30", per_shot="0.00145"),
        ),
        (
            "braket",
            "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
            Pricing(currency="USD", per_second="0.00125", minimum="0.00375"),
        ),
        (
            "azure",
            "ionq.qpu.aria-1",
            Pricing(
                currency="USD", per_one_qubit_gate="0.00022", per_two_qubit_gate="0.000975", minimum="12.4166"
            ),
        ),
        (
            "azure",
            "quantinuum.qpu.h2-1",
            Pricing(
                currency="HQC",
                per_task="5",
                per_one_qubit_gate="0.0002",
                per_two_qubit_gate="0.002",
                per_measurement="0.001",
            ),
        ),
        ("azure", "quantinuum.sim.h2-1sc", Pricing(currency="HQC")),
    ],
)
def test_a_device_has_the_price_of_its_provider(driver: str, device: str, expected: Pricing) -> None:
    assert price_of(spec(driver, device)).pricing == expected


@pytest.mark.parametrize(
    ("driver", "device"),
    [
        ("aer", "torino"),
        ("fake", "ibm_torino"),
        ("braket", "arn:aws:braket:us-east-1::device/qpu/quera/Aquila"),
        ("azure", "pasqal.qpu.fresnel"),
    ],
)
def test_nothing_is_invented_for_other_devices(driver: str, device: str) -> None:
    found = price_of(spec(driver, device))
    assert (found.pricing, found.preset, found.origin) == (None, None, "")


def test_a_plan_is_listed_and_never_used_by_itself() -> None:
    plans = [preset for preset in price_presets("ibm") if not preset.devices]
    assert {plan.name for plan in plans} == {"Flex", "Premium"}
    assert price_preset("ibm", "Flex") is None


def test_the_manifests_own_price_replaces_all_of_the_preset() -> None:
    own = Pricing(currency="EUR", per_shot="0.01")
    declared = spec("ibm", "ibm_torino", pricing=own)
    assert price_of(declared).pricing is own
    assert price_of(declared).origin == ""
    assert priced(declared) is declared


def test_the_engine_reckons_with_the_preset_and_reports_the_manifest_as_declared() -> None:
    manifest = QuantumBackend(metadata=ObjectMeta(name="torino"), spec=spec("ibm", "ibm_torino"))
    backend = Backend(manifest)
    pricing = backend.record(0.0).spec.pricing
    assert pricing is not None
    assert pricing.per_second == "1.60"
    assert backend.declared.spec.pricing is None


def test_people_read_the_date_of_a_preset() -> None:
    found = price_of(spec("ibm", "ibm_torino"))
    assert found.preset is not None
    assert found.origin == f"preset of {found.preset.as_of.isoformat()}"


def test_a_price_ages_unless_it_can_no_longer_change() -> None:
    fields = {"name": "x", "devices": (), "source": "somewhere", "pricing": Pricing(currency="USD")}
    preset = PricePreset(as_of=TODAY - dt.timedelta(days=200), **fields)  # type: ignore[arg-type]
    retired = PricePreset(as_of=preset.as_of, retired=True, **fields)  # type: ignore[arg-type]
    assert preset.age_days(TODAY) == 200
    assert retired.age_days(TODAY) == 0
    assert preset.age_days(preset.as_of - dt.timedelta(days=1)) == 0
