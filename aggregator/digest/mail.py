"""EDGE: brings digests to people by mail (SMTP): plain text and HTML, one mail for each address.

The Message-ID is made of the delivery's key: a mail that is sent again, because the program was killed before it could note the
first one, is the same mail to every mailbox that drops duplicates.
"""

from __future__ import annotations

import platform
import smtplib
import ssl
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from zoneinfo import ZoneInfo

from aggregator.digest.mail_body import list_id, references
from aggregator.digest.period import TICK
from aggregator.errors import DeliveryError
from aggregator.model import Delivery
from aggregator.text import one_line

USUAL_PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True)
class MailServer:
    """Where mail leaves by. `password` is asked for at each delivery, so that a new one counts at once; None: no login."""

    host: str
    sender: str
    security: str = "starttls"
    port: int = 0
    user: str = ""
    password: Callable[[], str] | None = None
    timeout_seconds: float = 30.0
    tls: ssl.SSLContext | None = None
    """How servers are trusted (None: by the machine's certificates)."""


@dataclass(frozen=True)
class MailCourier:
    """Implements ports.Courier for one address."""

    server: MailServer
    address: str

    @property
    def formats(self) -> tuple[str, ...]:
        return ("plain", "mail")

    def place(self, delivery: Delivery, taken: Collection[str]) -> str:
        return self.address

    def deliver(self, delivery: Delivery) -> None:
        """Raises DeliveryError with what the server said; the password is never in it."""
        message = to_message(delivery, self.server.sender, delivery.place)
        password = self.server.password() if self.server.user and self.server.password else ""
        try:
            self._send(message, password)
        except smtplib.SMTPRecipientsRefused as error:
            answers = "; ".join(_said(code, text) for code, text in error.recipients.values())
            raise self._failure(f"refused the address {delivery.place} ({answers})", password) from None
        except smtplib.SMTPResponseException as error:
            raise self._failure(f"refused the mail ({_said(error.smtp_code, error.smtp_error)})", password) from None
        except (smtplib.SMTPException, ssl.SSLError) as error:
            raise self._failure(f"did not take the mail ({error})", password) from None
        except OSError as error:
            raise self._failure(f"cannot be reached ({error.strerror or error})", password) from None

    def _failure(self, what: str, password: str) -> DeliveryError:
        said = one_line(what)
        return DeliveryError(f"the mail server {self.server.host} {said.replace(password, '***') if password else said}")

    def _send(self, message: EmailMessage, password: str) -> None:
        server = self.server
        context = server.tls or ssl.create_default_context()
        # the machine's name as it is: looking up its full name can take minutes without a network
        port, me, patience = server.port or USUAL_PORTS[server.security], platform.node() or "localhost", server.timeout_seconds
        if server.security == "tls":
            client: smtplib.SMTP = smtplib.SMTP_SSL(server.host, port, local_hostname=me, timeout=patience, context=context)
        else:
            client = smtplib.SMTP(server.host, port, local_hostname=me, timeout=patience)
        try:
            if server.security == "starttls":
                client.starttls(context=context)
            if server.user:
                client.login(server.user, password)
            client.send_message(message)
            # the server has taken it: what happens from here on is no failure
            with suppress(smtplib.SMTPException, OSError):
                client.quit()
        finally:
            client.close()


def to_message(delivery: Delivery, sender: str, address: str) -> EmailMessage:
    """The mail: plain text first, HTML as the better alternative (RFC 2046 section 5.1.4)."""
    ends = (delivery.period.to_at - TICK).astimezone(ZoneInfo(delivery.period.zone))
    message = EmailMessage()
    message["Subject"] = f"News, {delivery.name}: {ends:%A} {ends.day} {ends:%B %Y}"
    message["From"] = sender
    message["To"] = address
    message["Date"] = format_datetime(delivery.period.to_at)
    message["Message-ID"] = f"<{delivery.key}@{parseaddr(sender)[1].rpartition('@')[2]}>"
    host = parseaddr(sender)[1].rpartition("@")[2]
    message["References"] = " ".join(references(delivery.name, delivery.period, host))  # so that the days thread
    message["List-Id"] = list_id(delivery.name, host)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's absence note shall answer it
    message.set_content(delivery.parts.get("plain", ""))
    if html := delivery.parts.get("mail") or delivery.parts.get("html"):  # a page, in what waited since an older version
        message.add_alternative(html, subtype="html")
    return message


def _said(code: int, text: bytes | str) -> str:
    words = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return f"{code} {words}"
