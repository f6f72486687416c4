"""What people see of jobs and backends through kubectl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.kubernetes.rig import Cluster

REPOSITORY = Path(__file__).parents[2]
JOB = """\
apiVersion: qsched.io/v1alpha1
kind: QuantumCircuitJob
metadata: {{name: {name}}}
spec:
  circuits: [{{name: a, uri: "s3://circuits/a.qasm"}}]
"""
CONDITION = {"reason": "Placed", "lastTransitionTime": "2026-11-21T12:00:00Z"}
PLACEMENT = {
    "backend": "boston",
    "score": 0.8231,
    "breakdown": {"fidelity": 0.9, "wait": 0.8, "coherence": 0.7, "cost": 1, "weights": {"fidelity": 1}},
    "estimate": {
        "success": 0.9,
        "runSeconds": 2.5,
        "waitSeconds": 60,
        "waitP90Seconds": 300,
        "criticalPathSeconds": 2e-6,
        "windowSeconds": 1e-4,
    },
}
DONE = {
    "phase": "Complete",
    "placement": PLACEMENT,
    "finishedAt": "2026-11-21T12:00:00Z",
    "conditions": [
        {"type": "Scheduled", "status": "True", "message": "placed on boston", **CONDITION},
        {"type": "Complete", "status": "True", "message": "the result is stored", **CONDITION},
    ],
}


def job(cluster: Cluster, name: str, status: dict[str, Any] | None = None) -> str:
    """Create a job with a status."""
    cluster.kubectl("create", "-f", "-", input=JOB.format(name=name))
    if status is not None:
        patch = json.dumps({"status": status})
        cluster.kubectl("patch", "qcj", name, "--subresource=status", "--type=merge", "-p", patch)
    return name


def columns(cluster: Cluster, *words: str) -> list[dict[str, str]]:
    """A table that kubectl prints, a dict a row."""
    head, *rows = cluster.kubectl("get", *words).stdout.splitlines()
    starts = [at for at in range(len(head)) if head[at] != " " and (at == 0 or head[at - 2 : at].isspace())]
    ends = [*starts[1:], None]
    spans = list(zip(starts, ends, strict=True))
    titles = [head[start:end].strip() for start, end in spans]
    return [dict(zip(titles, [row[a:b].strip() for a, b in spans], strict=True)) for row in rows]


def test_the_columns_of_a_job(cluster: Cluster) -> None:
    [row] = columns(cluster, "qcj", job(cluster, "columns", DONE))
    assert row.pop("AGE").endswith("s")
    assert row == {"NAME": "columns", "BACKEND": "boston", "PHASE": "Complete", "SCORE": "0.8231"}


def test_more_columns_of_a_job_when_asked_for(cluster: Cluster) -> None:
    [row] = columns(cluster, "qcj", job(cluster, "wide", DONE), "-o", "wide")
    assert list(row)[5:] == ["FINISHED", "SHOTS", "PRIORITY", "PLACEMENT"]
    assert (row["SHOTS"], row["PRIORITY"], row["PLACEMENT"]) == ("1024", "0", "placed on boston")


def test_the_columns_of_a_backend(cluster: Cluster) -> None:
    cluster.kubectl("apply", "-f", REPOSITORY / "qsched" / "fleet" / "default.yaml")
    status = {
        "conditions": [{"type": "Online", "status": "True", "message": "takes tasks", **CONDITION}],
        "queueDepth": 7,
        "inFlight": 2,
        "calibration": {"id": "c1", "takenAt": "2026-11-21T12:00:00Z", "summary": {"qubits": 127}},
    }
    patch = json.dumps({"status": status})
    cluster.kubectl("patch", "qb", "brisbane", "--subresource=status", "--type=merge", "-p", patch)
    [row] = columns(cluster, "qb", "brisbane", "-o", "wide")
    assert [row[title] for title in ("DRIVER", "ONLINE", "QUEUE", "QUBITS")] == ["aer", "True", "7", "127"]
    assert (row["PAUSED"], row["IN FLIGHT"], row["CONDITION"]) == ("false", "2", "takes tasks")
    [row] = columns(cluster, "qb", "ankaa")
    assert (row["ONLINE"], row["QUEUE"]) == ("", "")


@pytest.mark.parametrize("name", ["qcj", "quantumcircuitjob", "quantumcircuitjobs", "all", "qsched"])
def test_the_names_that_a_job_is_listed_under(cluster: Cluster, name: str) -> None:
    expected = job(cluster, f"listed-{name}")
    assert f"quantumcircuitjob.qsched.io/{expected}" in cluster.kubectl("get", name, "-o", "name").stdout


def test_explain_describes_every_field_and_what_it_looks_like(cluster: Cluster) -> None:
    said = cluster.kubectl("explain", "qcj.spec.requirements").stdout
    assert "A duration such as 90s, 10m or 1h30m." in said
    assert "enum: Allowed, Forbidden, Required" in said
    tree = cluster.kubectl("explain", "qcj.spec", "--recursive").stdout
    for field in ("maxQueueTime\t<string>", "circuits\t<[]Object> -required-", "containers\t<[]Object>"):
        assert field in tree
    assert "quantum" in cluster.kubectl("explain", "qb.spec.pricing").stdout


def test_describe_shows_conditions_and_placement(cluster: Cluster) -> None:
    said = cluster.kubectl("describe", "qcj", job(cluster, "described", DONE)).stdout
    lines = [" ".join(line.split()) for line in said.splitlines()]
    for line in ("Phase: Complete", "Message: placed on boston", "Score: 0.8231", "Events: <none>"):
        assert line in lines


def test_one_can_wait_for_the_end_of_a_job(cluster: Cluster) -> None:
    name = job(cluster, "ended", DONE)
    cluster.kubectl("wait", "--for=condition=Complete", f"qcj/{name}", "--timeout=20s")
    cluster.kubectl("wait", "--for=jsonpath={.status.phase}=Complete", f"qcj/{name}", "--timeout=20s")


def test_a_server_side_dry_run_fills_in_the_defaults_and_stores_nothing(cluster: Cluster) -> None:
    text = JOB.format(name="dry")
    done = cluster.kubectl("apply", "--dry-run=server", "-o", "json", "-f", "-", input=text)
    assert json.loads(done.stdout)["spec"]["shots"] == 1024
    assert cluster.kubectl("get", "qcj", "dry", check=False).returncode != 0


def test_two_managers_apply_their_parts_and_one_learns_of_a_conflict(cluster: Cluster) -> None:
    text = JOB.format(name="shared")

    def apply(manager: str, extra: str) -> Any:
        words = ("apply", "--server-side", "--field-manager", manager, "-f", "-")
        return cluster.kubectl(*words, input=text + extra, check=False)

    assert apply("team", "  priority: 1\n").returncode == 0
    assert apply("quota", "  suspend: true\n").returncode == 0
    stored = json.loads(cluster.kubectl("get", "qcj", "shared", "-o", "json").stdout)["spec"]
    assert (stored["priority"], stored["suspend"], len(stored["circuits"])) == (1, True, 1)
    refused = apply("quota", "  suspend: true\n  priority: 9\n")
    assert 'conflict with "team": .spec.priority' in refused.stderr
    # A manager that no longer names its field gives it up, and it goes back to its default.
    assert apply("quota", "").returncode == 0
    stored = json.loads(cluster.kubectl("get", "qcj", "shared", "-o", "json").stdout)["spec"]
    assert (stored["priority"], stored["suspend"]) == (1, False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("  shots: 5\n", "shots cannot change once the job exists (only suspend, priority"),
        ("  objective: fast\n", 'supported values: "balanced", "cost", "fidelity", "speed"'),
        ("  weights: {}\n", "give at least one of fidelity, wait, coherence and cost a positive weight"),
        ("  requirements: {maxQueueTime: 0s}\n", "must be more than 0s and at most 876000h (100 years)"),
        ("  requirements: {completeBy: [a]}\n", "must be a time with its zone, after 1970, such as 2030"),
        ("  fallback: {policy: OnDeadline}\n", "give requirements.completeBy or activeDeadlineSeconds"),
        ("  classical: {template: {}}\n", "spec.classical.template.spec: Required value"),
        ("  shot: 5\n", 'unknown field "spec.shot"'),
    ],
)
def test_what_a_user_is_told(cluster: Cluster, change: str, words: str) -> None:
    text = JOB.format(name="told")
    cluster.kubectl("apply", "-f", "-", input=text)
    done = cluster.kubectl("apply", "-f", "-", input=text + change, check=False)
    assert done.returncode != 0
    assert words in done.stderr


def test_an_edit_of_what_may_change_is_applied(cluster: Cluster) -> None:
    text = JOB.format(name="edited")
    cluster.kubectl("apply", "-f", "-", input=text)
    cluster.kubectl("apply", "-f", "-", input=text + "  priority: 7\n  ttlSecondsAfterFinished: 60\n")
    cluster.kubectl("patch", "qcj", "edited", "--type=merge", "-p", '{"spec": {"suspend": true}}')
    stored = json.loads(cluster.kubectl("get", "qcj", "edited", "-o", "json").stdout)
    spec = stored["spec"]
    assert (spec["priority"], spec["ttlSecondsAfterFinished"], spec["suspend"]) == (7, 60, True)
    assert stored["metadata"]["generation"] == 3
