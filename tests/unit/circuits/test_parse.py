from __future__ import annotations

import math
import time

import pytest
from qiskit.quantum_info import Operator

from qsched.circuits.limits import Limits
from qsched.circuits.parse import parse_qasm
from qsched.errors import CircuitError

QASM2 = 'OPENQASM 2.0;\ninclude "qelib1.inc";\n'
QASM3 = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


def doubling(levels: int) -> str:
    """Gates of which each calls the one before it twice."""
    lines = ["gate g0 a { h a; }"]
    lines += [f"gate g{i} a {{ g{i - 1} a; g{i - 1} a; }}" for i in range(1, levels)]
    return "\n".join(lines) + "\n"


def test_both_languages_give_the_same_circuit() -> None:
    two = parse_qasm(QASM2 + "qreg q[2]; creg c[2]; h q[0]; cx q[0], q[1]; measure q -> c;", name="a")
    three = parse_qasm(QASM3 + "qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;", name="b")
    assert [step.name for step in two.data] == [step.name for step in three.data]
    assert (two.name, three.name) == ("a", "b")


def test_openqasm_2_knows_the_gates_that_qiskit_users_expect() -> None:
    circuit = parse_qasm(QASM2 + "qreg q[3]; rzz(0.3) q[0], q[1]; cswap q[0], q[1], q[2]; sx q[0];", name="a")
    assert all(step.is_standard_gate() for step in circuit.data)


@pytest.mark.parametrize("parameters", ["theta, alpha", "alpha, theta", "b, a", "x2, x10"])
def test_openqasm_3_gate_parameters_keep_their_declared_order(parameters: str) -> None:
    first, second = parameters.split(", ")
    body = f"{{ rx({first}) q; rz({second} / 2) q; }}"
    text = (
        f"{QASM3}gate foo({parameters}) q {body}\ngate bar({parameters}) q {{ foo({first}, {second}) q; }}\n"
    )
    circuit = parse_qasm(text + "qubit[1] q; bar(0.5, 1.5) q[0];", name="a")
    want = parse_qasm(QASM3 + "qubit[1] q; rx(0.5) q[0]; rz(0.75) q[0];", name="b")
    assert Operator(circuit).equiv(Operator(want))


def test_arithmetic_in_arguments_is_evaluated() -> None:
    circuit = parse_qasm(QASM2 + "qreg q[1]; rx(pi/2 + sin(0)*3) q[0];", name="a")
    assert circuit.data[0].params == [pytest.approx(math.pi / 2)]


