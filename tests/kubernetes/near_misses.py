"""Manifests with one value that is almost right, or just right: where two checks may come apart."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from qsched.api.yaml_source import read_documents
from tests.fuzz.test_manifests import BACKEND, JOB

if TYPE_CHECKING:
    from collections.abc import Iterator

# Every field of a spec occurs.
MORE_OF_A_JOB = """\
  suspend: false
  priority: 4
  backoffLimit: 3
  activeDeadlineSeconds: 600
  ttlSecondsAfterFinished: 5
  managedBy: qsched.io/controller
"""
MORE_OF_A_BACKEND = """\
  recalibratesEvery: 24h
  location: Kawasaki
  paused: false
  credentialsSecretRef: {name: token, namespace: vault}
"""
(_JOB,) = read_documents(JOB + MORE_OF_A_JOB, "job.yaml")
(_BACKEND,) = read_documents(BACKEND + MORE_OF_A_BACKEND, "fleet.yaml")
FULL: tuple[Any, ...] = (_JOB.value, _BACKEND.value)

NAMES = ["a", "A", "a-b", "a--b", "a..b", "a.b", "-a", "a-", "a_b", "a b", "a\n", "\na", "é", "😀", "a\0b"]
LENGTHS = [letter * number for number in (63, 64, 253, 254, 1025) for letter in "aé"]
AMOUNTS = ["0", "12.50", "00.1", "1.", "0." + "0" * 8 + "1", "0." + "0" * 9 + "1", "9" * 15, "9" * 16, "1e3"]
CURRENCIES = ["USD", "usd", "US", "USDX", "ÜSD"]
DURATIONS = [
    *("0s", "1ns", "0.9ns", "1.5h", "1h30m", "1m1h", "1d", "1µs", "1us", "-1s", "+1s", "1 s", "1s\n", ".5s"),
    *("5.s", "0.0000000000001s", "0h0m0s", "1.123456789012345678901234567890s", "1h" * 32, "1h" * 33),
    *(
        "876000h",
        "876000h1ns",
        "876000h0.1ns",
        "2562047h",
        "2562048h",
        "3153600001s",
        "9999999999999999999ns",
    ),
]
TIMES = [
    *("2030-01-31T12:00:00Z", "2030-01-31t12:00:00z", "2030-01-31T12:00:00.5Z", "2030-01-31T12:00:00,5Z"),
    *("2030-01-31T12:00:00+02:00", "2030-01-31T12:00:00+0200", "2030-01-31T12:00:00-00:00"),
    *("2030-01-31T12:00:00+23:59", "2030-01-31T12:00:00+24:00", "2030-01-31T12:00:00+12:61"),
    *("2030-01-31T24:00:00Z", "2030-01-31T23:59:60Z", "2030-01-31T12:61:00Z", "2030-02-30T12:00:00Z"),
    *("2030-01-31 12:00:00Z", "2030-01-31T12:00Z", "2030-01-31", "2030-1-31T12:00:00Z", "20300131T120000Z"),
    *(
        "2030-01-31T12:00:00Z ",
        "2030-01-31T12:00:00x5Z",
        "2030-01-31T12:00:00.Z",
        "2030-01-31T12:00:00.1234567891Z",
    ),
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "1970-01-01T00:00:00Z"),
    *("1970-01-01T00:00:01Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00", "10000-01-01T00:00:00Z"),
]
CLOCKS = ["08:30", "8:30", "24:00", "23:59", "23:60", "08:30:00", "08:30\n", "٠8:30"]
URIS = [
    "s3://bucket/key",
    "s3://",
    "S3://a",
    "s3:/a",
    "s3://a\nb",
    "1s://a",
    "s3://é",
    "s3:// ",
    "a+b.c-d://x",
]
WORDS = ["", "Never", "never", "OnUnavailable", "OnDeadline", "Required", "Forbidden", "cost", "Mon", "mon"]
NUMBERS = [
    *(0, 1, 2, 3, 4, -1, 64, 65, 100, 101, 1000, 1001, 10_000, 10_001, 10_000_000, 10_000_001),
    *(2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 0.5, 1.5, -0.5, 5e-324, 1e6, 1000000.5, 1e300),
]
OTHERS = [None, True, False, [], {}, [None], [{}], {"a": None}, {"a": {}}, {"a": 1}, [1], ["a"], ["a", "a"]]
VALUES = [
    *(NAMES + LENGTHS + AMOUNTS + CURRENCIES + DURATIONS + TIMES + CLOCKS + URIS + WORDS),
    *NUMBERS,
    *OTHERS,
]

Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Where there is a value."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        for key, child in value.items():
            yield (*path, key)
            yield from places(child, (*path, key))


@st.composite
def near_misses(draw: st.DrawFn) -> dict[str, Any]:
    """A manifest with every field, of which one value is another, or missing."""
    whole = draw(st.sampled_from(FULL))
    where = draw(st.sampled_from([path for path in places(whole) if path[0] == "spec"]))
    manifest: dict[str, Any] = copy.deepcopy(whole)
    at: Any = manifest
    for key in where[:-1]:
        at = at[key]
    if draw(st.integers(0, 20)) == 0:
        del at[where[-1]]
    else:
        at[where[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    return manifest
