from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from qsched.api.backend import BackendSpec, Pricing, QuantumBackend
from qsched.api.base import ObjectMeta
from qsched.api.manifest import manifest_yaml
from qsched.cli.render_backends import backend_table
from qsched.cli.render_pricing import backend_price, is_old, price, price_notes
from qsched.presets.pricing import OLD_AFTER_DAYS, price_of, price_presets, priced_drivers

GHZ = Path(__file__).parents[3] / "examples" / "ghz.yaml"
Command = Callable[..., Result]
Show = Callable[..., str]

NEWEST = max(preset.as_of for driver in priced_drivers() for preset in price_presets(driver))


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Callable[[dt.date], None]:
    """Sets the day on which commands run."""

    def today(day: dt.date) -> None:
        moment = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        monkeypatch.setattr("qsched.cli.progress.now", lambda: moment)

    return today


@pytest.mark.parametrize(
    ("pricing", "said"),
    [
        (None, "free"),
        (Pricing(currency="USD"), "free"),
        (Pricing(currency="USD", per_second="1.6"), "USD 1.60/s"),
        (Pricing(currency="EUR", per_task="0.3", per_shot="0.00035"), "EUR 0.30/task + 0.00035/shot"),
        (Pricing(currency="USD", per_shot="0.01", minimum="25"), "USD 0.01/shot, at least 25.00"),
        (Pricing(currency="USD", minimum="25"), "USD 25.00/task"),
    ],
)
def test_a_price_list_is_one_line(pricing: Pricing | None, said: str) -> None:
    assert price(pricing) == said


@pytest.mark.parametrize(
    ("driver", "device", "pricing", "said"),
    [
        ("ibm", "ibm_torino", None, f"USD 1.60/s\npreset of {price_presets('ibm')[0].as_of}"),
        ("ibm", "ibm_torino", Pricing(currency="USD"), "free"),
        ("azure", "pasqal.qpu.fresnel", None, "not known"),
        ("aer", "torino", None, "free"),
    ],
)
def test_a_backends_price_says_where_it_comes_from(
    driver: str, device: str, pricing: Pricing | None, said: str
) -> None:
    assert backend_price(BackendSpec(driver=driver, device=device, pricing=pricing)).plain == said


def test_each_backend_is_priced_in_its_own_currency(show: Show, now: dt.datetime) -> None:
    devices = {"torino": ("ibm", "ibm_torino"), "h2": ("azure", "quantinuum.qpu.h2-1")}
    backends = [
        QuantumBackend(metadata=ObjectMeta(name=name), spec=BackendSpec(driver=driver, device=device))
        for name, (driver, device) in devices.items()
    ]
    shown = show(backend_table(backends, now), width=160)
    assert "USD 1.60/s" in shown
    assert "HQC 5.00/task + 0.0002/1q gate" in shown


def test_explain_says_which_prices_are_presets_and_which_are_not_known() -> None:
    torino = BackendSpec(driver="ibm", device="ibm_torino")
    own = BackendSpec(driver="ibm", device="ibm_boston", pricing=Pricing(currency="USD"))
    fresnel = BackendSpec(driver="azure", device="pasqal.qpu.fresnel")
    h2 = BackendSpec(driver="azure", device="quantinuum.qpu.h2-1")
    twin = BackendSpec(driver="aer", device="torino")
    days = sorted(str(price_of(spec).origin).removeprefix("preset of ") for spec in (torino, h2))
    notes = list(price_notes({"t": torino, "own": own, "f": fresnel, "h2": h2, "twin": twin}))
    assert notes == [
        f"2 prices by presets of {days[0]} to {days[1]}; 'qsched backends' says which",
        "no price is known of f, whose tasks cost something; write spec.pricing",
    ]
    assert list(price_notes({"own": own, "twin": twin})) == []


@pytest.mark.slow
def test_explain_ends_with_where_prices_come_from(qsched: Command, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.yaml"
    backend = QuantumBackend(
        metadata=ObjectMeta(name="h2"), spec=BackendSpec(driver="azure", device="quantinuum.qpu.h2-1")
    )
    fleet.write_text(manifest_yaml(backend))
    options = ["--fleet", fleet, "--store", tmp_path / "jobs.db", "explain", "--dry-run", GHZ]
    assert "1 price by presets of " in qsched(*options).stdout.splitlines()[-1]
    assert json.loads(qsched(*options, "-o", "json").stdout)[0]["backend"] == "h2"


def test_backends_takes_names_options_and_the_subcommand(qsched: Command) -> None:
    assert qsched("backends", "ideal", "lima", "-o", "name").stdout.split() == ["ideal", "lima"]
    assert "lima" in qsched("backends", "-o", "name").stdout.split()
    assert qsched("backends", "list", "ideal", "-o", "name").stdout.split() == ["ideal"]
    assert "ibm/Pay-As-You-Go" in qsched("backends", "pricing", "-o", "name").stdout.splitlines()


def test_presets_are_listed_with_devices_dates_and_what_is_second_hand(qsched: Command) -> None:
    shown = qsched("backends", "pricing").stdout
    assert "quantinuum.qpu.*" in shown
    assert str(NEWEST) in shown
    assert "second hand" in shown
    listed = json.loads(qsched("backends", "pricing", "-o", "json").stdout)
    torino = next(each for each in listed if each["name"] == "Pay-As-You-Go")
    assert (torino["driver"], torino["devices"], torino["pricing"]["currency"]) == ("ibm", ["ibm_*"], "USD")
    assert torino["secondHand"]


def test_check_fails_once_a_price_is_old(qsched: Command, today: Callable[[dt.date], None]) -> None:
    today(NEWEST + dt.timedelta(days=OLD_AFTER_DAYS + 1))
    done = qsched("backends", "pricing", "--check")
    assert done.exit_code == 1
    assert f"{OLD_AFTER_DAYS + 1} days" in done.stdout
    assert "retired" in done.stdout
    assert f"older than {OLD_AFTER_DAYS} days" in done.stderr


def test_check_passes_while_prices_are_fresh(qsched: Command, today: Callable[[dt.date], None]) -> None:
    today(min(preset.as_of for d in priced_drivers() for preset in price_presets(d) if not preset.retired))
    assert qsched("backends", "pricing", "--check").exit_code == 0


def test_a_price_is_old_after_the_limit_and_not_on_it() -> None:
    preset = price_presets("ibm")[0]
    assert not is_old(preset, preset.as_of + dt.timedelta(days=OLD_AFTER_DAYS))
    assert is_old(preset, preset.as_of + dt.timedelta(days=OLD_AFTER_DAYS + 1))
