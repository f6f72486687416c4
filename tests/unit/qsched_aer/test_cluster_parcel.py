"""What travels between the driver and a task's pod."""

from __future__ import annotations

import io
import random
import zlib

import msgspec
import pytest
from qiskit import QuantumCircuit, qpy

from qsched.api.calibration_file import loads
from qsched.drivers import DriverError, Rejected, Task, TaskCircuit, TaskResult
from qsched_aer.parcel import MOST_BYTES, pack, pack_result, unpack, unpack_result
from qsched_aer.simulate import Limits
from qsched_aer.snapshots import load_snapshot

LIMITS = Limits(threads=1, memory_mb=512)


def task(circuit: QuantumCircuit, device: str, **more) -> Task:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    it = TaskCircuit(name="it", qpy=buffer.getvalue(), transpiled_hash="abc")
    return Task(device=device, circuits=(it,), **{"shots": 100, "seed": 5, **more})


def flipped(width: int = 5) -> QuantumCircuit:
    circuit = QuantumCircuit(width, width)
    circuit.x(0)
    circuit.measure(range(width), range(width))
    return circuit


def test_a_twins_task_takes_its_calibration_along():
    packed = pack(task(flipped(), "vigo", readout_mitigation=True), "aer-1", LIMITS)
    parcel = unpack(packed.data)
    assert loads(parcel.calibration).id == load_snapshot("vigo").id
    assert (parcel.remote_id, parcel.shots, parcel.seed, parcel.hashes) == ("aer-1", 100, 5, ("abc",))
    (order,) = parcel.orders
    assert len(order.mitigate) == 5
    assert parcel.device_s > 0
    assert parcel.limits == LIMITS


def test_an_ideal_task_has_none():
    parcel = unpack(pack(task(flipped(), "ideal"), "aer-1", LIMITS).data)
    assert parcel.calibration is None
    assert parcel.device_s is None


def test_the_memory_grows_with_the_state():
    def needed(width: int, shots: int = 100) -> int:
        circuit = QuantumCircuit(width, width)
        for qubit in range(width):
            circuit.rx(0.3, qubit)
            circuit.cx(qubit, (qubit + width // 2) % width)
        circuit.measure(range(width), range(width))
        return pack(task(circuit, "ideal", shots=shots), "aer-1", LIMITS).memory_mb

    small = needed(4)
    assert small < 300
    assert needed(24) - small == pytest.approx(256 * 9 / 8, abs=2)
    assert needed(4, shots=1_000_000) > small + 100


@pytest.mark.slow
def test_a_task_larger_than_a_secret_says_so():
    random.seed(1)
    circuit = QuantumCircuit(2, 2)
    for _ in range(160_000):
        circuit.rx(random.random(), 0)
    circuit.measure([0, 1], [0, 1])
    with pytest.raises(Rejected, match=r"circuits take \d+ KiB compressed, .* may take 1024; divide them"):
        pack(task(circuit, "ideal"), "aer-1", LIMITS)


def result(outcomes: int) -> TaskResult:
    generator = random.Random(1)
    counts = {f"{generator.getrandbits(100):0100b}": 1 for _ in range(outcomes)}
    return TaskResult(
        remote_id="aer-1", counts=(counts,), shots=(outcomes,), transpiled_hashes=("abc",), run_s=1.5
    )


def test_a_result_comes_back_as_it_was():
    assert unpack_result(pack_result(result(1000))) == result(1000)


def test_a_result_larger_than_a_secret_says_so():
    with pytest.raises(
        DriverError, match=r"the 100,000 distinct bit strings .* take \d+ KiB .* may take 1024; fewer shots"
    ):
        pack_result(result(100_000))


@pytest.mark.parametrize(
    "damaged", [b"", b"nonsense", zlib.compress(b"nonsense"), zlib.compress(msgspec.msgpack.encode({"a": 1}))]
)
@pytest.mark.parametrize("read", [unpack, unpack_result])
def test_what_is_damaged_cannot_be_read(read, damaged):
    with pytest.raises(DriverError, match="cannot be read"):
        read(damaged)


def test_half_a_parcel_cannot_be_read():
    with pytest.raises(DriverError, match="cut off"):
        unpack(pack(task(flipped(), "ideal"), "aer-1", LIMITS).data[:-20])


def test_a_result_that_would_fill_the_memory_is_refused():
    bomb = zlib.compress(bytes(2**28 + 1))
    assert len(bomb) < MOST_BYTES
    with pytest.raises(DriverError, match="too large"):
        unpack_result(bomb)


def test_a_parcel_of_another_form_names_both_versions():
    other = {"format": 2, "version": "9.9", "parcel": {}}
    with pytest.raises(DriverError, match=r"qsched 9\.9 packed this task, .* parameters\.cluster\.image"):
        unpack(zlib.compress(msgspec.msgpack.encode(other)))
