from __future__ import annotations

import pytest

from qsched.errors import InvalidInput
from qsched_azure import AzureDriver

KEY = "planted-client-secret"
PRINCIPAL = {"tenantId": "t", "clientId": "c", "clientSecret": KEY}


@pytest.mark.parametrize(
    ("parameters", "credentials", "words"),
    [
        ({"armEndpoint": "https://host:port"}, None, "spec.parameters.armEndpoint: is no address"),
        ({"authorityHost": f"https://me:{KEY}@host"}, None, "no user name"),
        ({"caFile": "not/there.pem"}, None, "there is no file"),
        # Nothing of these may fall back to credentials of the machine.
        ({}, {}, "it holds nothing"),
        ({}, {"connectionString": " \n"}, "none of them empty"),
        ({}, {**PRINCIPAL, "clientSecret": "\n"}, "none of them empty"),
        ({}, {**PRINCIPAL, "clientId": None}, "clientId must be a text"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_sent(parameters, credentials, words) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        AzureDriver(parameters, credentials)
    assert KEY not in str(caught.value)
