"""What a driver may raise; a provider's own exception is kept as ``__cause__`` and never crosses.

```text
DriverError
├── Unavailable        the provider or device does not answer now; try again later
│   ├── RateLimited    likewise, not before ``retry_after_s``
│   └── PartlyTaken    some circuits of a task were taken; submit it again to complete it
├── Rejected           this task will never be taken here
├── Unauthenticated    credentials are missing, wrong or expired
├── NotFound           no such device or task
└── NoCalibration      the device has no calibration
```
"""

from __future__ import annotations

from qsched.errors import QschedError


class DriverError(QschedError):
    """The root of what a driver raises."""


class Unavailable(DriverError):
    """The provider or device does not answer now; the same call may succeed later."""


class RateLimited(Unavailable):
    """The provider asks for patience.

    Attributes:
        retry_after_s: Seconds to wait before the next call.
    """

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class PartlyTaken(Unavailable):
    """The provider has some circuits of the task that was looked for, and not all of them.

    ``find`` raises it, of a provider that takes one circuit at a time. Submitting again with the same token
    completes the task; giving it up would have those circuits run, and run again elsewhere.
    """


class Rejected(DriverError):
    """The task will never be taken here; retrying is useless."""


class Unauthenticated(DriverError):
    """Credentials are missing, wrong or expired."""


class NotFound(DriverError):
    """There is no such device or task."""


class NoCalibration(DriverError):
    """The device has no calibration."""
