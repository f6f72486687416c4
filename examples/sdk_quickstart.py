"""The SDK in ten lines: submit a circuit, see why it went where it did, read the counts."""

from qiskit import QuantumCircuit

from qsched import Client

ghz = QuantumCircuit(3)
ghz.h(0)
ghz.cx(0, 1)
ghz.cx(1, 2)
ghz.measure_all()

with Client.local() as client:
    job = client.submit(ghz, shots=1024, objective="fidelity")
    result = job.result()
    print(f"ran on {result.backend}: {result.circuits[0].counts}")
    for verdict in job.explain():
        print(f"{verdict.backend:16} {verdict.score:.3f} {'; '.join(verdict.reasons)}")
