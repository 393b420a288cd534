"""One request over HTTP, and what can go wrong with it."""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

LARGEST = 16_000_000
"""Bytes of a response that are read."""


class Unreachable(Exception):
    """There was no response, or not a whole one."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def content(self) -> Any:
        """The body as JSON, or None."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def retry_after(self) -> float | None:
        """Seconds to wait, where the response says."""
        told = self.headers.get("Retry-After", "").strip()
        if told.isdecimal():
            return float(told)
        try:
            until = parsedate_to_datetime(told)
        except (ValueError, OverflowError):
            return None
        until = until if until.tzinfo else until.replace(tzinfo=timezone.utc)
        return max(0.0, (until - datetime.now(timezone.utc)).total_seconds())


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the key to another host, and leave the question behind."""

    def redirect_request(self, *args: Any, **options: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirects)


def post(url: str, body: Any, headers: Mapping[str, str], timeout: float) -> Response:
    """Send JSON; raises `Unreachable` if no response comes within `timeout` seconds of silence."""
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
    )
    try:
        try:
            with _OPENER.open(request, timeout=timeout) as reply:
                return _read(reply.status, reply)
        except urllib.error.HTTPError as error:
            with error:
                return _read(error.code, error)
    except urllib.error.URLError as error:
        raise Unreachable(str(error.reason)) from error
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(str(error) or type(error).__name__) from error


def _read(status: int, reply: Any) -> Response:
    body = reply.read(LARGEST)
    claimed = reply.headers.get("Content-Length", "")
    if claimed.isdecimal() and len(body) < min(LARGEST, int(claimed)):
        raise http.client.IncompleteRead(body)
    return Response(status, reply.headers, body)
