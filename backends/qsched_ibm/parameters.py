"""What a backend's ``parameters`` and Secret may say to the IBM driver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from qsched.api.base import Declared, Text
from qsched.drivers.parameters import check_address, stripped
from qsched.errors import InvalidInput, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

Mode = Literal["job", "batch", "session"]

_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_TOKEN = "token"  # noqa: S105 - the name of a key, not its value


class IbmParameters(Declared, frozen=True, kw_only=True):
    """Parameters of the IBM driver.

    Attributes:
        instance: The service instance: its CRN, or its name, which takes some more requests to look up. When
            not said, that of the saved account, else the only one that the account has.
        url: Where the service is, when it is not IBM's own cloud but an emulator of it.
        mode: How jobs are submitted: each for itself, into a batch, or into a session that holds the device
            for qsched as long as it is open, and is billed for all of that time.
        timeout_s: Seconds to wait for an answer.
    """

    instance: Annotated[Text, Meta(min_length=1)] | None = None
    url: (
        Annotated[
            str,
            Meta(
                pattern=r"^https?://[^/?#]+\Z",
                max_length=253,
                title="an address such as http://127.0.0.1:8080",
            ),
        ]
        | None
    ) = None
    mode: Mode = "job"
    timeout_s: Annotated[float, Meta(gt=0, le=20)] = 20.0


def check(parameters: IbmParameters) -> None:
    """Refuse what cannot work.

    Raises:
        InvalidInput: If there is an address, and it is none, or there is no CRN to use there, or the API key
            would go there in clear.
    """
    check_address(parameters.url, "url")
    if parameters.url is None:
        return
    if not (parameters.instance or "").startswith("crn:"):
        message = "a service at parameters.url needs the CRN of an instance, which begins with 'crn:'"
        raise InvalidInput(Problem("spec.parameters.instance", message))
    address = urlsplit(parameters.url)
    if address.scheme == "http" and address.hostname not in _HERE:
        message = "the API key goes to other machines by https only; write https://"
        raise InvalidInput(Problem("spec.parameters.url", message))


def read_credentials(credentials: Mapping[str, str] | None) -> str | None:
    """The API key in a backend's Secret; None without a Secret, for the client's own chain.

    Raises:
        InvalidInput: If the Secret holds something else. The message names keys, and no values.
    """
    if credentials is None:
        return None
    where = "spec.credentialsSecretRef"
    others = sorted(credentials.keys() - {_TOKEN})
    if others:
        message = f"the ibm driver knows no {', '.join(others)} in a Secret; it takes {_TOKEN}, the API key"
        raise InvalidInput(Problem(where, message))
    token = stripped(credentials).get(_TOKEN)
    if not token:
        raise InvalidInput(
            Problem(where, f"the Secret's {_TOKEN} is missing or is empty; it must be the API key")
        )
    return token
