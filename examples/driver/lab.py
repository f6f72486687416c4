"""A stand-in for the laboratory: takes orders from a folder, and runs them on Qiskit's own simulator.

``python lab.py FOLDER`` makes the folder with two devices unless it is there, says so, and works until it is
stopped.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from lab_folder import SUFFIX, End, LabFolder
from qiskit import QuantumCircuit, qpy
from qiskit.providers.basic_provider import BasicSimulator

from qsched.api.calibration_file import save_calibration
from qsched.drivers.fake_calibration import line_calibration

DEVICES = {"bench": 5, "cellar": 12}
SLICE = 50
"""Shots between two looks whether somebody stopped the order."""


def make(folder: Path) -> None:
    """Devices in a new folder: lines of qubits."""
    for name in ("devices", "orders"):
        (folder / name).mkdir(parents=True)
    now = dt.datetime.now(dt.UTC)
    for device, qubits in DEVICES.items():
        calibration = line_calibration(device, qubits, two_qubit_error=0.01, taken_at=now)
        save_calibration(calibration, folder / "devices" / (device + SUFFIX))


def work(lab: LabFolder, device: str) -> None:
    """Run the orders of one device, one after the other, for ever."""
    while True:
        with contextlib.suppress(FileNotFoundError):  # somebody cleared the folder
            for name in lab.open_orders(device):
                run(lab, name)
        time.sleep(0.01)


def run(lab: LabFolder, name: str) -> None:
    """Run one order to its end."""
    order, started_at = lab.order(name), dt.datetime.now(dt.UTC)
    lab.start(name)
    counts: list[dict[str, int]] = []
    try:
        for data in order.circuits:
            (circuit,) = qpy.load(io.BytesIO(data))
            counted = count(lab, name, circuit, order.shots)
            if counted is None:
                return
            counts.append(counted)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the next order has its turn
        lab.finish(name, End(state="failed", message=str(error)))
        return
    now = dt.datetime.now(dt.UTC)
    lab.finish(name, End(state="done", counts=tuple(counts), started_at=started_at, finished_at=now))


def count(lab: LabFolder, name: str, circuit: QuantumCircuit, shots: int) -> dict[str, int] | None:
    """Counts of a circuit; None if somebody stopped the order."""
    counts: Counter[str] = Counter()
    while (left := shots - counts.total()) > 0:
        end = lab.end(name)
        if end is None or end.state != "running":
            return None
        counts += Counter(BasicSimulator().run(circuit, shots=min(left, SLICE)).result().get_counts())
    return dict(counts)


def main() -> None:
    """Serve the folder of the command line."""
    folder = Path(sys.argv[1])
    if not folder.exists():
        make(folder)
    lab = LabFolder(str(folder))
    threads = [threading.Thread(target=work, args=(lab, device), daemon=True) for device in lab.devices()]
    for thread in threads:
        thread.start()
    print(f"the laboratory has {', '.join(lab.devices())}, and takes orders in {folder}", flush=True)
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
