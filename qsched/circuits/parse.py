"""OpenQASM 2 and 3 texts to circuits, with Qiskit's importers and our errors."""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from typing import TYPE_CHECKING

from qsched.circuits.limits import DEFAULT_LIMITS, Limits
from qsched.circuits.problems import circuit_error
from qsched.circuits.scan import LIBRARIES, scan

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qsched.circuits.scan import Source
    from qsched.errors import CircuitError

# "<input>:3,15: message" of OpenQASM 2, "3,15: message" and "L3:C15: message" of OpenQASM 3.
_PLACE = re.compile(r"^(?:<input>:)?L?(\d+)(?:,|:C)\d+: *(.*)$", re.DOTALL)
# What the scan put before the names of gate parameters.
_RENAMED = re.compile(r"\bp[0-9]{4}_")


def parse_qasm(text: str, *, name: str, limits: Limits = DEFAULT_LIMITS) -> QuantumCircuit:
    """Read an OpenQASM 2 or 3 program; its first statement says which.

    OpenQASM 2 is read with the extended ``qelib1.inc`` that Qiskit has always had, so its gates are the ones
    of ``qiskit.circuit.library``. Only the syntax and the sizes are checked: see ``check.check_circuit``.

    Args:
        text: The program.
        name: The circuit's name, for errors and for the circuit itself.
        limits: What to accept; a text over a limit never reaches an importer.

    Raises:
        CircuitError: If the text is not a program, or is over a limit.
    """
    source = scan(text, name, limits)
    try:
        circuit = _import(source)
    except RecursionError as error:
        raise circuit_error(name, "blocks or expressions are nested too deeply; flatten them") from error
    except BaseException as error:
        if not is_importers(error):
            raise
        raise _explained(error, source, name) from error
    circuit.name = name
    return circuit


def is_importers(error: BaseException) -> bool:
    """Whether an importer raised this, and not the interrupt key: a panic of Rust is no ``Exception``."""
    return isinstance(error, Exception) or type(error).__name__ == "PanicException"


def _import(source: Source) -> QuantumCircuit:
    from qiskit import qasm2, qasm3

    if source.version == 3:
        # The importer calls methods of Qiskit that are going to change, about which no user can do anything,
        # and its parser prints each error as well as raising it.
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
            warnings.simplefilter("ignore", DeprecationWarning)
            return qasm3.loads(source.text)
    instructions = qasm2.LEGACY_CUSTOM_INSTRUCTIONS
    # Without an include path only the built-in qelib1.inc is found, never a file of this machine.
    return qasm2.loads(source.text, include_path=(), custom_instructions=instructions)


def _explained(error: BaseException, source: Source, name: str) -> CircuitError:
    message = str(getattr(error, "message", None) or error)
    if len(message) > 1 and message[0] == message[-1] and message[0] in "'\"":
        message = message[1:-1]
    line = None
    if place := _PLACE.match(message):
        line, message = int(place[1]), place[2]
    message = _RENAMED.sub("", message)
    if "not defined" in message or "Undefined symbol" in message:
        library = LIBRARIES[source.version]
        message = (
            f"{message.rstrip('.')}; include \"{library}\" for the standard gates, or define it with 'gate'"
        )
    return circuit_error(name, f"not valid OpenQASM {source.version}: {message}", line)
