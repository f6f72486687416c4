"""The folder through which a laboratory takes orders: its own format, with no word of qsched's in it.

```text
FOLDER/devices/NAME.qcal.json.gz  a device: its calibration, replaced when it is measured anew
FOLDER/devices/NAME.offline       there while the device takes no orders; it says why
FOLDER/orders/ID/order.json       what to run; an order's folder appears whole, by one rename
FOLDER/orders/ID/started          there as soon as the device runs it
FOLDER/orders/ID/ended.json       how it ended; written once, by the laboratory or by who stops it
```
"""

from __future__ import annotations

import contextlib
import datetime as dt  # noqa: TC003 - msgspec reads it
import os
import shutil
import uuid
from pathlib import Path

import msgspec

SUFFIX = ".qcal.json.gz"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """Circuits for a device.

    Attributes:
        device: Its name.
        shots: How often to run each circuit.
        circuits: QPY, in base64 where it is JSON.
        notes: A line for each circuit, kept for whoever ordered.
    """

    device: str
    shots: int
    circuits: tuple[bytes, ...]
    notes: tuple[str, ...]


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How an order ended: ``done``, ``failed`` or ``stopped``; or that it is ``waiting`` or ``running``."""

    state: str
    message: str = ""
    counts: tuple[dict[str, int], ...] = ()
    started_at: dt.datetime | None = None
    finished_at: dt.datetime | None = None


class LabFolder:
    """The folder, for both sides. Methods raise ``OSError`` as the file system does."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def devices(self) -> dict[str, Path]:
        """The calibration file of each device, by name."""
        files = sorted((self._path / "devices").iterdir())
        return {file.name.removesuffix(SUFFIX): file for file in files if file.name.endswith(SUFFIX)}

    def why_offline(self, device: str) -> str | None:
        """Why a device takes no orders; None when it does."""
        file = self._path / "devices" / f"{device}.offline"
        return file.read_text() if file.exists() else None

    def put(self, name: str, order: Order) -> None:
        """Order under a name; the first order of a name is the one that counts."""
        whole = self._path / f".{uuid.uuid4().hex}"
        whole.mkdir()
        try:
            (whole / "order.json").write_bytes(msgspec.json.encode(order))
            whole.rename(self._path / "orders" / name)
        except OSError:
            shutil.rmtree(whole)
            if self.end(name) is None:
                raise

    def order(self, name: str) -> Order:
        """What was ordered."""
        return msgspec.json.decode((self._path / "orders" / name / "order.json").read_bytes(), type=Order)

    def open_orders(self, device: str) -> list[str]:
        """Names of the orders of a device that have not ended, oldest first."""
        files = self._path.glob("orders/*/order.json")
        waiting = [file for file in files if not file.with_name("ended.json").exists()]
        waiting.sort(key=lambda file: file.stat().st_mtime_ns)
        return [name for file in waiting if self.order(name := file.parent.name).device == device]

    def end(self, name: str) -> End | None:
        """Where an order is; None when there is none of this name."""
        folder = self._path / "orders" / name
        with contextlib.suppress(FileNotFoundError):
            return msgspec.json.decode((folder / "ended.json").read_bytes(), type=End)
        if not (folder / "order.json").exists():
            return None
        return End(state="running" if (folder / "started").exists() else "waiting")

    def start(self, name: str) -> None:
        """Say that an order runs."""
        (self._path / "orders" / name / "started").touch()

    def finish(self, name: str, end: End) -> None:
        """End an order, unless it has ended: a link is made once, and what it shows is whole."""
        folder = self._path / "orders" / name
        draft = folder / f".{uuid.uuid4().hex}"
        draft.write_bytes(msgspec.json.encode(end))
        with contextlib.suppress(FileExistsError):
            os.link(draft, folder / "ended.json")
        draft.unlink()
