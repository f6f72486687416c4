"""Container images without a registry: archives written by hand, for ``ctr images import``."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PAUSE = "localhost/pause:1"
BUSYBOX = "localhost/busybox:1"
HOST_PYTHON = "localhost/host-python:1"

_PASSWD = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n"
_GROUP = b"root:x:0:\nnogroup:x:65534:\n"


@dataclass(frozen=True)
class Image:
    """What an image is made of.

    Attributes:
        name: With its tag.
        command: What it runs when a pod does not say.
        files: Content by path.
        links: Symbolic links: target by path.
    """

    name: str
    command: Sequence[str] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def images(busybox: Path) -> list[Image]:
    """What the sandbox of a pod runs, a shell with its tools, and the empty image for the host's own Python.

    Args:
        busybox: A statically linked busybox.
    """
    shell = {"bin/busybox": busybox.read_bytes()}
    tools = subprocess.run([busybox, "--list"], check=True, capture_output=True, text=True).stdout.split()
    links = {f"bin/{tool}": "busybox" for tool in tools if tool != "busybox"}
    return [
        Image(PAUSE, ("/bin/busybox", "sleep", "2147483647"), files=shell),
        Image(BUSYBOX, ("/bin/sh",), files=shell, links=links),
        _host_python(),
    ]


def write_archive(image: Image, path: Path) -> None:
    """Write an image as ``docker save`` does.

    Args:
        image: The image.
        path: The archive.
    """
    layer = _layer(image)
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {"Entrypoint": list(image.command), "Env": ["PATH=/usr/local/bin:/usr/bin:/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [image.name], "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as archive:
        _add(archive, "layer.tar", layer)
        _add(archive, "config.json", json.dumps(config).encode())
        _add(archive, "manifest.json", json.dumps(manifest).encode())


def _host_python() -> Image:
    """As much of the host as its loader expects at fixed places; the rest is mounted into the pod."""
    links = {
        top: str(Path("/", top).readlink()) for top in ("bin", "lib", "lib64") if Path("/", top).is_symlink()
    }
    cache = Path("/etc/ld.so.cache")
    return Image(
        HOST_PYTHON, files={"etc/ld.so.cache": cache.read_bytes()} if cache.exists() else {}, links=links
    )


def _layer(image: Image) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as layer:
        scratch = tarfile.TarInfo("tmp")
        scratch.type, scratch.mode = tarfile.DIRTYPE, 0o1777
        layer.addfile(scratch)
        for path, content in {"etc/passwd": _PASSWD, "etc/group": _GROUP, **image.files}.items():
            _add(layer, path, content, mode=0o755 if path.startswith("bin/") else 0o644)
        for path, target in image.links.items():
            link = tarfile.TarInfo(path)
            link.type, link.linkname = tarfile.SYMTYPE, target
            layer.addfile(link)
    return buffer.getvalue()


def _add(archive: tarfile.TarFile, path: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def _architecture() -> str:
    """This machine's, by Go's name."""
    import platform

    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
