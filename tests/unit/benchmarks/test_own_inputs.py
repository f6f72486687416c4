"""What researchers bring: traces, fleets and policies, and what they are told when these are wrong."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.policies import POLICIES, load
from benchmarks.simulation import fleets
from benchmarks.simulation.traces import read_depths, read_jobs, replay
from qsched.errors import InvalidInput

ROOT = Path(__file__).parents[3]
QUEUES = ROOT.parent / "shared" / "data" / "ibm-pending-jobs-2023-11.csv.gz"

pytest.importorskip("mqt.bench")


def written(folder: Path, text: str, name: str = "trace.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_trace_of_jobs_is_read(tmp_path: Path):
    path = written(
        tmp_path,
        "seconds,circuit,shots,circuits,fidelity,complete_within_s,name\n"
        "100,ghz-3,1000,,,,\n"
        "107.5,bv-4,4000,20,0.9,600,mine\n",
    )
    found = read_jobs(path)
    assert found.arrives_s.tolist() == [0.0, 7.5]
    assert found.names == ["line-2", "mine"]
    assert found.columns.qubits.tolist() == [3, 4]
    assert found.columns.shots.tolist() == [1000, 4000]
    assert found.columns.circuits.tolist() == [1, 20]
    assert found.columns.remaining_s.tolist() == [math.inf, 600]
    np.testing.assert_allclose(found.columns.weights[1], [0.9, 0.1, 0, 0], rtol=1e-6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seconds,shots\n1,2\n", r"trace.csv:1: .*no column 'circuit'.*seconds, circuit, shots"),
        ("seconds,circuit,shots,shot\n", r":1: .*unknown column 'shot'; did you mean 'shots'"),
        ("seconds,circuit,shots\n", r"no jobs"),
        ("seconds,circuit,shots\n1,ghz-3,many\n", r":2: shots is 'many', not a number"),
        ("seconds,circuit,shots\n1,ghz-3,0\n", r":2: shots is 0; it must be 1 to 1,000,000,000"),
        ("seconds,circuit,shots\n1,ghz-3,1e39\n", r":2: shots is 1e39"),
        ("seconds,circuit,shots\n5,ghz-3,5\n1e15,ghz-3,5\n", r":3: seconds is more than 31 days after"),
        ("seconds,circuit,shots\n-1,ghz-3,5\n", r":2: seconds is -1"),
        ("seconds,circuit,shots\nnan,ghz-3,5\n", r":2: seconds is nan"),
        ("seconds,circuit,shots\n5,ghz-3,5\n1,ghz-3,5\n", r":3: seconds .*sort the file by time"),
        ("seconds,circuit,shots\n1,gzh-3,5\n", r":2: circuit 'gzh-3'.*did you mean 'ghz'"),
        ("seconds,circuit,shots\n1,ghz-900,5\n", r":2: circuit 'ghz-900'.*2 to 127"),
        ("seconds,circuit,shots\n1,ghz-3\n", r":2: .*number of cells"),
    ],
)
def test_a_wrong_trace_is_named_with_the_line(tmp_path: Path, text: str, message: str):
    with pytest.raises(InvalidInput, match=message):
        read_jobs(written(tmp_path, text))


def test_a_trace_of_a_spreadsheet_is_read(tmp_path: Path):
    path = tmp_path / "trace.csv"
    path.write_text("seconds,circuit,shots\n1,ghz-3,5\n", encoding="utf-8-sig")
    assert read_jobs(path).names == ["line-2"]


def test_every_wrong_line_is_named_at_once(tmp_path: Path):
    path = written(tmp_path, "seconds,circuit,shots\n1,ghz-3,x\n2,ghz-3,5\n3,ghz-3,-5\n")
    with pytest.raises(InvalidInput) as caught:
        read_jobs(path)
    assert [each.line for each in caught.value.problems] == [2, 4]


_PACKED = gzip.compress(b"seconds,circuit,shots\n" + b"".join(b"%d,ghz-3,9\n" % each for each in range(99)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("trace.csv", b"\xff\xfe\x00"),
        ("trace.csv.gz", b"not gzip"),
        ("trace.csv.gz", _PACKED[:60]),
        ("trace.csv.gz", _PACKED[:60] + b"damaged" + _PACKED[67:]),
    ],
)
def test_a_trace_that_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_jobs(path)


def test_queues_are_replayed_with_gaps_and_outages(tmp_path: Path):
    path = tmp_path / "queues.csv.gz"
    rows = [
        f"2023-11-16T13:0{minute}Z,{cells}\n" for minute, cells in enumerate(("3,0", ",0", "-1,5", "2,5"))
    ]
    path.write_bytes(gzip.compress(("minute_utc,a,b\n" + "".join(rows)).encode()))
    depths = read_depths(path)
    assert depths.at_s.tolist() == [0, 60, 120, 180]
    changes = replay(depths, 2, 1000.0, seed=0)
    first = [(each.at_s, each.kind) for each in changes if each.column == 0]
    assert first.count((0.0, "foreign")) == 3
    assert [each for each in first if each[1] != "foreign"] == [(120.0, "down"), (180.0, "up")]
    assert sum(each.column == 1 for each in changes) == 5 + 3  # three were done within the last minute


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("minute,a\n", "no column 'minute_utc'"),
        ("minute_utc,a\n2023-11-16T13:00Z,deep\n", r":2: the depth of a is 'deep'"),
        ("minute_utc,a\n2023-11-16T13:00Z,-2\n", r":2: the depth of a is -2"),
        ("minute_utc,a\nyesterday,2\n", r":2: "),
        ("minute_utc,a\n", "no queues"),
    ],
)
def test_wrong_queues_are_named_with_the_line(tmp_path: Path, text: str, message: str):
    with pytest.raises(InvalidInput, match=message):
        read_depths(written(tmp_path, text))


@pytest.mark.skipif(not QUEUES.exists(), reason="the measured queue depths are not there")
def test_the_measured_queues_are_read():
    depths = read_depths(QUEUES)
    assert len(depths.devices) == 12
    assert np.nanmax(depths.depth) > 1000
    assert replay(depths, 2, 3600.0, seed=0)


MANIFEST = """apiVersion: qsched.io/v1alpha1
kind: QuantumBackend
metadata: {name: mine}
spec: {driver: aer, device: %s}
"""


def test_a_fleet_file_is_simulated(tmp_path: Path):
    (record,) = fleets.read_fleet(written(tmp_path, MANIFEST % "torino", "fleet.yaml"))
    assert record.name == "mine"
    assert record.quality is not None
    assert record.quality.qubits == 129


@pytest.mark.parametrize("device", ["ideal", "torimo"])
def test_a_fleet_without_calibrations_is_refused(tmp_path: Path, device: str):
    with pytest.raises(InvalidInput, match=r"fleet.yaml: QuantumBackend 'mine': .*torino"):
        fleets.read_fleet(written(tmp_path, MANIFEST % device, "fleet.yaml"))


@pytest.mark.parametrize("size", fleets.SIZES)
def test_fleets_have_the_size_and_different_names(size: int):
    records = fleets.fleet(size, 0)
    assert len({record.name for record in records}) == size


@pytest.mark.parametrize("name", list(POLICIES))
def test_a_policy_is_found_by_name(name: str):
    assert load(name).name == name


def test_an_unknown_policy_says_what_there_is():
    with pytest.raises(InvalidInput, match="no policy 'leest-loaded'; did you mean 'least-loaded'"):
        load("leest-loaded")


@pytest.mark.parametrize(
    ("text", "attribute", "message"),
    [
        ("x = 1\n", "mine", r"own.py: it has no policy 'mine'"),
        ("def near(view): ...\n", "neer", r"did you mean 'near'"),
        ("import nothing_of_that_name\n", "mine", "ModuleNotFoundError"),
        ("def broken(:\n", "broken", "SyntaxError"),
        (None, "mine", "no such Python file"),
    ],
)
def test_a_policy_that_does_not_load_is_named(tmp_path: Path, text: Any, attribute: str, message: str):
    path = tmp_path / "own.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidInput, match=message):
        load(f"{path}:{attribute}")


def test_a_class_is_a_policy_too(tmp_path: Path):
    path = tmp_path / "own.py"
    path.write_text("class Mine:\n    name = 'its own'\n    def place(self, view): ...\n")
    assert load(f"{path}:Mine").name == "its own"
