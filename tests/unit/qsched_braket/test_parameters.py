from __future__ import annotations

import pytest

from qsched.errors import InvalidInput
from qsched_braket import BraketDriver
from qsched_braket.parameters import read_credentials

KEY = "planted/secret+access/key"


def test_an_access_key_is_taken_without_the_line_breaks_of_its_files():
    keys = read_credentials({"accessKeyId": "id\n", "secretAccessKey": f" {KEY}\n", "sessionToken": "\n"})
    assert keys is not None
    assert (keys.access_key_id, keys.secret_access_key, keys.session_token) == ("id", KEY, None)
    assert read_credentials(None) is None


@pytest.mark.parametrize(
    ("parameters", "credentials", "words"),
    [
        ({"endpoint": "braket.example.com"}, None, "spec.parameters.endpoint: is no address"),
        ({"s3Endpoint": "http://[s3"}, None, "spec.parameters.s3Endpoint: is no address"),
        ({"endpoint": f"https://me:{KEY}@braket.example.com"}, None, "no address|no user name"),
        ({"bucket": "My Bucket"}, None, "bucket"),
        ({}, {}, "no accessKeyId"),
        ({}, {"accessKeyId": "id", "secretAccessKey": " "}, "no secretAccessKey"),
        ({}, {"accessKeyId": "id", "secretAccessKey": None}, "secretAccessKey must be a text"),
        ({}, {"accessKeyId": "id", "secretAccessKey": KEY, "token": KEY}, "no credential 'token'"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(parameters, credentials, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        BraketDriver(parameters, credentials)
    assert KEY not in str(caught.value)
