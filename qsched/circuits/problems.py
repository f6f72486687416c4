"""How an error about a circuit reads."""

from __future__ import annotations

from qsched.errors import CircuitError, Problem


def circuit_error(name: str, message: str, line: int | None = None) -> CircuitError:
    """An error that names the circuit and, where it is known, the line in its source."""
    return CircuitError(Problem(f"circuit '{name}'", message, line=line))


def over_limit(
    name: str, what: str, value: int, limit: int, *, remedy: str, line: int | None = None
) -> CircuitError:
    """An error about a circuit that is larger than a limit.

    Args:
        name: The circuit's name.
        what: The quantity, in the plural ("qubits").
        value: How many there are, or how many were counted before giving up.
        limit: How many there may be.
        remedy: What to do about it, as a clause.
        line: The line in the source that went over the limit.
    """
    count = f"{value:,}" if value < 10**12 else "far too many"
    return circuit_error(name, f"{count} {what}, more than the limit of {limit:,}; {remedy}", line)
