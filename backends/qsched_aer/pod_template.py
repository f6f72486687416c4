"""Laying a backend's ``podTemplate`` over the pod of a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from qsched_aer.parameters import PodTemplate

CONTAINER = "task"
"""The name of a task's container."""

_WHERE = "spec.parameters.cluster.podTemplate"
_MERGED = frozenset({"containers", "initContainers"})
_KEYS = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "volumeMounts": "mountPath",
}
"""The lists that are laid over each other entry by entry, and what tells the entries apart."""


def overlay(pod: dict[str, Any], template: PodTemplate) -> dict[str, Any]:
    """A pod template with another laid over it, as a strategic merge patch would.

    Objects are merged, and null removes a field. Containers are merged by name, and one without a name is the
    task's. Variables, volumes, mounts and pull secrets replace those of the same name or path, and are added
    else. Any other value replaces what was there.

    Args:
        pod: A PodTemplateSpec; it is left as it is.
        template: What goes over it.

    Raises:
        InvalidInput: If a list of the template is none, or an entry has nothing to tell it by.
    """
    theirs = {"metadata": template.metadata, "spec": template.spec}
    return _merged(pod, theirs, _WHERE)


def _merged(ours: dict[str, Any], theirs: dict[str, Any], where: str) -> dict[str, Any]:
    out = dict(ours)
    for field, value in theirs.items():
        at = f"{where}.{field}"
        if value is None:
            out.pop(field, None)
        elif field in _KEYS:
            out[field] = _entries(out.get(field, []), value, field, at)
        elif isinstance(value, dict) and isinstance(out.get(field), dict):
            out[field] = _merged(out[field], value, at)
        else:
            out[field] = value
    return out


def _entries(ours: list[dict[str, Any]], theirs: Any, field: str, where: str) -> list[dict[str, Any]]:
    if not isinstance(theirs, list):
        raise InvalidInput(
            Problem(where, "is not a list; see PodTemplateSpec in the API reference of Kubernetes")
        )
    key = _KEYS[field]
    out = {entry[key]: entry for entry in ours}
    for index, entry in enumerate(theirs):
        at = f"{where}[{index}]"
        if not isinstance(entry, dict):
            raise InvalidInput(Problem(at, "is not an object"))
        named = {key: CONTAINER, **entry} if field == "containers" else entry
        name = named.get(key)
        if not isinstance(name, str):
            raise InvalidInput(Problem(at, f"has no {key!r}; it tells which entry this is"))
        out[name] = _merged(out.get(name, {}), named, at) if field in _MERGED else named
    return list(out.values())
