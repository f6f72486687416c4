"""Classical registers that hold every bit once, in the order of the bits.

Bit strings of counts are split by registers, so a bit outside them (OpenQASM 3's ``bit a;``) would be lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qsched.circuits.problems import circuit_error

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import ClassicalRegister


def in_registers(circuit: QuantumCircuit, *, name: str) -> QuantumCircuit:
    """The circuit with a register of its own for each loose bit; the circuit itself if there is none.

    Args:
        circuit: Any circuit.
        name: Its name, for errors.

    Raises:
        CircuitError: If registers share bits or lie across each other, or if loose bits stand beside
            classical variables.
    """
    tiles = _tiles(circuit, name)
    if len(tiles) == len(circuit.cregs):
        return circuit
    if circuit.num_identifiers:
        message = "has bits outside registers beside classical variables; declare them as bit[1]"
        raise circuit_error(name, message)
    from qiskit import QuantumCircuit

    tidy = QuantumCircuit(circuit.qubits, name=circuit.name, global_phase=circuit.global_phase)
    for register in (*circuit.qregs, *tiles):
        tidy.add_register(register)
    for step in circuit.data:
        tidy.append(step, copy=False)
    return tidy


def _tiles(circuit: QuantumCircuit, name: str) -> list[ClassicalRegister]:
    """The registers in the order of their bits, with new ones for bits that have none."""
    from qiskit.circuit import ClassicalRegister

    tiles: list[ClassicalRegister] = []
    position = 0
    while position < circuit.num_clbits:
        bit = circuit.clbits[position]
        homes = [register for register, _ in circuit.find_bit(bit).registers]
        tile = homes[0] if homes else ClassicalRegister(name=f"bit_{position}", bits=[bit])
        if len(homes) > 1 or list(tile) != circuit.clbits[position : position + tile.size]:
            raise circuit_error(name, "has registers that share bits; give every bit to one register")
        tiles.append(tile)
        position += tile.size
    return tiles
