from __future__ import annotations

import pytest

from qsched.errors import InvalidInput
from qsched_ibm import IbmDriver
from qsched_ibm.parameters import read_credentials

CRN = "crn:v1:bluemix:public:quantum-computing:us-east:a/0123::"
KEY = "planted-api-key"


def test_the_api_key_is_taken_without_the_line_break_of_its_file():
    assert read_credentials({"token": f"{KEY}\n"}) == KEY
    assert read_credentials(None) is None


@pytest.mark.parametrize(
    ("parameters", "credentials", "words"),
    [
        ({"instanze": CRN}, None, "did you mean 'instance'"),
        ({"timeoutSeconds": 60}, None, "timeoutSeconds"),
        ({"mode": "sessions"}, None, "mode"),
        ({"url": "https://ibm.example.com"}, None, "needs the CRN"),
        ({"url": "https://ibm.example.com", "instance": "mine"}, None, "needs the CRN"),
        ({"url": "http://ibm.example.com", "instance": CRN}, None, "by https only"),
        ({"url": "ibm.example.com", "instance": CRN}, None, "url"),
        ({}, {"apikey": KEY}, "it takes token, the API key"),
        ({"url": "https://[ibm", "instance": CRN}, None, "no address"),
        ({"url": "https://ibm.example.com:port", "instance": CRN}, None, "no address"),
        ({"url": f"https://me:{KEY}@ibm.example.com", "instance": CRN}, None, "no user name"),
        ({}, {"token": " "}, "is empty"),
        ({}, {"token": None}, "must be a text"),
        ({}, {}, "is missing"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(parameters, credentials, words):
    with pytest.raises(InvalidInput, match=words) as caught:
        IbmDriver(parameters, credentials)
    assert KEY not in str(caught.value)
