"""The closed set of failures, and what each becomes on the wire.

    GatewayError
    ├── Malformed        the bytes are not what they claim to be        400  structure     AR 207/100   exit 1
    ├── Unsupported      well formed, but of a kind we do not take      422  not-supported AR 200/201   exit 1
    ├── Invalid          understood, and breaks a rule                  422  invalid       AE 103       exit 1
    ├── Unauthorized     no token, or one that does not hold            401  login         AR 207       exit 1
    ├── Forbidden        the token does not reach this far              403  forbidden     AR 207       exit 1
    ├── NotFound         does not exist for this caller                 404  not-found     AE 204       exit 1
    ├── Gone             existed, and was deleted                       410  deleted       AE 204       exit 1
    ├── Conflict         somebody else was first                        412  conflict      AE 207       exit 1
    ├── NotAcceptable    an answer in that form is not to be had        406  not-supported AR 207       exit 1
    ├── TooLarge         beyond a stated limit                          413  too-long      AR 207       exit 1
    ├── TooMany          beyond a stated rate                           429  throttled     AR 207       exit 1
    ├── Unavailable      the store cannot commit now; try again         503  transient     AR 207       exit 1
    └── Usage            the command or the configuration is wrong      500  exception     -            exit 2

Every error says what was wrong (`message`), where (`location`: `PID-7`, `Patient.birthDate`, `[[feed]] line 12`) and what to do
(`advice`). None of the three ever holds an exception's text, a path of this machine, or a value that a sender sent.
"""

from __future__ import annotations

from typing import ClassVar


class GatewayError(Exception):
    """A failure that a caller is told of in plain words.

    `status` is the HTTP status, `issue` the OperationOutcome issue type (http://hl7.org/fhir/ValueSet/issue-type),
    `acknowledgement` the HL7 v2 acknowledgement code (table 0008), `condition` the code of HL7 table 0357, `challenge` the answer's
    WWW-Authenticate header ("" for none), `wait` after how many seconds to ask again (0: the same would be refused then, too).
    """

    status: ClassVar[int] = 500
    issue: ClassVar[str] = "exception"
    acknowledgement: ClassVar[str] = "AE"
    exit_code: ClassVar[int] = 1
    default_condition: ClassVar[str] = "207"
    default_challenge: ClassVar[str] = ""
    default_wait: ClassVar[int] = 0

    def __init__(self, message: str, *, location: str = "", advice: str = "", condition: str = "", challenge: str = "", wait: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.advice = advice
        self.condition = condition or self.default_condition
        self.challenge = challenge or self.default_challenge
        self.wait = wait or self.default_wait

    def __str__(self) -> str:
        where = f" (at {self.location})" if self.location else ""
        todo = f" {self.advice}" if self.advice else ""
        return f"{self.message}{where}.{todo}" if not self.message.endswith(".") else f"{self.message}{where}{todo}"


class Malformed(GatewayError):
    """The bytes are not what they claim to be: not HL7, not JSON, not FHIR."""

    status, issue, acknowledgement, default_condition = 400, "structure", "AR", "100"


class Unsupported(GatewayError):
    """Well formed, but a message type, event, version or resource type that is not taken."""

    status, issue, acknowledgement, default_condition = 422, "not-supported", "AR", "200"


class Invalid(GatewayError):
    """Understood, and breaks a rule of the standard or of the gateway."""

    status, issue, acknowledgement, default_condition = 422, "invalid", "AE", "103"


class Unauthorized(GatewayError):
    """No access token, or one that does not hold."""

    status, issue, acknowledgement = 401, "login", "AR"
    default_challenge: ClassVar[str] = 'Bearer realm="gateway"'


class Forbidden(GatewayError):
    """The access token does not reach this far."""

    status, issue, acknowledgement = 403, "forbidden", "AR"


class NotFound(GatewayError):
    """It does not exist for this caller."""

    status, issue, acknowledgement, default_condition = 404, "not-found", "AE", "204"


class Gone(GatewayError):
    """It existed for this caller and was deleted."""

    status, issue, acknowledgement, default_condition = 410, "deleted", "AE", "204"


class Conflict(GatewayError):
    """Somebody else was first: the version named by If-Match is not the current one."""

    status, issue, acknowledgement = 412, "conflict", "AE"


class NotAcceptable(GatewayError):
    """An answer in the form asked for is not to be had."""

    status, issue, acknowledgement = 406, "not-supported", "AR"


class TooLarge(GatewayError):
    """Beyond a stated limit of size or depth."""

    status, issue, acknowledgement = 413, "too-long", "AR"


class TooMany(GatewayError):
    """Beyond a stated rate."""

    status, issue, acknowledgement, default_wait = 429, "throttled", "AR", 1


class Unavailable(GatewayError):
    """The store cannot commit now. Nothing was taken; send again later."""

    status, issue, acknowledgement, default_wait = 503, "transient", "AR", 1


class Usage(GatewayError):
    """A command or the configuration is wrong."""

    exit_code: ClassVar[int] = 2
