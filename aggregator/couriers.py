"""EDGE: what the settings say of a digest as a plan, its couriers, and the secrets that these need."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from aggregator import __version__
from aggregator.errors import DeliveryError
from aggregator.model import DigestPlan

if TYPE_CHECKING:
    from aggregator.ports import Courier
    from aggregator.settings import DigestSettings, Settings


def make_plan(settings: Settings, digest: DigestSettings, zone: str) -> DigestPlan:
    """The digest's plan; a mail for each address is a target of its own, so that one that is refused holds up no other."""
    addresses = digest.to or settings.mail.to
    targets = [target for kind in digest.targets for target in ([f"mail:{address}" for address in addresses] if kind == "mail" else [kind])]
    return DigestPlan(
        name=digest.name,
        time=digest.time,
        weekdays=digest.weekdays,
        zone=digest.zone or zone,
        format=digest.format,
        since_seconds=digest.since,
        targets=tuple(dict.fromkeys(targets)),
    )


def make_courier(
    settings: Settings, digest: DigestSettings, target: str, read_secret: Callable[[str, str], str], now: Callable[[], datetime]
) -> Courier:
    """The courier for one of the plan's targets. `read_secret(reference, key)` gives what a setting refers to."""
    kind, _, address = target.partition(":")
    if kind == "mail":
        from aggregator.digest.mail import MailCourier, MailServer

        mail = settings.mail
        password = (lambda: read_secret(mail.password, "mail.password")) if mail.password else None
        server = MailServer(mail.host, mail.sender, mail.security, mail.port, mail.user, password, mail.timeout)
        return MailCourier(server, address)
    if kind == "webhook":
        from aggregator.digest.webhook import WebhookCourier

        hook = settings.webhook
        secret = (lambda: read_secret(hook.secret, "webhook.secret")) if hook.secret else None
        return WebhookCourier(digest.webhook or hook.url, now, secret, hook.timeout, f"aggregator/{__version__}")
    from aggregator.digest.deliver import FolderCourier
    from aggregator.textfile import replace_text

    return FolderCourier(Path(digest.folder), replace_text)


def make_secrets(environ: Mapping[str, str], folder: Path) -> Callable[[str, str], str]:
    """Reads "env:NAME" and "file:PATH" (relative to `folder`). Raises DeliveryError with a sentence without the secret."""

    def read(reference: str, key: str) -> str:
        source, _, name = reference.partition(":")
        if source == "env":
            found = environ.get(name, "").strip()
            if not found:
                raise DeliveryError(f"the environment variable {name}, named by {key}, is not set; set it to the secret")
            return found
        path = folder / Path(name).expanduser()
        try:
            exposed = path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
            found = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise DeliveryError(f"the file {path}, named by {key}, cannot be read ({getattr(error, 'strerror', error)})") from None
        if exposed:
            raise DeliveryError(f"the file {path}, named by {key}, may be read by others; run `chmod 600 {path}`")
        if not found:
            raise DeliveryError(f"the file {path}, named by {key}, is empty; write the secret into it")
        return found

    return read
