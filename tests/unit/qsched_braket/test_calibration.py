from __future__ import annotations

import copy
import datetime as dt
import json

import numpy as np
import pytest

from qsched.api.backend import Window
from qsched.circuits.transpile import transpile
from qsched.drivers import NoCalibration, Unavailable
from qsched.fleet.target import to_target
from qsched.presets.published import read_published
from qsched_braket.calibration import read_calibration
from qsched_braket.capabilities import Device, at_least, read_device
from qsched_emulators.braket_devices import ANKAA, AQUILA, ARIA, FORTE, GARNET, SV1, Model, describe

TWINS = [ANKAA, ARIA, FORTE, GARNET]


def answer(model: Model, **changes: object) -> dict[str, object]:
    """What GetDevice answers, made by Braket's own schema classes; ``changes`` go into its capabilities."""
    calibration = read_published(model.published) if model.published else None
    return {
        "deviceArn": model.arn,
        "deviceName": model.name,
        "providerName": model.provider,
        "deviceType": "SIMULATOR" if model.simulator else "QPU",
        "deviceStatus": "ONLINE",
        "deviceCapabilities": json.dumps({**describe(model, calibration), **changes}),
    }


def device(model: Model, **changes: object) -> Device:
    return read_device(answer(model, **changes))


def with_service(model: Model, **changes: object) -> Device:
    service = json.loads(answer(model)["deviceCapabilities"])["service"]
    return device(model, service={**service, **changes})


class TestCalibration:
    @pytest.mark.parametrize("model", TWINS, ids=lambda model: model.name)
    def test_figures_and_couplers_are_those_of_the_device(self, model: Model):
        told, twin = read_calibration(device(model)), read_published(model.published)
        assert told.device == model.arn
        assert told.taken_at == twin.taken_at
        assert told.qubits == twin.qubits
        assert (told.one_qubit_gates, told.two_qubit_gate, told.virtual_gates) == (
            twin.one_qubit_gates,
            twin.two_qubit_gate,
            twin.virtual_gates,
        )
        assert sorted(map(sorted, told.couplers.tolist())) == sorted(map(sorted, twin.couplers.tolist()))
        wired = np.unique(told.couplers)
        for name in ("t1_s", "t2_s", "readout_error", "gate1_error", "gate1_s", "readout_s"):
            assert np.allclose(getattr(told, name)[wired], getattr(twin, name)[wired]), name
        rows = {tuple(sorted(pair)): row for row, pair in enumerate(twin.couplers.tolist())}
        order = [rows[tuple(pair)] for pair in told.couplers.tolist()]
        assert np.allclose(told.gate2_error, twin.gate2_error[order])
        assert np.allclose(told.gate2_s, twin.gate2_s[order])
        assert told.reset_s == pytest.approx(twin.reset_s)

    def test_qubits_without_a_coupler_are_there_and_never_used(self):
        from qiskit import QuantumCircuit

        told = read_calibration(device(ANKAA))
        assert np.isnan(told.gate1_error[[42, 48]]).all()
        wide = QuantumCircuit(40)
        for qubit in range(39):
            wide.cx(qubit, qubit + 1)
        wide.measure_all()
        assert transpile(wide, to_target(told), level=1, seed=0).usage

    def test_a_qubit_that_drops_out_shifts_no_other(self):
        content = json.loads(answer(GARNET)["deviceCapabilities"])
        graph = content["paradigm"]["connectivity"]["connectivityGraph"]
        del graph["1"]
        for others in graph.values():
            if "1" in others:
                others.remove("1")
        told = read_calibration(device(GARNET, paradigm=content["paradigm"]))
        assert told.qubits == 20
        assert 0 not in told.couplers
        assert [1, 4] in told.couplers.tolist()

    def test_the_source_says_what_was_published_elsewhere(self):
        assert "published elsewhere: " in read_calibration(device(GARNET)).source
        assert "duration of two-qubit gates" in read_calibration(device(GARNET)).source
        assert "elsewhere" not in read_calibration(device(FORTE)).source

    def test_older_figures_of_ionq_are_read(self):
        told = device(
            ARIA,
            standardized=None,
            provider={
                "fidelity": {"1Q": {"mean": 0.9998}, "2Q": {"mean": 0.98}, "spam": {"mean": 0.995}},
                "timing": {"T1": 100.0, "T2": 1.0, "1Q": 1e-4, "2Q": 6e-4, "readout": 3e-4, "reset": 2e-5},
            },
        )
        calibration = read_calibration(told)
        assert np.allclose(calibration.gate1_error, 0.0002)
        assert np.allclose(calibration.gate2_error, 0.02)
        assert np.allclose(calibration.readout_error, 0.005)
        assert np.allclose(calibration.gate2_s, 6e-4)
        assert calibration.reset_s == 2e-5

    @pytest.mark.parametrize(("unit", "factor"), [("S", 1.0), ("us", 1e-6), ("ns", 1e-9)])
    def test_times_have_their_unit(self, unit: str, factor: float):
        content = json.loads(answer(GARNET)["deviceCapabilities"])["standardized"]
        content["oneQubitProperties"]["3"]["T1"] = {"value": 25.0, "unit": unit}
        assert read_calibration(device(GARNET, standardized=content)).t1_s[2] == pytest.approx(25 * factor)

    def test_a_kind_of_fidelity_that_is_missing_is_not_measured(self):
        content = json.loads(answer(GARNET)["deviceCapabilities"])["standardized"]
        of_three = content["oneQubitProperties"]["3"]["oneQubitFidelity"]
        of_three[:] = [each for each in of_three if each["fidelityType"]["name"] == "READOUT"]
        told = read_calibration(device(GARNET, standardized=content))
        assert np.isnan(told.gate1_error[2])
        assert not np.isnan(told.gate1_error[[1, 3]]).any()

    def test_what_an_estimate_needs_and_nobody_tells_makes_no_calibration(self):
        with pytest.raises(NoCalibration, match="tells no one-qubit fidelity of Garnet"):
            read_calibration(device(GARNET, standardized=None))
        with pytest.raises(NoCalibration, match="when the figures of Garnet were taken"):
            read_calibration(with_service(GARNET, updatedAt=None))
        content = json.loads(answer(GARNET)["deviceCapabilities"])
        with pytest.raises(NoCalibration, match="not known to qsched: warp"):
            read_calibration(device(GARNET, paradigm={**content["paradigm"], "nativeGateSet": ["warp"]}))
        with pytest.raises(NoCalibration, match="which qubits of Garnet are coupled"):
            read_calibration(device(GARNET, paradigm={**content["paradigm"], "connectivity": None}))

    def test_figures_that_make_no_sense_make_no_calibration(self):
        with pytest.raises(NoCalibration, match="figures of Garnet cannot be read"):
            read_calibration(device(GARNET, standardized={"oneQubitProperties": {"three": {"T1": 1}}}))

    def test_a_simulator_has_none(self):
        with pytest.raises(NoCalibration, match="SV1 is a simulator"):
            read_calibration(device(SV1))

    def test_a_time_without_a_zone_is_utc(self):
        told = with_service(GARNET, updatedAt="2026-05-01T10:00:00.123456")
        assert told.updated_at() == dt.datetime(2026, 5, 1, 10, 0, 0, 123456, tzinfo=dt.UTC)


