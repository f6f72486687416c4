from __future__ import annotations

import datetime as dt
import importlib.util
import subprocess
import sys
import time

import msgspec
import numpy as np
import pytest

from qsched.api.backend_properties import from_backend_properties
from qsched.drivers import NoCalibration, NotFound
from qsched.errors import InvalidInput
from qsched.fleet.quality import quality
from qsched.presets.published import published_names
from qsched_aer import snapshots
from qsched_aer.snapshots import load_snapshot, snapshot_names

WITHOUT_SX = [
    "almaden",
    "boeblingen",
    "burlington",
    "cambridge",
    "essex",
    "johannesburg",
    "london",
    "poughkeepsie",
    "rochester",
    "singapore",
]
UNDER_TEST = sorted(snapshot_names())


def test_all_snapshots_of_the_package_and_the_published_devices_are_there():
    assert len(UNDER_TEST) >= 68
    assert {"kyoto", "boston", "armonk", "ionq-forte", "iqm-garnet", "rigetti-ankaa"} <= set(UNDER_TEST)
    assert not any(name.startswith("fake") for name in UNDER_TEST)


@pytest.mark.parametrize("name", UNDER_TEST)
def test_every_snapshot_loads_and_has_a_usable_part(name):
    calibration = load_snapshot(name)
    worth = quality(calibration)
    assert calibration.device == name
    assert calibration.source
    assert 1 <= worth.qubits <= calibration.qubits
    for error in (worth.e1, worth.er):
        assert (error > 0).all()
        assert error[:, :6].max() < 0.2
    assert (worth.e2 >= 0).all()
    assert worth.e2[:, :6].max() < 0.05
    assert (worth.t2_s > 1e-6).all()
    assert (worth.t2_s <= 2 * worth.t1_s).all()
    assert 1e-8 <= worth.d1_s < worth.dm_s < 1e-3
    # Ions that are carried about are brought back and cooled between shots.
    assert 0 < worth.reset_s <= (2e-2 if name.startswith("quantinuum") else 4e-3)
    assert (
        dt.datetime(2020, 1, 1, tzinfo=dt.UTC) < calibration.taken_at < dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
    )


