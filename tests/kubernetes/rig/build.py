"""Builds the cluster's programs from the pinned Go modules under ``tools/``, once, into a cache folder.

Each folder of ``tools/`` is a module of its own, because their dependencies disagree. A cold build takes 6 to
10 minutes on two cores; the cache is named by the modules' hash, so that new pins build anew and old
ones are found again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.kubernetes.rig.errors import RigError
from tests.kubernetes.rig.go import toolchain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOOLS = Path(__file__).parent / "tools"
KUBERNETES = "v1.36.3"
"""The version of Kubernetes, as tools/kubernetes/go.mod pins it."""
_VERSION = (
    f"-X k8s.io/component-base/version.gitVersion={KUBERNETES} "
    "-X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36"
)
_FLAGS = ("-trimpath", "-p", "2")
_STAGES = ("node/fast/node-initialize", "pod/fast/pod-ready", "pod/fast/pod-complete", "pod/fast/pod-delete")
_EVERY_S = 15.0


@dataclass(frozen=True)
class Binary:
    """One program: the name it gets, the module of ``tools/`` that pins it, its main package."""

    name: str
    module: str
    package: str

    @property
    def ldflags(self) -> str:
        """Kubernetes' programs say their version; all are stripped."""
        return f"-s -w {_VERSION}" if self.module == "kubernetes" else "-s -w"


BINARIES = (
    *(
        Binary(name, "kubernetes", f"k8s.io/kubernetes/cmd/{name}")
        for name in ("kube-apiserver", "kubectl", "kube-controller-manager", "kube-scheduler", "kubelet")
    ),
    Binary("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Binary("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    Binary("helm", "helm", "helm.sh/helm/v3/cmd/helm"),
)


def binaries(progress: Callable[[str], None] | None = None) -> Path:
    """The folder of the programs; builds those that are missing.

    Several processes may ask at once: one builds, the others wait. An interrupted build is taken up where it
    was, since each program gets its name only when it is whole.

    Args:
        progress: Gets a line at least every 15 s while something is built; standard error by default.

    Raises:
        NoGo: If there is no Go toolchain and none can be installed.
        RigError: If a build fails; with the compiler's words.
    """
    say = progress or _to_stderr
    cache = cache_folder()
    folder = cache / f"kubernetes-{_fingerprint()}" / "bin"
    if _missing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _lock(cache / "build.lock", say):
            if _missing(folder):
                _build(folder, toolchain(cache, say), say)
    return folder


def stages(folder: Path) -> list[Path]:
    """The files that tell kwok how its nodes and pods live.

    Args:
        folder: As ``binaries`` gave it.
    """
    return [folder / f"{stage.rpartition('/')[2]}.yaml" for stage in _STAGES]


def cache_folder() -> Path:
    """Where the rig keeps what it built, shared by all checkouts of a user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qsched"


def _fingerprint() -> str:
    """A hash of all that the programs are made of."""
    digest = hashlib.sha256(repr((BINARIES, _FLAGS, _STAGES, _VERSION)).encode())
    for file in sorted(TOOLS.glob("*/go.*")):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _missing(folder: Path) -> list[Binary]:
    return [binary for binary in BINARIES if not (folder / binary.name).exists()]


def _build(folder: Path, go: Path, say: Callable[[str], None]) -> None:
    started = time.monotonic()
    missing = _missing(folder)
    for number, binary in enumerate(missing, start=1):
        if binary.name == "kwok":
            _copy_stages(folder, go)
        words = f"building {binary.name} ({number} of {len(missing)})"
        for _ in _building(binary, folder, go):
            say(f"{words}, {time.monotonic() - started:.0f} s")
    if missing:
        say(f"built {len(missing)} programs in {time.monotonic() - started:.0f} s; kept in {folder}")


def _building(binary: Binary, folder: Path, go: Path) -> Iterator[None]:
    """Build one program, giving way every 15 s; a failure leaves nothing under its name."""
    half = folder / f".{binary.name}.{os.getpid()}"
    command = [str(go), "build", *_FLAGS, "-ldflags", binary.ldflags, "-o", str(half), binary.package]
    where = TOOLS / binary.module
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=where, env=_environment(go), stdout=output, stderr=output)
        try:
            while process.poll() is None:
                yield
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_EVERY_S)
            if process.returncode != 0:
                output.seek(0)
                raise RigError(f"{' '.join(command)} in {where} failed: {output.read()[-2000:]}")
            half.rename(folder / binary.name)
        finally:
            process.kill()
            process.wait()
            half.unlink(missing_ok=True)


def _copy_stages(folder: Path, go: Path) -> None:
    """Take kwok's stages out of its module, so that a start of kwok needs no Go."""
    asked = [str(go), "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"]
    where = TOOLS / "kwok"
    # The module's folder is known only once it was downloaded.
    subprocess.run(
        [str(go), "mod", "download", "sigs.k8s.io/kwok"], cwd=where, env=_environment(go), check=True
    )
    said = subprocess.run(asked, cwd=where, env=_environment(go), check=True, capture_output=True, text=True)
    for stage, target in zip(_STAGES, stages(folder), strict=True):
        shutil.copyfile(Path(said.stdout.strip()) / "kustomize" / "stage" / f"{stage}.yaml", target)


def _environment(go: Path) -> dict[str, str]:
    """Builds depend on the pins alone: no workspace around the checkout, no other toolchain."""
    path = f"{go.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "", "PATH": path}


@contextmanager
def _lock(path: Path, say: Callable[[str], None]) -> Iterator[None]:
    with path.open("w") as file:
        waiting_since = time.monotonic()
        told = 0.0
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                waited = time.monotonic() - waiting_since
                if waited >= told:
                    say(f"another process builds the cluster's programs; waiting, {waited:.0f} s")
                    told = waited + _EVERY_S
                time.sleep(0.5)
        yield


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"rig: {line}\n")
    sys.stderr.flush()