class TestDevice:
    @pytest.mark.parametrize(
        ("told", "depth"), [("7", 7), (">4000", 4001), ("0", 0), ("None", None), (None, None), ("", None)]
    )
    def test_a_number_that_is_at_least_so_much(self, told: str | None, depth: int | None):
        assert at_least(told) == depth

    def test_the_queue_is_that_of_tasks_of_every_priority(self):
        queues = [
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": ">4000", "queuePriority": "Normal"},
            {"queue": "QUANTUM_TASKS_QUEUE", "queueSize": "3", "queuePriority": "Priority"},
            {"queue": "JOBS_QUEUE", "queueSize": "0 (1 prioritized job(s) running)"},
        ]
        assert read_device({**answer(GARNET), "deviceQueueInfo": queues}).queue_depth == 4004
        assert read_device(answer(GARNET)).queue_depth is None

    @pytest.mark.parametrize(
        ("day", "days"),
        [("Weekdays", ["Mon", "Tue", "Wed", "Thu", "Fri"]), ("Weekend", ["Sat", "Sun"]), ("Sunday", ["Sun"])],
    )
    def test_windows_have_days(self, day: str, days: list[str]):
        window = {"executionDay": day, "windowStartHour": "09:00:00", "windowEndHour": "23:59:59"}
        told = with_service(GARNET, executionWindows=[window])
        assert told.windows() == (Window(days=days, start="09:00", end="00:00"),)

    def test_every_day_has_no_list_of_days(self):
        window = {"executionDay": "Everyday", "windowStartHour": "16:30", "windowEndHour": "02:00"}
        assert with_service(GARNET, executionWindows=[window]).windows() == (
            Window(start="16:30", end="02:00"),
        )

    def test_always_is_no_window(self):
        assert device(GARNET).windows() == ()
        assert with_service(GARNET, executionWindows=[]).windows() == ()

    def test_a_window_that_makes_no_sense_is_none(self):
        window = {"executionDay": "Doomsday", "windowStartHour": "09:00:00", "windowEndHour": "10:00:00"}
        assert with_service(GARNET, executionWindows=[window]).windows() == ()

    def test_an_analogue_device_is_told_apart(self):
        assert not device(AQUILA).gate_based
        assert device(GARNET).gate_based

    def test_a_description_that_is_none_is_no_crash(self):
        told = copy.deepcopy(answer(GARNET))
        told["deviceCapabilities"] = '{"service": 3'
        with pytest.raises(Unavailable, match="Garnet cannot be read"):
            read_device(told)
