"""What is known of the pods of each job, those that are gone included while their round counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qsched.kube.pods_seen import Outcome, PodObject, outcome, vanished

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Pod:
    """A pod of ours, there or gone.

    Attributes:
        seen: Its newest state.
        outcome: What became of it, if it has ended or is gone.
        gone: The object is not there any more.
        shown: Whether a reflector showed it; until then we know it only from having made it.
    """

    seen: PodObject
    outcome: Outcome | None
    gone: bool = False
    shown: bool = True


class KnownPods:
    """The pods of jobs, by the job's uid and the pod's own name."""

    def __init__(self) -> None:
        """Know of none."""
        self._pods: dict[str, dict[str, Pod]] = {}
        self._job_of: dict[str, str] = {}  # the job's uid, by the key of the pod

    def of(self, uid: str) -> Mapping[str, Pod]:
        """The pods of a job, by name."""
        return self._pods.get(uid, {})

    def of_round(self, uid: str, number: int) -> list[Pod]:
        """The pods of a job's round."""
        return [pod for pod in self.of(uid).values() if pod.seen.number == number]

    def see(self, uid: str, pod: PodObject, *, shown: bool) -> None:
        """Take in a pod's state.

        Args:
            uid: The job that owns it.
            pod: Its state. An end is final: the answer to a request of ours may come after later word.
            shown: Whether it is a reflector that shows it.
        """
        meta = pod.metadata
        self._job_of[f"{meta.namespace}/{meta.name}"] = uid
        known = self._pods.setdefault(uid, {})
        before = known.get(meta.name)
        end = outcome(pod)
        if before is not None and before.seen.metadata.uid == meta.uid:
            if before.gone or (before.outcome is not None and end is None):
                return
            shown = shown or before.shown
        known[meta.name] = Pod(pod, end, shown=shown)

    def lose(self, key: str, pod_uid: str, last: PodObject | None) -> str | None:
        """Take in that a pod is gone.

        Args:
            key: ``namespace/name``.
            pod_uid: Which pod of that name.
            last: Its last state, if somebody watched.

        Returns:
            The uid of its job; None if it was none of ours.
        """
        uid = self._job_of.get(key)
        pod = None if uid is None else self.of(uid).get(key.rpartition("/")[2])
        if uid is None or pod is None or pod.seen.metadata.uid != pod_uid:
            return None
        del self._job_of[key]
        if (last or pod.seen).turned_away:
            del self._pods[uid][pod.seen.metadata.name]  # so that it is made again
            return uid
        pod.gone = True
        pod.outcome = pod.outcome or vanished(pod.seen.metadata.name, last or pod.seen)
        return uid

    def forget_gone(self, uid: str) -> None:
        """Drop the memory of pods that are gone: they belong to no round that counts."""
        left = {name: pod for name, pod in self.of(uid).items() if not pod.gone}
        if left:
            self._pods[uid] = left
        else:
            self._pods.pop(uid, None)
