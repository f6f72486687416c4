from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from qsched.api import calibration_file
from qsched.api.calibration_file import dumps, load_calibration, loads, save_calibration
from qsched.errors import InvalidInput
from tests.unit.fleet.builders import device, line

FIGURES = st.floats(min_value=0) | st.just(float("nan"))


@given(
    columns=npst.arrays(np.float64, (9, 3), elements=FIGURES),
    device_name=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    reset_s=st.floats(0, 1e3),
    taken_at=st.datetimes(
        min_value=dt.datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        max_value=dt.datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.sampled_from([dt.UTC, dt.timezone(dt.timedelta(hours=-5))]),
    ),
)
@settings(max_examples=100, deadline=None)
def test_a_calibration_round_trips_exactly_with_its_id(columns, device_name, reset_s, taken_at):
    names = ["t1_s", "t2_s", "readout_p10", "readout_p01", "readout_s", "gate1_error", "gate1_s"]
    names += ["gate2_error", "gate2_s"]
    calibration = device(
        3,
        [(0, 1), (1, 2), (2, 0)],
        device=device_name,
        reset_s=reset_s,
        taken_at=taken_at,
        source="a test",
        **dict(zip(names, columns, strict=True)),
    )
    read = loads(dumps(calibration))
    assert read.id == calibration.id
    assert read.source == calibration.source
    for name in names:
        np.testing.assert_array_equal(getattr(read, name), getattr(calibration, name))


def test_equal_calibrations_give_equal_bytes():
    assert dumps(line(5)) == dumps(line(5))


def test_a_saved_file_is_read_back(tmp_path):
    path = tmp_path / "line.qcal.json.gz"
    save_calibration(line(5), path)
    assert load_calibration(path) == line(5)
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_or_unwritable_file_is_named(tmp_path):
    path = tmp_path / "nowhere" / "a.qcal.json.gz"
    with pytest.raises(InvalidInput, match=r"nowhere.*cannot be read: No such file"):
        load_calibration(path)
    with pytest.raises(InvalidInput, match=r"nowhere.*cannot be written: No such file"):
        save_calibration(line(2), path)


def _edited(**changes: object) -> bytes:
    plain = json.loads(gzip.decompress(dumps(line(3)))) | changes
    return gzip.compress(json.dumps(plain).encode(), mtime=0)


def test_an_edited_file_is_refused_unless_its_id_is_removed():
    with pytest.raises(InvalidInput, match="corrupt or was edited"):
        loads(_edited(resetSeconds=1.0))
    assert loads(_edited(resetSeconds=1.0, id=None)).reset_s == 1.0


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut short"),
        (b"{}", "not a gzip file"),
        (dumps(line(3))[:-20], "cut short"),
        (gzip.compress(b"[1, 2", mtime=0), "not a calibration file"),
        (gzip.compress(b"\xff\xfe", mtime=0), "not a calibration file"),
        (gzip.compress(b"[" * 100_000, mtime=0), "not a calibration file"),
        (gzip.compress(b'{"format": "something", "version": 1}', mtime=0), "not a calibration file"),
        (_edited(version=2), "of version 2; this qsched reads version 1"),
        (_edited(surprise=1), "unknown field `surprise`"),
        (_edited(t1Seconds=[1.0]), "t2_s has shape|t1_s has shape"),
        (_edited(couplers=[[0, 7], [1, 2]]), "outside 0..2"),
        (_edited(couplers=[[0, 99999999999], [1, 2]]), "out of bounds"),
        (_edited(couplers=[[1, 1], [1, 2]]), "joins a qubit to itself"),
        (_edited(couplers=[[1, 2], [1, 2]]), "listed twice"),
        (_edited(twoQubitGate="rm -rf"), "twoQubitGate"),
        (_edited(takenAt="2026-01-01T00:00:00"), "takenAt"),
    ],
)
def test_what_is_not_a_calibration_is_refused_with_the_files_name(data, message):
    with pytest.raises(InvalidInput, match=message) as caught:
        loads(data, file="given.qcal.json.gz")
    assert str(caught.value).startswith("given.qcal.json.gz: ")


def test_a_gzip_bomb_is_refused_before_it_unfolds():
    bomb = gzip.compress(b" " * (calibration_file.MAX_JSON_BYTES + 1), mtime=0)
    assert len(bomb) < calibration_file.MAX_FILE_BYTES
    with pytest.raises(InvalidInput, match="holds more than"):
        loads(bomb)


def test_an_oversized_file_is_refused_before_it_is_read_whole(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as stream:
        stream.truncate(10 * calibration_file.MAX_FILE_BYTES)
    with pytest.raises(InvalidInput, match="is larger than"):
        load_calibration(path)


@given(position=st.integers(0, 10_000), value=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_a_changed_byte_never_gives_another_calibration(position, value):
    good = line(4)
    data = bytearray(dumps(good))
    data[position % len(data)] = value
    with contextlib.suppress(InvalidInput):
        assert loads(bytes(data)) == good
