"""``make cluster``: what its hint says works, and Ctrl-C leaves nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kubernetes.rig.chart import REPOSITORY
from tests.kubernetes.rig.prerequisites import node_tools


@pytest.mark.slow
def test_a_job_completes_and_ctrl_c_leaves_nothing(binaries: Path) -> None:
    if isinstance(tools := node_tools(), str):
        pytest.skip(f"no real node here: {tools}")
    command = [sys.executable, "-m", "tests.kubernetes.rig"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True) as running:
        assert running.stdout is not None
        try:
            said = ""
            for line in running.stdout:
                said += line
                if "Ctrl-C" in line:
                    break
            found = re.search(r"export KUBECONFIG=(.*)", said)
            assert found, said
            kubeconfig = Path(found[1])

            def kubectl(*words: str) -> str:
                command = [binaries / "kubectl", f"--kubeconfig={kubeconfig}", *words]
                done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=REPOSITORY)
                assert done.returncode == 0, done.stderr
                return done.stdout

            assert "kubectl apply -f examples/ghz.yaml" in said
            kubectl("apply", "-f", "examples/ghz.yaml")
            kubectl("wait", "--for=condition=Complete", "quantumcircuitjob/ghz", "--timeout=120s")
            assert "boston" in kubectl("get", "quantumbackends")
            assert "Complete" in kubectl("describe", "quantumcircuitjob", "ghz")
        finally:
            running.send_signal(signal.SIGINT)
            rest = running.stdout.read()
            assert running.wait() == 0
    assert "The cluster is gone." in rest
    assert not kubeconfig.parents[1].exists()
