"""Mutated programs: whatever the text, the answer is a circuit or a ``CircuitError``, and soon."""

from __future__ import annotations

import os
import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qsched.api.job import Circuit
from qsched.circuits.load import load_circuit
from qsched.errors import CircuitError

EXAMPLES = int(os.environ.get("QSCHED_FUZZ_EXAMPLES", "400"))

SEEDS = [
    (
        'OPENQASM 2.0;\ninclude "qelib1.inc";\ngate foo(a,b) x,y { cx x,y; u3(a,b/2,-pi) y; }\n'
        "qreg q[4]; creg c[4];\nh q; foo(0.1,sin(2)^2) q[0],q[1];\nbarrier q;\n"
        "if(c==1) x q[2];\nmeasure q -> c;\n"
    ),
    (
        'OPENQASM 3.0;\ninclude "stdgates.inc";\ngate foo(b,a) x,y { cx x,y; rz(a/2) y; }\n'
        "qubit[4] q; bit[4] c;\nh q[0]; ctrl @ x q[0],q[1]; foo(0.1,2*pi) q[0],q[1];\n"
        "let r = q[1:2];\nfor int i in [0:3] { x q[0]; }\nif (c[0]) { x q[2]; } else { pow(2) @ z q[2]; }\n"
        "c = measure q;\n"
    ),
]
WORDS = [
    "(", ")", "[", "]", "{", "}", ";", ",", "@", "-", "^", "**", "->", "=", '"', "/*", "//", "\0", "é", "$7",
    "gate", "ctrl", "inv", "pow(0.5)", "negctrl(3)", "measure", "qubit", "qreg", "bit", "let", "include",
    "OPENQASM 3.0;", "OPENQASM 2.0;", "1e999", "0", "99999999999999999999",
    "-1", "pi", "foo", "q", "c", "q[0]",
    "while (c[0])", "switch (c)", "box", "delay[1ns]", "reset", "opaque", "def", "input float", "1/0",
]  # fmt: skip


@st.composite
def programs(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(1, 5))):
        begin = draw(st.integers(0, len(text)))
        end = min(len(text), begin + draw(st.integers(0, 12)))
        middle = draw(st.sampled_from(WORDS) | st.text(max_size=3) | st.just(text[begin:end] * 2))
        text = text[:begin] + middle + text[end:]
    return text


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs())
def test_a_mutated_program_is_read_or_refused_soon(text: str) -> None:
    begin = time.perf_counter()
    try:
        circuit = load_circuit(Circuit(name="fuzz", qasm=text), lambda _: b"")
    except CircuitError as error:
        assert all(problem.where == "circuit 'fuzz'" for problem in error.problems)  # noqa: PT017
    else:
        assert circuit.count_ops()["measure"] or circuit.count_ops()
    assert time.perf_counter() - begin < 5
