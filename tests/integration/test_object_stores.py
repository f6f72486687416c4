"""Circuits and results at S3 addresses, on a server that speaks S3."""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

import pytest
from moto.server import ThreadedMotoServer

from qsched.api.job import CircuitResult, Result
from qsched.engine.results import check_writable, read_bytes, read_result, write_bytes, write_result
from qsched.errors import InvalidInput, ResultError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    with urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT")):
        pass
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ENDPOINT": address,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "id",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():
            patch.setenv(name, value)
        yield "s3://bucket"
    server.stop()


def test_a_result_is_read_as_it_was_written(bucket: str) -> None:
    circuit = CircuitResult(name="a", shots=2, counts={"00": 1, "11": 1}, transpiled_hash="0a")
    result = Result(
        backend="kyoto",
        driver="fake",
        remote_id="r",
        calibration_id="c",
        simulated=False,
        qsched_version="0.1",
        circuits=[circuit],
    )
    uri = f"{bucket}/results/team/a.json"
    check_writable(uri)
    written = write_result(result, uri)
    assert read_result(uri) == written
    assert written.circuits == result.circuits


def test_an_empty_file_is_read(bucket: str) -> None:
    write_bytes(f"{bucket}/empty", b"", durable=True)
    assert read_bytes(f"{bucket}/empty") == b""


def test_a_missing_file_is_named(bucket: str) -> None:
    with pytest.raises(ResultError, match=r"cannot read s3://bucket/none\.qasm"):
        read_bytes(f"{bucket}/none.qasm")


def test_a_place_that_cannot_be_written_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"results cannot be written to nowhere://x/a\.json"):
        check_writable("nowhere://x/a.json")


def test_a_bucket_that_is_missing_fails_the_write(bucket: str) -> None:
    with pytest.raises(ResultError, match=r"cannot write s3://none/a\.json"):
        write_bytes(f"{bucket.replace('bucket', 'none')}/a.json", b"{}", durable=True)
