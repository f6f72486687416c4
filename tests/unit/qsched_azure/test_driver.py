from __future__ import annotations

import logging

import pytest

from qsched.drivers import Unauthenticated
from qsched.errors import InvalidInput
from qsched_azure import AzureDriver
from qsched_azure.logs import quiet
from qsched_azure.parameters import AzureParameters, Credentials, read_credentials
from qsched_azure.service import Service
from qsched_azure.targets import Target, published_name

GUID = "11111111-2222-3333-4444-555555555555"
CONNECTION = (
    f"SubscriptionId={GUID};ResourceGroupName=rg;WorkspaceName=ws1;ApiKey=planted-key;"
    "QuantumEndpoint=https://eastus.quantum.azure.com/;"
)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"subscriptionId": "1"}, "subscriptionId"),
        ({"armEndpoint": "http://host"}, "https"),
        ({"timeoutSeconds": 26}, "25"),
        ({"concurrency": 0}, "1"),
        ({"resourcegroup": "x"}, "did you mean 'resourceGroup'"),
        ({"caFile": "/no/such/file"}, "caFile: there is no file"),
    ],
)
def test_wrong_parameters_are_refused_with_what_is_right(parameters, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        AzureDriver(parameters)


@pytest.mark.parametrize(
    "secret",
    [
        {"token": "planted"},
        {"connectionString": "planted", "clientSecret": "planted"},
        {"tenantId": "t", "clientId": "c"},
        {"tenantId": "t", "clientId": "c", "clientSecret": ""},
    ],
)
def test_a_secret_of_another_form_is_refused_without_its_values(secret) -> None:
    with pytest.raises(InvalidInput, match="connectionString") as caught:
        AzureDriver({}, secret)
    assert "planted" not in str(caught.value)


def test_credentials_show_nowhere() -> None:
    credentials = read_credentials({"connectionString": CONNECTION})
    assert set(credentials.secrets()) >= {"planted-key", CONNECTION}
    assert "planted" not in f"{credentials!r}{AzureDriver({}, {'connectionString': CONNECTION})!r}"


def test_a_connection_string_names_the_workspace() -> None:
    service = Service(AzureParameters(), Credentials(connection_string=CONNECTION))
    assert service.location == "eastus"
    service.close()


def test_what_is_no_connection_string_is_said_without_quoting_it() -> None:
    with pytest.raises(Unauthenticated, match="connectionString") as caught:
        Service(AzureParameters(), Credentials(connection_string="ApiKey=planted-key"))
    assert "planted" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "qubits", "simulator", "figures"),
    [
        ("ionq.simulator", 29, True, None),
        ("ionq.qpu.aria-1", 25, False, "ionq-aria"),
        ("ionq.qpu.forte-enterprise-1", 36, False, "ionq-forte"),
        ("quantinuum.qpu.h2-2", 56, False, "quantinuum-h2"),
        ("quantinuum.sim.h2-1e", 56, True, "quantinuum-h2"),
        ("quantinuum.sim.h2-1sc", 56, True, None),
        ("rigetti.sim.qvm", 20, True, None),
        ("rigetti.qpu.ankaa-3", 84, False, "rigetti-ankaa"),
        ("rigetti.qpu.cepheus-1-108q", 108, False, None),
    ],
)
def test_what_is_known_of_the_targets_there_are(name, qubits, simulator, figures) -> None:
    target = Target(name=name, availability="Available")
    assert (target.qubits, target.simulator, published_name(name)) == (qubits, simulator, figures)


def test_the_width_that_the_service_tells_holds() -> None:
    assert Target(name="ionq.qpu.aria-1", availability="Available", told_qubits=24).qubits == 24


def test_signatures_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    quiet()
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug('%s "%s"', "PUT", "/c/b?se=1&sig=planted%2Fkey&sp=r")
    assert "sig=***&sp=r" in caplog.text
    assert "planted" not in caplog.text
