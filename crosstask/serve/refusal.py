"""Why a request is not answered: one line and a status."""

from __future__ import annotations


class Refusal(Exception):
    """A request that is not answered.

    Args:
        status: of HTTP: 4xx where the request is at fault, 503 where it may be sent again, 500 otherwise.
        code: a word for programs.
        message: one line for people: what is wrong, the value found, the remedy.
        retry_after: seconds after which to try again.
    """

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    @property
    def json(self) -> dict[str, dict[str, str]]:
        """The body of the answer."""
        return {"error": {"code": self.code, "message": self.message}}

    @property
    def headers(self) -> dict[str, str]:
        """Those beside the usual ones."""
        return {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}


def left() -> Refusal:
    """400: whoever asked did not wait for the end; nobody reads this but a log."""
    return Refusal(400, "gone", "the client left before the end: send it again")


def busy(message: str, retry_after: int = 1) -> Refusal:
    """503: nothing is wrong with the request, and it may be sent again."""
    return Refusal(503, "busy", message, retry_after)
