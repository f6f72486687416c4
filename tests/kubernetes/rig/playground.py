"""A cluster for a person: everything that the chart installs, with the default fleet (``make cluster``).

The controller, the extender and the scheduler run beside the cluster, as the chart's accounts
and with the chart's rights. With root there is a real node, on which the simulations and the pods of hybrid
jobs run; without, they wait.
"""

from __future__ import annotations

import http.client
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from tests.kubernetes.rig.build import binaries
from tests.kubernetes.rig.chart import NAMESPACE, REPOSITORY
from tests.kubernetes.rig.cluster import Cluster
from tests.kubernetes.rig.node import Node
from tests.kubernetes.rig.ports import free_port
from tests.kubernetes.rig.prerequisites import node_tools
from tests.kubernetes.rig.python_pod import task_template

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.kubernetes.rig.program import Program

FLEET = REPOSITORY / "qsched" / "fleet" / "default.yaml"
_LABELS = {"topology.kubernetes.io/region": "us-east"}
"""Where the default fleet's first devices are, so that the extender has something to say about the node."""
_LOOK_EVERY_S = 1.0

_HINT = """
The cluster is up. In another terminal:

  export KUBECONFIG={kubeconfig}
  export PATH={programs}:$PATH

  kubectl get quantumbackends
  kubectl apply -f {ghz}
  kubectl get quantumcircuitjobs --watch
  kubectl describe quantumcircuitjob ghz

Logs are in {logs}
{node}
Ctrl-C ends it and removes everything.
"""


def run(say: Callable[[str], None]) -> None:
    """Start a cluster with all of qsched, say what to try, and wait for Ctrl-C.

    Args:
        say: Gets what a person is to read.

    Raises:
        RigError: If a part does not come up, or ends.
        KeyboardInterrupt: When it comes; everything is gone by then.
    """
    programs = binaries(say)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="qsched-cluster-")))
        tools = node_tools()
        say("starting the cluster ...")
        if isinstance(tools, str):
            cluster = stack.enter_context(Cluster(folder, programs, controllers=True))
            cluster.start_scheduler(name="default-scheduler")
            node = f"No pod runs here, so jobs stay Queued: {tools}\n"
        else:
            cluster = stack.enter_context(Node(folder, programs, labels=_LABELS)).cluster
            node = ""
        say("installing qsched ...")
        started = install(cluster, real=not node)
        hint = _HINT.format(
            kubeconfig=cluster.kubeconfig(),
            programs=programs,
            ghz=_short(REPOSITORY / "examples" / "ghz.yaml"),
            logs=folder / "logs",
            node=node,
        )
        say(hint)
        while True:
            for program in started:
                program.check()
            time.sleep(_LOOK_EVERY_S)


def install(cluster: Cluster, *, real: bool) -> Sequence[Program]:
    """Bring qsched into a cluster.

    Args:
        cluster: With controllers.
        real: Whether it has a node that runs the Python of this checkout.

    Returns:
        The programs: controller, extender, scheduler.
    """
    cluster.install_crds()
    cluster.install_chart()
    fleet = [_backend(each, real=real) for each in yaml.safe_load_all(FLEET.read_text()) if each]
    cluster.kubectl("apply", "--server-side", "-f", "-", input=yaml.safe_dump_all(fleet))
    controller, scheduler = f"{NAMESPACE}:qsched-controller", f"{NAMESPACE}:qsched-scheduler"
    port = free_port()
    return [
        _start(cluster, "controller", controller, free_port(), ready=lambda: _is_led(cluster)),
        _start(cluster, "extender", scheduler, port, ready=lambda: _is_ready(port)),
        cluster.start_scheduler(f"http://127.0.0.1:{port}", user=scheduler),
    ]


def _start(cluster: Cluster, command: str, user: str, port: int, *, ready: Callable[[], bool]) -> Program:
    """Start a command of qsched as one of the chart's accounts."""
    options = [f"--kubeconfig={cluster.kubeconfig(user)}", f"--listen=127.0.0.1:{port}"]
    return cluster.run(
        f"qsched-{command}", [sys.executable, "-m", "qsched.cli", command, *options], ready=ready
    )


def _is_led(cluster: Cluster) -> bool:
    """Whether a controller holds the lease, and so works."""
    words = ["get", "lease", "qsched-controller", "--namespace", NAMESPACE]
    return bool(cluster.kubectl(*words, "-o", "jsonpath={.spec.holderIdentity}", check=False).stdout)


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _backend(manifest: dict[str, Any], *, real: bool) -> dict[str, Any]:
    """A backend of the default fleet; its tasks run this checkout, since there is no image to pull."""
    if real:
        parameters = manifest["spec"].setdefault("parameters", {})
        parameters["cluster"] = {"podTemplate": task_template()}
    return manifest


def _short(path: Path) -> Path:
    """As one would write it here."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
