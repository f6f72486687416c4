"""What is remembered of pods when word of them comes late, twice, or not at all."""

from __future__ import annotations

from typing import Any

import msgspec

from qsched.kube.pods_known import KnownPods
from qsched.kube.pods_seen import PodObject

JOB = "job-uid"


def pod(phase: str = "Running", *, uid: str = "pod-uid", number: int = 1, **metadata: Any) -> PodObject:
    owner = {
        "apiVersion": "qsched.io/v1alpha1",
        "kind": "QuantumCircuitJob",
        "name": "qaoa",
        "uid": JOB,
        "controller": True,
    }
    labels = {"qsched.io/job-uid": JOB, "qsched.io/round": str(number)}
    return msgspec.convert(
        {
            "metadata": {
                "name": "qaoa-1",
                "namespace": "default",
                "uid": uid,
                "labels": labels,
                "ownerReferences": [owner],
                **metadata,
            },
            "spec": {"containers": [{}]},
            "status": {"phase": phase},
        },
        PodObject,
    )


def known(*states: PodObject, shown: bool = True) -> KnownPods:
    pods = KnownPods()
    for state in states:
        pods.see(JOB, state, shown=shown)
    return pods


def test_an_end_is_final_though_the_answer_to_an_earlier_request_comes_later() -> None:
    pods = known(pod("Failed"))
    pods.see(JOB, pod("Pending"), shown=False)
    (found,) = pods.of_round(JOB, 1)
    assert found.outcome is not None
    assert not found.outcome.succeeded
    assert found.shown


def test_a_pod_that_was_made_is_known_before_it_is_shown() -> None:
    pods = known(pod("Pending"), shown=False)
    assert not pods.of(JOB)["qaoa-1"].shown
    pods.see(JOB, pod("Pending"), shown=True)
    assert pods.of(JOB)["qaoa-1"].shown


def test_a_pod_that_is_gone_counts_as_failed_unless_it_had_succeeded() -> None:
    running, done = known(pod()), known(pod("Succeeded"))
    for pods, succeeded in ((running, False), (done, True)):
        assert pods.lose("default/qaoa-1", "pod-uid", None) == JOB
        (found,) = pods.of_round(JOB, 1)
        assert found.gone
        assert found.outcome is not None
        assert found.outcome.succeeded is succeeded
        pods.see(JOB, pod(), shown=False)  # the answer to a patch
        assert pods.of_round(JOB, 1) == [found]


def test_the_end_of_an_earlier_pod_of_the_name_is_not_that_of_the_present_one() -> None:
    pods = known(pod(uid="second"))
    assert pods.lose("default/qaoa-1", "first", None) is None
    assert pods.lose("default/other", "second", None) is None
    assert pods.of(JOB)["qaoa-1"].outcome is None


def test_only_what_is_gone_is_forgotten() -> None:
    pods = known(pod())
    pods.forget_gone(JOB)
    assert pods.of(JOB)
    pods.lose("default/qaoa-1", "pod-uid", None)
    pods.forget_gone(JOB)
    assert not pods.of(JOB)
