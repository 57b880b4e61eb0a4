"""EDGE: brings digests to an address by POST, as JSON, signed, with a key that is the same at every attempt.

Headers: Idempotency-Key, and those of the Standard Webhooks specification (webhook-id, webhook-timestamp, webhook-signature:
"v1," and the base64 of HMAC-SHA256 over "id.timestamp.body").
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

from aggregator.errors import DeliveryError
from aggregator.model import Delivery


@dataclass(frozen=True)
class WebhookCourier:
    """Implements ports.Courier. `secret` is asked for at each delivery; None: the body is not signed."""

    url: str
    now: Callable[[], datetime]
    secret: Callable[[], str] | None = None
    timeout_seconds: float = 30.0
    user_agent: str = "aggregator"

    @property
    def formats(self) -> tuple[str, ...]:
        return ("json",)

    def place(self, delivery: Delivery, taken: Collection[str]) -> str:
        return "webhook"

    def deliver(self, delivery: Delivery) -> None:
        """Raises DeliveryError unless the answer is 2xx. Redirects are not followed: the signed body is for one address."""
        import httpx2

        body = delivery.parts.get("json", "").encode()
        try:
            answer = httpx2.post(
                self.url, content=body, headers=self.headers(delivery.key, body), timeout=self.timeout_seconds, follow_redirects=False
            )
        except httpx2.HTTPError as error:
            raise DeliveryError(f"the webhook at {_host(self.url)} cannot be reached ({type(error).__name__})") from None
        except httpx2.InvalidURL:
            raise DeliveryError(f"the webhook at {_host(self.url)} has no usable address; correct webhook.url") from None
        if not answer.is_success:
            raise DeliveryError(f"the webhook at {_host(self.url)} answered {answer.status_code}")

    def headers(self, key: str, body: bytes) -> dict[str, str]:
        """The headers for a body that is sent now."""
        timestamp = str(int(self.now().timestamp()))
        found = {
            "Content-Type": "application/json",
            "User-Agent": self.user_agent,
            "Idempotency-Key": key,
            "webhook-id": key,
            "webhook-timestamp": timestamp,
        }
        if self.secret is not None:
            found["webhook-signature"] = sign(self.secret(), key, timestamp, body)
        return found


def sign(secret: str, key: str, timestamp: str, body: bytes) -> str:
    """The value of webhook-signature. A secret that begins with whsec_ is base64, any other is taken as it is."""
    raw = secret.encode()
    if secret.startswith("whsec_"):
        try:
            raw = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            raise DeliveryError("the webhook's secret begins with whsec_ but is no base64 after that; correct it") from None
    signed = hmac.new(raw, f"{key}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def _host(url: str) -> str:
    """The address without path and query, which may hold a token."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/')[0].rpartition('@')[2]}"
