from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber
from braket.aws import AwsSession

from qsched.drivers import PartlyTaken, Unauthenticated
from qsched.drivers.blocking import Blocking
from qsched.errors import InvalidInput
from qsched_braket import BraketDriver, LocalBraketDriver, tasks
from qsched_braket.devices import Devices
from qsched_braket.errors import translate
from qsched_braket.sessions import Region, Sessions
from qsched_braket.tags import Part, write_tags

ARN = "arn:aws:braket:us-east-1:123456789012:quantum-task/"


class TestParameters:
    @pytest.mark.parametrize(
        ("parameters", "words"),
        [
            ({"regoin": "us-east-1"}, "did you mean 'region'"),
            ({"region": "mars"}, "wrong for driver 'braket'"),
            ({"bucket": ""}, "wrong for driver 'braket'"),
            ({"timeoutSeconds": 60}, "wrong for driver 'braket'"),
        ],
    )
    def test_wrong_parameters(self, parameters, words: str):
        with pytest.raises(InvalidInput, match=words):
            BraketDriver(parameters)

    @pytest.mark.parametrize(
        ("credentials", "words"),
        [
            ({"accessKeyId": "AKIAPLANTED"}, "the Secret has no secretAccessKey"),
            ({"accessKeyId": "", "secretAccessKey": "planted"}, "the Secret has no accessKeyId"),
            ({"token": "planted"}, "knows no credential 'token'"),
        ],
    )
    def test_a_secret_that_does_not_fit(self, credentials, words: str):
        with pytest.raises(InvalidInput, match=words) as caught:
            BraketDriver({}, credentials)
        assert "planted" not in str(caught.value).lower()

    def test_credentials_do_not_show(self):
        driver = BraketDriver({}, {"accessKeyId": "AKIAPLANTED", "secretAccessKey": "planted"})
        assert "planted" not in f"{driver!r} {vars(driver)!r} {vars(driver._sessions)!r}".lower()

    def test_the_local_driver_needs_none(self):
        with pytest.raises(InvalidInput, match="needs no credentials"):
            LocalBraketDriver({}, {"accessKeyId": "x"})


class One(Sessions):
    """One region, whose client answers what it is told to; Braket's list of filters does not name tags."""

    def __init__(self) -> None:
        boto = boto3.Session(aws_access_key_id="x", aws_secret_access_key="y", region_name="us-east-1")
        self.client = boto.client("braket")
        self.session = AwsSession(boto_session=boto, braket_client=self.client)

    def region(self, name: str) -> Region:
        return Region(name, self.session)


def row(token: str, number: int) -> dict[str, object]:
    part = Part(token, number, "digest", ((0, 0),), (1,))
    return {
        "quantumTaskArn": f"{ARN}{token}-{number}",
        "status": "QUEUED",
        "deviceArn": "arn:aws:braket:::device/quantum-simulator/amazon/sv1",
        "shots": 1,
        "outputS3Bucket": "bucket-of-results",
        "outputS3Directory": "folder",
        "createdAt": "2026-05-01T10:00:00Z",
        "tags": write_tags(part, {}),
    }


class TestDenied:
    async def test_a_region_that_denies_access_has_no_devices(self):
        one = One()
        blocking = Blocking("Amazon Braket", limit=1, translate=translate)
        devices = Devices(one, blocking)
        with Stubber(one.client) as stub:
            one.names = lambda: ["us-east-1", "us-west-1"]
            stub.add_client_error("search_devices", "AccessDeniedException", http_status_code=403)
            stub.add_response("search_devices", {"devices": []})
            assert await devices.all() == []
            one.names = lambda: ["us-west-2", "eu-west-2"]
            for _ in range(2):
                stub.add_client_error("search_devices", "AccessDeniedException", http_status_code=403)
            with pytest.raises(Unauthenticated, match="denies searching for devices in us-west-2, eu-west-2"):
                await devices.all()
        await blocking.aclose()

    def test_a_token_is_not_unknown_where_it_may_not_be_looked_for(self):
        one = One()
        with Stubber(one.client) as stub:
            stub.add_client_error("search_quantum_tasks", "AccessDeniedException", http_status_code=403)
            with pytest.raises(Unauthenticated, match=r"in us-west-2: .*parameters\.regions"):
                tasks.find(one, "us-west-2", "mine")


class TestFind:
    def test_only_the_head_of_the_very_token_counts(self):
        one = One()
        with Stubber(one.client) as stub:
            rows = [row("other", 0), row("mine", 1), row("mine", 0)]
            stub.add_response("search_quantum_tasks", {"quantumTasks": rows[:2], "nextToken": "more"})
            stub.add_response("search_quantum_tasks", {"quantumTasks": rows[2:]})
            assert tasks.find(one, "us-east-1", "mine") == f"{ARN}mine-0"
            stub.add_response("search_quantum_tasks", {"quantumTasks": rows[:1]})
            assert tasks.find(one, "us-east-1", "mine") is None

    def test_circuits_without_their_head_are_part_of_a_task(self):
        one = One()
        with Stubber(one.client) as stub:
            stub.add_response("search_quantum_tasks", {"quantumTasks": [row("mine", 1)]})
            with pytest.raises(PartlyTaken, match="mine-1 of the task"):
                tasks.find(one, "us-east-1", "mine")
            stub.add_response(
                "search_quantum_tasks", {"quantumTasks": [{**row("mine", 1), "status": "CANCELLED"}]}
            )
            assert tasks.find(one, "us-east-1", "mine") is None

    def test_everything_is_looked_through_where_tags_are_no_filter(self):
        one = One()
        with Stubber(one.client) as stub:
            stub.add_client_error("search_quantum_tasks", "ValidationException", http_status_code=400)
            stub.add_response(
                "search_quantum_tasks", {"quantumTasks": [row("mine", 0)]}, {"filters": [], "maxResults": 100}
            )
            assert tasks.find(one, "us-east-1", "mine") == f"{ARN}mine-0"
