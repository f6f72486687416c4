"""What a program finds in its pod."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from qsched.errors import InvalidInput
from qsched.sdk import Client, cluster_pod
from qsched.sdk.cluster_pod import PodApi, Surroundings

if TYPE_CHECKING:
    from pathlib import Path

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "QSCHED_JOB": "qaoa"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("lab\n")
    return tmp_path


def test_a_pod_of_ours_says_everything(folder: Path) -> None:
    told = {"QSCHED_NAMESPACE": "chem", "QSCHED_JOB_UID": "u1", "QSCHED_BACKEND": "boston"}
    pod = Surroundings.of(POD | told, [folder / "missing", folder])
    assert (pod.job, pod.namespace, pod.uid, pod.backend) == ("qaoa", "chem", "u1", "boston")
    assert (pod.server, pod.folder) == ("https://10.0.0.1:443", folder)


def test_a_pod_that_its_user_made_need_only_name_the_job(folder: Path) -> None:
    pod = Surroundings.of(POD | {"QSCHED_BACKEND": "", "KUBERNETES_SERVICE_HOST": "fd00::1"}, [folder])
    assert (pod.namespace, pod.uid, pod.backend) == ("lab", None, None)
    assert pod.server == "https://[fd00::1]:443"


def test_outside_of_a_pod_one_is_told_what_to_use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QSCHED_JOB", raising=False)
    with pytest.raises(InvalidInput, match=r"use Client.local\(\) on your own machine"):
        Client.from_environment()
    with pytest.raises(InvalidInput, match="there is no ServiceAccount token in"):
        Surroundings.of(POD, [tmp_path])
    with pytest.raises(InvalidInput, match="there is no ServiceAccount token in"):
        Surroundings.of({"QSCHED_JOB": "qaoa"}, [tmp_path])


async def test_the_token_is_read_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    account = cluster_pod._Account("https://10.0.0.1", folder / "token")

    async def sent() -> str:
        return (await account.auth_settings())["BearerToken"]["value"]

    assert await sent() == "Bearer first"
    (folder / "token").write_text("second")
    assert await sent() == "Bearer first"
    monkeypatch.setattr(cluster_pod, "REREAD_S", 0.0)
    assert await sent() == "Bearer second"
    (folder / "token").unlink()
    with pytest.raises(InvalidInput, match=r"token .* cannot be read"):
        await sent()


async def test_an_authority_that_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(InvalidInput, match=r"ca.crt cannot be read"):
        await PodApi.reach(Surroundings.of(POD, [folder]))


def test_the_sdk_of_a_pod_needs_no_simulator_and_not_the_official_client() -> None:
    heavy = {"qiskit", "qiskit_aer", "qiskit_ibm_runtime", "kubernetes", "matplotlib"}
    code = f"import sys, qsched.sdk.cluster; sys.exit(str(sorted({heavy} & sys.modules.keys())))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.stderr.strip() == "[]"
