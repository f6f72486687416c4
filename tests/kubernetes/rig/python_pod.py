"""Pods that run the Python of this checkout: the empty image, and the host's files mounted read-only."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kubernetes.rig.chart import REPOSITORY
from tests.kubernetes.rig.images import HOST_PYTHON

_NOBODY = 65534


@dataclass(frozen=True)
class PythonPod:
    """The parts of a pod that make ``python`` work in it; put them into any manifest.

    Attributes:
        image: The image.
        python: The interpreter's path: that of the virtual environment in which the tests run.
        volumes: For ``spec.volumes``.
        volume_mounts: For the container's ``volumeMounts``.
        env: For the container's ``env``.
    """

    image: str
    python: str
    volumes: list[dict[str, Any]]
    volume_mounts: list[dict[str, Any]]
    env: list[dict[str, str]]

    def container(self, *arguments: str, name: str = "main", **more: Any) -> dict[str, Any]:
        """A container that runs ``python`` with arguments, such as ``"-m", "json.tool"``.

        Args:
            *arguments: After the interpreter's name.
            name: The container's.
            **more: Fields of the container besides, such as ``resources``.
        """
        return {
            "name": name,
            "image": self.image,
            "command": [self.python, *arguments],
            "volumeMounts": self.volume_mounts,
            "env": self.env,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            **more,
        }

    def spec(self, *arguments: str, **more: Any) -> dict[str, Any]:
        """The spec of a pod that runs ``python`` once, as nobody and with nothing writable but ``/tmp``.

        Args:
            *arguments: After the interpreter's name.
            **more: Fields of the spec besides, such as ``serviceAccountName``.
        """
        return {
            "restartPolicy": "Never",
            "dnsPolicy": "Default",
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _NOBODY,
                "runAsGroup": _NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": self.volumes,
            "containers": [self.container(*arguments)],
            **more,
        }


def python_pod() -> PythonPod:
    """The parts for the interpreter, the virtual environment and the checkout that run this test."""
    paths = {
        "system-" + top: Path("/", top) for top in ("usr", "lib", "lib64") if not Path("/", top).is_symlink()
    }
    inside = tuple(paths.values())
    own = (REPOSITORY, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parents[1])
    for number, path in enumerate(dict.fromkeys(own)):
        if not any(path.is_relative_to(other) for other in (*inside, *paths.values())):
            paths[f"python-{number}"] = path
    there = {name: path for name, path in paths.items() if path.exists()}
    return PythonPod(
        image=HOST_PYTHON,
        python=sys.executable,
        volumes=[
            *({"name": name, "hostPath": {"path": str(path)}} for name, path in there.items()),
            {"name": "tmp", "emptyDir": {}},
        ],
        volume_mounts=[
            *({"name": name, "mountPath": str(path), "readOnly": True} for name, path in there.items()),
            {"name": "tmp", "mountPath": "/tmp"},
        ],
        env=[
            {"name": "HOME", "value": "/tmp"},
            {"name": "PYTHONDONTWRITEBYTECODE", "value": "1"},
            {"name": "PYTHONUNBUFFERED", "value": "1"},
        ],
    )


def task_template() -> dict[str, Any]:
    """The ``podTemplate`` of a backend whose Aer tasks run the Python of this checkout."""
    python = python_pod()
    container = {
        "image": python.image,
        "imagePullPolicy": "Never",
        "command": [python.python, "-m", "qsched_aer.task"],
        "volumeMounts": python.volume_mounts,
        "env": python.env,
    }
    return {"spec": {"dnsPolicy": "Default", "volumes": python.volumes, "containers": [container]}}