HOSTILE = {
    "many qubits": (QASM2 + "qreg q[1000000];", "1,000,000 qubits"),
    "many qubits in all": (QASM2 + "".join(f"qreg q{i}[100];\n" for i in range(11)), "1,100 qubits"),
    "many qubits of version 3": (QASM3 + "qubit[1000000000] q;", "qubits, more than the limit of 1,000"),
    "a computed size": (QASM3 + "qubit[10**9] q;", "plain number"),
    "a computed size without powers": (QASM3 + "qubit[1000*1000000] q;", "plain number"),
    "many bits": (QASM2 + "creg c[99999999];", "classical bits"),
    "a hardware qubit": (QASM3 + "h $123456789;", "no qubit"),
    "doubling gates": (QASM2 + doubling(40) + "qreg q[1]; g39 q[0];", "operations when written out"),
    "doubling gates of version 3": (QASM3 + doubling(30) + "qubit q; g29 q;", "inside gate definitions"),
    "a chain of gates": (
        QASM2 + "gate g0 a{h a;}" + "".join(f"gate g{i} a{{g{i - 1} a;}}" for i in range(1, 99)),
        "inside one another",
    ),
    "broadcast": (QASM2 + "qreg q[1000];" + "h q;\n" * 500, "operations when written out"),
    "doubling behind a condition": (
        QASM2 + doubling(40) + "qreg q[1]; creg c[1]; if(c==1) g39 q[0];",
        "operations when written out",
    ),
    "parentheses": (QASM3 + "qubit q; rx(" + "(" * 100_000 + "1" + ")" * 100_000 + ") q;", "nested brackets"),
    "signs": (QASM3 + "qubit q; rx(" + "-" * 100_000 + "1) q;", "operators in one argument"),
    "sums": (QASM2 + "qreg q[1]; rx(1" + "+1" * 100_000 + ") q[0];", "operators in one argument"),
    "blocks": (QASM3 + "bit c; qubit q; " + "if (c) {" * 1000 + "h q;" + "}" * 1000, "nested"),
    "a huge number": (QASM2 + "qreg q[" + "9" * 5000 + "];", "5,000 digits"),
    "a huge index": (QASM2 + "qreg q[1]; h q[99999999999999999999999];", "digits"),
    "controls": (QASM3 + "qubit q; ctrl(100000) @ x q;", "controls|inside gate definitions"),
    "a power of a wide gate": (
        QASM3 + "qubit[9] q; pow(0.3) @ ctrl(8) @ h " + ",".join(f"q[{i}]" for i in range(9)) + ";",
        "qubits under 'pow'",
    ),
    "a long text of version 3": (QASM3 + "qubit q;" + "h q;\n" * 100_000, "OpenQASM 3"),
    "a long text": ("OPENQASM 2.0;\n" + "\n" * 1_000_001, "bytes of source"),
    "an unterminated comment": ("OPENQASM 2.0;" + "/* " * 300_000, "not valid OpenQASM 2"),
    "a file": ('OPENQASM 2.0; include "/etc/passwd";', "only 'qelib1.inc' can be included"),
    "a file of version 3": ('OPENQASM 3.0; include "/etc/passwd";', "only 'stdgates.inc' can be included"),
    "a declaration behind an annotation": (
        QASM3 + "@note /*\nqubit[1000000000] q;\n@note */\nbit c;",
        "annotations, pragmas and calibrations",
    ),
    "a control character": (QASM3 + "\0qubit q;", "unexpected character"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_text_is_refused_at_once(case: str) -> None:
    text, message = HOSTILE[case]
    begin = time.perf_counter()
    with pytest.raises(CircuitError, match=message) as caught:
        parse_qasm(text, name="evil")
    assert "evil" in str(caught.value)
    assert time.perf_counter() - begin < 5


def test_a_limit_is_inclusive() -> None:
    text = QASM2 + "qreg q[3]; h q;"
    assert len(parse_qasm(text, name="a", limits=Limits(qubits=3, operations=3)).data) == 3
    with pytest.raises(CircuitError, match="3 qubits, more than the limit of 2"):
        parse_qasm(text, name="a", limits=Limits(qubits=2))
    with pytest.raises(CircuitError, match="3 operations when written out, more than the limit of 2"):
        parse_qasm(text, name="a", limits=Limits(operations=2))


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        (QASM2 + "qreg q[1];\nfoo q[0];", 4, "'foo' is not defined"),
        (QASM3 + "qubit[1] q;\nfoo q[0];", 4, "'foo' is not defined"),
        ("OPENQASM 3.0;\nqubit q;\nh q;", 3, "stdgates.inc"),
        (QASM2 + "qreg q[1];\n\nh q[3];", 5, "out-of-range|range"),
        (QASM2 + "qreg q[1]\nh q[0];", 3, "needed ';'"),
        ("h q;", 1, "first statement"),
        ("", None, "first statement"),
        ("OPENQASM 4.0;", 1, "first statement"),
    ],
)
def test_an_error_names_circuit_line_and_remedy(text: str, line: int | None, message: str) -> None:
    with pytest.raises(CircuitError, match=message) as caught:
        parse_qasm(text, name="mine")
    (problem,) = caught.value.problems
    assert problem.where == "circuit 'mine'"
    assert problem.line in {line, line + 1 if line else None}


def test_the_interrupt_key_is_not_taken_for_a_bad_circuit(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("qiskit.qasm2.loads", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parse_qasm(QASM2, name="a")
