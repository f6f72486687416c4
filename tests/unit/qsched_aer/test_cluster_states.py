"""What Jobs and pods of tasks are taken to say."""

from __future__ import annotations

import json

import pytest

from qsched_aer.task_states import read_job, read_pods


def job(*, suspend=False, annotations=None, **status):
    metadata = {
        "name": "aer-t0",
        "uid": "u",
        "labels": {"qsched.io/task": "t0"},
        "annotations": annotations or {},
        "creationTimestamp": "2026-01-01T00:00:00Z",
    }
    return read_job(
        json.dumps({"metadata": metadata, "spec": {"suspend": suspend}, "status": status}).encode()
    )


def condition(kind, **more):
    return {"type": kind, "status": "True", **more}


def pod(container=None, *, phase="Failed", limit="64Mi", **status):
    statuses = [{"name": "task", "image": "qsched:1", "state": container}] if container else []
    body = {
        "metadata": {"name": "aer-t0-x", "labels": {"qsched.io/task": "t0"}},
        "spec": {"containers": [{"name": "task", "resources": {"limits": {"memory": limit}}}]},
        "status": {"phase": phase, "containerStatuses": statuses, **status},
    }
    (read,) = read_pods(json.dumps({"items": [body]}).encode())
    return read


@pytest.mark.parametrize(
    ("it", "state"),
    [
        (job(suspend=True), "Queued"),
        (job(active=1, ready=0), "Queued"),
        (job(active=1, ready=1), "Running"),
        (job(active=0, ready=0, uncountedTerminatedPods={"succeeded": ["p"]}), "Running"),
        (job(succeeded=1, conditions=[condition("SuccessCriteriaMet")]), "Running"),
        (job(succeeded=1, conditions=[condition("SuccessCriteriaMet"), condition("Complete")]), "Succeeded"),
        (job(failed=1, conditions=[condition("FailureTarget")]), "Running"),
        (job(failed=1, conditions=[condition("Failed")]), "Failed"),
        (job(conditions=[condition("Failed")], annotations={"qsched.io/stopped": "Cancelled"}), "Cancelled"),
        (job(active=1, ready=1, annotations={"qsched.io/stopped": "Cancelled"}), "Running"),
        (
            job(conditions=[condition("Complete")], annotations={"qsched.io/stopped": "Cancelled"}),
            "Succeeded",
        ),
        (job(conditions=[{**condition("Failed"), "status": "False"}]), "Queued"),
    ],
)
def test_a_job_says_where_its_task_is(it, state):
    assert it.state == state


def why(*pods, **status):
    status = {"conditions": [condition("Failed", reason="BackoffLimitExceeded", message="over it")], **status}
    return job(**status).task_status(list(pods)).message


def test_a_lack_of_memory_says_where_more_is_given():
    said = why(pod({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}))
    assert "needed more memory" in said
    assert "killed at 64Mi" in said
    assert "parameters.cluster.podTemplate" in said


def test_the_programs_own_words_are_told():
    ended = {"exitCode": 1, "reason": "Error", "message": "Aer could not simulate circuit 'it'\n"}
    assert why(pod({"terminated": ended})) == "Aer could not simulate circuit 'it'"


def test_an_end_without_words_has_its_exit_code():
    assert why(pod({"terminated": {"exitCode": 139}})) == "container 'task' ended with exit code 139"


def test_a_pod_that_its_node_ended_says_why():
    evicted = pod(None, reason="Evicted", message="The node was low on resource: memory.")
    assert why(evicted) == "its pod failed: The node was low on resource: memory."


def test_without_a_pod_the_job_says_why():
    assert why() == "the task's Job failed: over it"


def test_what_the_driver_ended_says_what_the_driver_said():
    assert why(pod(), annotations={"qsched.io/stopped": "no such image"}) == "no such image"


@pytest.mark.parametrize("reason", ["ErrImageNeverPull", "ImagePullBackOff", "CreateContainerConfigError"])
def test_a_container_that_cannot_start_says_why(reason):
    waiting = {"waiting": {"reason": reason, "message": "because"}}
    said = pod(waiting, phase="Pending").why_it_cannot_start()
    assert said == f"container 'task' of image 'qsched:1' does not start: {reason}: because"


def test_a_container_that_is_being_made_may_start():
    assert not pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending").why_it_cannot_start()
    assert not pod(None, phase="Pending").why_it_cannot_start()
