"""The driver of docs/how-to/add-a-driver.md, at a stand-in for its laboratory in a process of its own."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from qiskit import QuantumCircuit, qpy

from qsched.drivers import Driver, Task, TaskCircuit
from qsched.drivers.contract import DriverContract

FOLDER = Path(__file__).parents[2] / "examples" / "driver"
sys.path.insert(0, str(FOLDER))
from qsched_lab import LabDriver  # noqa: E402 - an example is no installed package


def a_task(device: str, *circuits: QuantumCircuit, shots: int = 101) -> Task:
    return Task(device=device, circuits=tuple(map(packed, circuits)), shots=shots)


def packed(circuit: QuantumCircuit) -> TaskCircuit:
    buffer = io.BytesIO()
    qpy.dump(circuit, buffer)
    return TaskCircuit(name=circuit.name, qpy=buffer.getvalue(), transpiled_hash=f"hash-{circuit.name}")


def bell(qubits: int = 2) -> QuantumCircuit:
    circuit = QuantumCircuit(qubits)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.measure_all()
    return circuit


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("laboratory") / "lab"
    command = [sys.executable, str(FOLDER / "lab.py"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "takes orders" in process.stdout.readline()
        yield folder
        process.terminate()


class TestExampleDriver(DriverContract):
    @pytest.fixture
    def folder(self, laboratory, tmp_path):
        (laboratory / "orders").rename(tmp_path / "orders of the last test")
        (laboratory / "orders").mkdir()
        return laboratory

    @pytest.fixture
    def another(self, folder):
        return lambda: LabDriver({"folder": str(folder)})

    @pytest.fixture
    async def driver(self, another):
        driver = another()
        yield driver
        await driver.aclose()

    @pytest.fixture
    def task(self) -> Task:
        return a_task("bench", bell(), bell(5))

    @pytest.fixture
    def other_task(self) -> Task:
        return a_task("cellar", bell(12))

    @pytest.fixture
    def long_task(self) -> Task:
        return a_task("cellar", bell(), shots=10**9)

    @pytest.fixture
    def impossible_task(self) -> Task:
        return a_task("bench", bell(6))

    @pytest.fixture
    def lose_answer(self, another):
        async def lose(driver: Driver, task: Task, token: str) -> None:
            first = another()
            await first.submit(task, token)
            await first.aclose()

        return lose


def test_the_driver_has_less_than_150_lines():
    assert len((FOLDER / "qsched_lab.py").read_text().splitlines()) < 150


@pytest.mark.parametrize("language", ["python", "toml", "yaml"])
def test_the_how_to_shows_what_is_in_the_files(language):
    page = FOLDER.parents[1] / "docs" / "how-to" / "add-a-driver.md"
    blocks = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)
    file = FOLDER / {"python": "qsched_lab.py", "toml": "pyproject.toml", "yaml": "fleet.yaml"}[language]
    assert blocks
    for indent, block in blocks:
        lines = [line.removeprefix(indent) for line in block.splitlines(keepends=True)]
        assert "".join(lines) in file.read_text()