def test_loading_does_not_import_the_package_that_holds_the_files():
    program = (
        "import sys; from qsched_aer.snapshots import load_snapshot; load_snapshot('torino'); "
        "sys.exit(bool({'qiskit_ibm_runtime', 'qiskit', 'qiskit_aer'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_snapshot_of_156_qubits_loads_in_30_ms():
    times_s = []
    for _ in range(3):
        start = time.perf_counter()
        load_snapshot("kingston")
        times_s.append(time.perf_counter() - start)
    assert min(times_s) < 0.03


def test_kyoto_has_no_working_coupler_so_that_one_qubit_is_left():
    calibration = load_snapshot("kyoto")
    assert calibration.qubits == 127
    assert (calibration.gate2_error == 1).all()
    assert quality(calibration).qubits == 1


def test_lagos_reads_out_badly_but_is_usable():
    calibration = load_snapshot("lagos")
    assert calibration.readout_error[0] == pytest.approx(0.169)
    assert quality(calibration).qubits == 7


def test_cairo_has_two_native_gates_and_a_dead_coupler_that_cuts_two_qubits_off():
    calibration = load_snapshot("cairo")
    worth = quality(calibration)
    assert calibration.two_qubit_gate == "ecr"
    dead = calibration.couplers[calibration.gate2_error >= 0.5]
    assert dead.tolist() == [[20, 19]]
    assert worth.qubits == 25
    # T2 beyond 2 T1, as reported for the first qubit.
    assert calibration.t2_s[0] > 2 * calibration.t1_s[0]
    assert worth.qubit_t2_s[0] == pytest.approx(2 * calibration.t1_s[0])


def test_toronto_reports_durations_sixteen_times_those_of_its_sisters_and_keeps_them():
    toronto, sydney = quality(load_snapshot("toronto")), quality(load_snapshot("sydney"))
    assert toronto.qubits == 27
    assert toronto.er[:, :6].max() < 0.2
    assert toronto.d1_s == pytest.approx(16 * sydney.d1_s)


def test_kingston_has_a_qubit_without_t1_which_is_dead():
    calibration = load_snapshot("kingston")
    missing = np.flatnonzero(np.isnan(calibration.t1_s))
    assert len(missing) == 1
    assert not quality(calibration).usable[missing].any()


def test_manhattan_falls_apart_and_its_largest_part_is_kept():
    assert quality(load_snapshot("manhattan")).qubits == 17


def test_cuscos_dead_qubits_are_dropped():
    calibration = load_snapshot("cusco")
    worth = quality(calibration)
    assert worth.qubits == 81
    assert (calibration.readout_error[worth.usable] < 0.5).all()


@pytest.mark.parametrize("name", WITHOUT_SX)
def test_devices_without_sx_have_the_older_gates(name):
    calibration = load_snapshot(name)
    assert calibration.one_qubit_gates == ("u2", "u3")
    assert calibration.virtual_gates == ("u1",)
    assert calibration.two_qubit_gate == "cx"
    assert quality(calibration).qubits >= 0.85 * calibration.qubits


def test_those_are_all_the_devices_without_sx():
    others = {name for name in UNDER_TEST if not {"sx", "r"} & set(load_snapshot(name).one_qubit_gates)}
    assert others == set(WITHOUT_SX)


def test_a_symmetric_gate_is_listed_once_and_a_directed_one_as_reported():
    heron, eagle = load_snapshot("torino").couplers, load_snapshot("brisbane").couplers
    assert (heron[:, 0] < heron[:, 1]).all()
    assert len(heron) == 150
    assert len(eagle) == 144
    assert (eagle[:, 0] > eagle[:, 1]).any()


def test_taken_at_is_the_last_update_in_utc():
    expected = dt.datetime(2025, 2, 26, 20, 26, 8, tzinfo=dt.UTC)
    assert load_snapshot("torino").taken_at == expected


@pytest.mark.parametrize(
    ("name", "qubits", "gate", "t2_s"),
    [("ionq-forte", 36, "rzz", 1.0), ("ionq-aria", 25, "rxx", 1.0), ("iqm-garnet", 20, "cz", 9e-6)],
)
def test_published_devices_are_as_published(name, qubits, gate, t2_s):
    worth = quality(load_snapshot(name))
    assert worth.qubits == qubits
    assert worth.calibration.two_qubit_gate == gate
    low = np.quantile(worth.qubit_t2_s[worth.usable], 0.25, method="inverted_cdf")
    assert low == pytest.approx(t2_s, rel=0.02)


def test_ions_are_all_to_all():
    worth = quality(load_snapshot("ionq-forte"))
    assert worth.coupler_usable.sum() == 36 * 35 / 2
    assert worth.ball[-1] == 1


def test_ankaa_has_two_qubits_without_couplers():
    assert quality(load_snapshot("rigetti-ankaa")).qubits == 82


def test_an_unknown_device_is_refused_with_the_nearest_or_the_known_ones():
    with pytest.raises(NotFound, match=r"no device '\.\./kyoto'; did you mean 'kyoto'\?"):
        load_snapshot("../kyoto")
    with pytest.raises(NotFound, match="no device 'zzz'; known here: aachen, algiers"):
        load_snapshot("zzz")


def test_without_the_package_the_published_devices_are_left_and_the_message_says_what_to_install(monkeypatch):
    snapshots._ibm_snapshots.cache_clear()
    monkeypatch.setattr(snapshots, "find_spec", lambda _name: None)
    try:
        assert snapshot_names() == sorted(published_names())
        with pytest.raises(NoCalibration, match=r"pip install 'qsched\[aer\]'"):
            load_snapshot("kyoto")
        assert load_snapshot("ionq-forte").qubits == 36
    finally:
        snapshots._ibm_snapshots.cache_clear()


def _properties(name: str) -> dict[str, object]:
    directory = snapshots._ibm_snapshots()[name]
    return msgspec.json.decode((directory / f"props_{name}.json").read_bytes())


def test_properties_as_an_object_or_a_dictionary_give_the_same_calibration():
    class Properties:
        def to_dict(self) -> dict[str, object]:
            return _properties("lima")

    options = {"device": "lima", "basis_gates": ["cx", "sx", "x", "rz"], "reset_s": 250e-6, "dynamic": False}
    expected = load_snapshot("lima")
    assert from_backend_properties(Properties(), **options) == expected
    assert from_backend_properties(_properties("lima"), **options) == expected


@pytest.mark.slow
def test_qiskits_own_type_of_properties_is_understood():
    if importlib.util.find_spec("qiskit_ibm_runtime") is None:
        pytest.skip("qiskit-ibm-runtime is not installed")
    program = (
        "import warnings; warnings.simplefilter('ignore')\n"
        "from qiskit_ibm_runtime.models import BackendProperties\n"
        "from qsched.api.backend_properties import from_backend_properties\n"
        "from qsched_aer import snapshots\n"
        "import json\n"
        "directory = snapshots._ibm_snapshots()['lima']\n"
        "properties = BackendProperties.from_dict(json.loads((directory / 'props_lima.json').read_text()))\n"
        "one = from_backend_properties(properties, device='lima', basis_gates=['cx', 'sx', 'x', 'rz'],\n"
        "                              reset_s=250e-6, dynamic=False)\n"
        "assert one == snapshots.load_snapshot('lima')\n"
    )
    # In a process of its own: the import takes seconds and leaves much behind.
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_properties_of_another_form_are_refused():
    with pytest.raises(InvalidInput, match="properties of x are not in Qiskit's form"):
        from_backend_properties({"qubits": 3}, device="x", basis_gates=[], reset_s=0, dynamic=False)


def test_properties_that_contradict_themselves_are_refused():
    properties = _properties("lima")
    properties["gates"][-1] = {"gate": "cx", "qubits": [0, 9], "parameters": []}
    with pytest.raises(InvalidInput, match=r"properties of lima.*outside 0\.\.4"):
        from_backend_properties(properties, device="lima", basis_gates=["cx"], reset_s=0, dynamic=False)


def test_a_damaged_snapshot_is_reported_with_its_name(tmp_path, monkeypatch):
    (tmp_path / "conf_lima.json").write_text("{}")
    monkeypatch.setattr(snapshots, "_ibm_snapshots", lambda: {"lima": tmp_path})
    with pytest.raises(NoCalibration, match=r"snapshot of lima .* reinstall"):
        load_snapshot("lima")
