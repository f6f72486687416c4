"""When two operations have the same definition, so that it need be looked at only once."""

from __future__ import annotations

from typing import Any

_GENERAL = frozenset(["Gate", "Instruction", "ControlledGate"])


def definition_key(operation: Any) -> tuple[object, ...]:
    """What two operations with the same definition have in common.

    Classes of gates are told apart by their arguments. The general-purpose classes are not, nor are those
    with arguments that are no numbers: there the definition or the operation itself is the key, by its
    identity, and must be kept alive as long as the key.
    """
    cls = type(operation)
    own = getattr(operation, "_definition", None)
    if cls.__name__ in _GENERAL and own is not None:
        return (id(own),)
    if not all(isinstance(value, int | float) for value in operation.params):
        return (id(operation),)
    state = getattr(operation, "ctrl_state", None)
    return (cls, operation.name, operation.num_qubits, state, *operation.params)
