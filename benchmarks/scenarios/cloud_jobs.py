"""The same small jobs for three clouds: for qsched, and for each provider's own client used directly.

The clouds are emulators on this machine. Used directly, each client polls as eagerly as it can be told to and
does for a job what its documentation shows: the circuit is compiled where the provider leaves that to the
client, submitted, waited for and fetched, one job after the other.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from qiskit import QuantumCircuit

    from qsched_emulators.control import Emulator

    RunDirectly = Callable[["CloudJob"], dict[str, int]]

SHOTS = 200
RUN_S = 0.3
"""Seconds that the emulated devices take for each task."""


class Cloud(NamedTuple):
    """A provider and the device that is used of it."""

    name: str
    device: str
    direct: Callable[[Emulator, str], RunDirectly]


class CloudJob(NamedTuple):
    """A chain of entangled qubits after a turn of the first one, each job with another angle."""

    name: str
    qubits: int
    angle: float

    def circuit(self) -> QuantumCircuit:
        """For qsched, and for IBM."""
        from qiskit import QuantumCircuit

        chain = QuantumCircuit(self.qubits, self.qubits)
        chain.ry(self.angle, 0)
        for qubit in range(self.qubits - 1):
            chain.cx(qubit, qubit + 1)
        chain.measure(range(self.qubits), range(self.qubits))
        return chain

    def braket(self) -> str:
        """As Braket's users write it."""
        lines = ["OPENQASM 3.0;", f"bit[{self.qubits}] b;", f"qubit[{self.qubits}] q;"]
        lines.append(f"ry({self.angle!r}) q[0];")
        lines += [f"cnot q[{qubit}], q[{qubit + 1}];" for qubit in range(self.qubits - 1)]
        lines += [f"b[{qubit}] = measure q[{qubit}];" for qubit in range(self.qubits)]
        return "\n".join(lines)

    def ionq(self) -> dict[str, Any]:
        """As IonQ's JSON has it."""
        gates: list[dict[str, Any]] = [{"gate": "ry", "target": 0, "rotation": self.angle}]
        gates += [{"gate": "cnot", "control": qubit, "target": qubit + 1} for qubit in range(self.qubits - 1)]
        return {"gateset": "qis", "qubits": self.qubits, "circuit": gates}


def cloud_jobs(count: int, prefix: str) -> list[CloudJob]:
    """Jobs of 2 to 5 qubits, no two alike."""
    return [
        CloudJob(f"{prefix}-{number}", 2 + number % 4, 0.3 + 2.5 * (number + 1) / (count + 1))
        for number in range(count)
    ]


def _ibm(emulator: Emulator, device: str) -> RunDirectly:
    from qiskit.transpiler import generate_preset_pass_manager
    from qiskit_ibm_runtime import QiskitRuntimeService, SamplerV2

    os.environ |= emulator.environment  # the client looks for where tokens come from nowhere else
    service = QiskitRuntimeService(
        channel="ibm_quantum_platform",
        token=emulator.credentials["token"],
        instance=emulator.parameters["instance"],
        url=os.environ["QISKIT_IBM_URL"],
    )
    backend = service.backend(device)
    manager = generate_preset_pass_manager(optimization_level=2, backend=backend)
    sampler = SamplerV2(mode=backend)

    def run(job: CloudJob) -> dict[str, int]:
        submitted = sampler.run([manager.run(job.circuit())], shots=SHOTS)
        counts: dict[str, int] = submitted.result(poll_interval=0.1)[0].join_data().get_counts()
        return counts

    return run


def _braket(emulator: Emulator, device: str) -> RunDirectly:
    from boto3 import Session
    from braket.aws import AwsDevice, AwsSession
    from braket.ir.openqasm import Program

    keys = emulator.credentials
    os.environ |= {
        "AWS_ENDPOINT_URL_BRAKET": emulator.parameters["endpoint"],
        "AWS_ENDPOINT_URL_S3": emulator.parameters["s3Endpoint"],
    }
    boto = Session(
        aws_access_key_id=keys["accessKeyId"],
        aws_secret_access_key=keys["secretAccessKey"],
        region_name=device.split(":")[3] or "us-east-1",
    )
    bucket = emulator.parameters["bucket"].replace("{region}", boto.region_name)
    machine = AwsDevice(device, aws_session=AwsSession(boto_session=boto, default_bucket=bucket))

    def run(job: CloudJob) -> dict[str, int]:
        task = machine.run(
            Program(source=job.braket()), (bucket, "direct"), shots=SHOTS, poll_interval_seconds=0.1
        )
        return dict(task.result().measurement_counts)

    return run


def _azure(emulator: Emulator, device: str) -> RunDirectly:
    from azure.identity import ClientSecretCredential
    from azure.quantum import Workspace  # type: ignore[attr-defined]

    it, keys = emulator.parameters, emulator.credentials
    os.environ["REQUESTS_CA_BUNDLE"] = it["caFile"]
    credential = ClientSecretCredential(
        keys["tenantId"],
        keys["clientId"],
        keys["clientSecret"],
        authority=it["authorityHost"],
        disable_instance_discovery=True,
    )
    workspace = Workspace(
        subscription_id=it["subscriptionId"],
        resource_group=it["resourceGroup"],
        name=it["workspace"],
        credential=credential,
        arm_endpoint=it["armEndpoint"],
    )
    target = workspace.get_targets(name=device)

    def run(job: CloudJob) -> dict[str, int]:
        submitted = target.submit(job.ionq(), name=job.name, shots=SHOTS)
        submitted.wait_until_completed(print_progress=False)
        histogram: dict[str, float] = submitted.get_results()["histogram"]
        return Counter({key: round(share * SHOTS) for key, share in histogram.items()})

    return run


CLOUDS: Sequence[Cloud] = (
    Cloud("ibm", "ibm_torino", _ibm),
    Cloud("braket", "arn:aws:braket:eu-north-1::device/qpu/iqm/Garnet", _braket),
    Cloud("azure", "ionq.qpu.forte-1", _azure),
)
