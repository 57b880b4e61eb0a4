"""EDGE: looks at everything the program needs and says what to do about what is wrong.

    settings | feed list | database | disk | clock | secrets | mail server and webhook | network | broker and workers | daemon | feeds

Each check is one function that gives one Finding; none changes anything but the database's schema, which every opening upgrades.
"""

from __future__ import annotations

import shutil
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from aggregator.errors import AggregatorError
from aggregator.times import iso, spell_delay

if TYPE_CHECKING:
    from aggregator.app import App

State = Literal["ok", "warning", "fault"]
_PATIENCE_SECONDS = 5.0
_CLOCK_TOLERANCE = timedelta(minutes=2)
_OVERDUE_SECONDS = 2 * 3600.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `cure` is what to do about it."""

    check: str
    state: State
    says: str
    cure: str = ""


class Doctor:
    """Checks one installation. `environ` is where secrets may be; without `network` nothing leaves this machine."""

    def __init__(self, app: App, environ: Mapping[str, str], *, network: bool = True) -> None:
        self.app, self.environ, self.network = app, environ, network

    def examine(self) -> Iterator[Finding]:
        """All findings, one by one. What a check cannot do is a finding, too."""
        checks: list[Callable[[], Finding]] = [self.settings, self.feed_list, self.database, self.disk, self.clock, self.secrets]
        if self.network:
            checks += [self.targets, self.names, self.time_of_others]
        if self.app.settings.broker:
            checks.append(self.broker)
        for check in [*checks, self.daemon, self.feeds, self.deliveries]:
            name = check.__name__.replace("_", " ")
            try:
                yield check()
            except AggregatorError as error:
                yield Finding(name, "fault", str(error))
            except OSError as error:
                yield Finding(name, "fault", f"{error.strerror or error}", "check that this user may read and write there")

    # --- this machine ---------------------------------------------------------------------------------------------------

    def settings(self) -> Finding:
        return Finding("settings", "ok", f"{self.app.location.path or 'the defaults'} ({self.app.location.reason})")

    def feed_list(self) -> Finding:
        feeds, path = self.app.subscribed(), self.app.location.feeds_path
        if not feeds:
            return Finding("feed list", "warning", f"{path} names no feed", "`aggregator feeds add URL` subscribes to one")
        return Finding("feed list", "ok", f"{len(feeds)} feeds in {path}")

    def database(self) -> Finding:
        problems = self.app.store.maintenance.check()
        if problems:
            return Finding("database", "fault", " ".join(problems), "`aggregator db check --repair` mends what can be mended")
        with_mode = _mode(self.app.store.path)
        if with_mode is not None and with_mode & stat.S_IWOTH:
            return Finding("database", "warning", f"{self.app.store.name} may be written by everybody", f"chmod 600 {self.app.store.name}")
        return Finding("database", "ok", f"{self.app.store.name} is sound")

    def disk(self) -> Finding:
        path, store = self.app.store.path, self.app.store
        if path is None and store.in_memory:
            return Finding("disk", "ok", "the database is in memory")
        if path is None:
            says = f"{store.name} has {store.maintenance.sizes()[2] / 1e9:.2f} GB; the space there is its server's to watch"
            return Finding("disk", "ok", says)
        free, size = shutil.disk_usage(path.parent).free, path.stat().st_size
        says = f"{free / 1e9:.1f} GB free beside {path}, which has {size / 1e9:.2f} GB"
        if free < max(2 * size, 200_000_000):  # an upgrade copies the database, a vacuum writes it anew
            return Finding("disk", "warning", says, "free some space, or let retention.items or retention.size keep less")
        return Finding("disk", "ok", says)

    def clock(self) -> Finding:
        now, newest = self.app.clock(), self.app.store.maintenance.newest_arrival()
        if newest is not None and newest > now + _CLOCK_TOLERANCE:
            says = f"it is {iso(now.replace(microsecond=0))}, but an item arrived at {iso(newest.replace(microsecond=0))}"
            return Finding("clock", "fault", says, "set the machine's clock; `timedatectl` says whether it is synchronised")
        return Finding("clock", "ok", f"{iso(now.replace(microsecond=0))}, zone {self.app.zone}")

    def secrets(self) -> Finding:
        """Those of the feeds and of the targets: there, and readable by this user alone. Nothing of them is shown."""
        references = {feed.auth: f"auth of feed {feed.name}" for feed in self.app.subscribed() if feed.auth}
        settings = self.app.settings
        references |= {
            ref: key for key, ref in (("mail.password", settings.mail.password), ("webhook.secret", settings.webhook.secret)) if ref
        }
        for reference, key in references.items():
            source, _, name = reference.partition(":")
            if source == "env" and not self.environ.get(name, "").strip():
                return Finding("secrets", "fault", f"the environment variable {name}, named by {key}, is not set", "set it to the secret")
            if source == "file":
                path = self.app.location.feeds_path.parent / Path(name).expanduser()
                mode = _mode(path)
                if mode is None:
                    return Finding("secrets", "fault", f"the file {path}, named by {key}, is not there", "write the secret into it")
                if mode & (stat.S_IRWXG | stat.S_IRWXO):
                    return Finding("secrets", "fault", f"the file {path}, named by {key}, may be read by others", f"chmod 600 {path}")
        return Finding("secrets", "ok", f"{len(references)} in use" if references else "none in use")

    # --- the network ------------------------------------------------------------------------------------------------------

    def targets(self) -> Finding:
        """Whether the mail server and the webhooks answer at all; nothing is sent."""
        settings, wanted = self.app.settings, {target for plan in self.app.plans() for target in plan.targets}
        places = []
        if any(target.startswith("mail:") for target in wanted):
            from aggregator.digest.mail import USUAL_PORTS

            places.append((settings.mail.host, settings.mail.port or USUAL_PORTS[settings.mail.security]))
        if "webhook" in wanted:
            urls = {each.webhook or settings.webhook.url for each in settings.all_digests() if "webhook" in each.targets}
            places += [(split.hostname or "", split.port or {"http": 80}.get(split.scheme, 443)) for split in map(urlsplit, sorted(urls))]
        for host, port in places:
            try:
                socket.create_connection((host, port), _PATIENCE_SECONDS).close()
            except OSError as error:
                says = f"{host} port {port} cannot be reached ({error.strerror or error})"
                return Finding("targets", "fault", says, "correct its address in the settings, or wait: what is undelivered is tried again")
        return Finding("targets", "ok", ", ".join(f"{host}:{port} answers" for host, port in places) or "digests go to a folder")

    def names(self) -> Finding:
        """Whether host names are resolved, by the first feeds' hosts."""
        hosts = list(dict.fromkeys(urlsplit(feed.url).hostname or "" for feed in self.app.subscribed() if feed.enabled))[:3]
        failed = [host for host in hosts if not _resolves(host)]
        if hosts and len(failed) == len(hosts):
            return Finding("names", "fault", f"no name is resolved, not even {hosts[0]}", "check the network and the name server")
        return Finding("names", "ok", f"{len(hosts) - len(failed)} of {len(hosts)} feed hosts are resolved")

    def time_of_others(self) -> Finding:
        """The clock against the Date of one feed's server. One request, and none when the program's clock is set by --now."""
        feed = next((feed for feed in self.app.subscribed() if feed.enabled), None)
        here = datetime.now(UTC)
        if feed is None or abs(self.app.clock() - here) > _CLOCK_TOLERANCE:
            return Finding("time of others", "ok", "not asked")
        theirs = _date_of(feed.url)
        if theirs is None:
            return Finding("time of others", "warning", f"{urlsplit(feed.url).hostname} tells no time", "check the network")
        if abs(theirs - here) > _CLOCK_TOLERANCE:
            says = f"{urlsplit(feed.url).hostname} says {iso(theirs)}, this machine {iso(here.replace(microsecond=0))}"
            return Finding("time of others", "fault", says, "set the machine's clock; `timedatectl` says whether it is synchronised")
        return Finding("time of others", "ok", f"{urlsplit(feed.url).hostname} agrees to {abs((theirs - here).total_seconds()):.0f} s")

    def broker(self) -> Finding:
        """Whether it answers, whether somebody works, and whether tasks were given up."""
        team = self.app.team.status()
        if team.error:
            return Finding("broker", "fault", team.error, "start it, or correct the setting broker; nothing is lost meanwhile")
        if not team.alive:
            return Finding("broker", "fault", f"{team.broker} answers, but no worker was heard of lately", "`aggregator worker` starts one")
        if dead := sum(queue.dead for queue in team.queues):
            says = f"{dead} tasks were given up after many tries"
            return Finding("broker", "warning", says, "the workers' logs say why; what was not done is sent again by itself")
        return Finding("broker", "ok", f"{team.broker} answers, {team.alive} workers")

    # --- how it runs --------------------------------------------------------------------------------------------------------

    def daemon(self) -> Finding:
        process = self.app.locks.daemon_process()
        if process is None:
            return Finding("daemon", "warning", "it does not run", "`aggregator run` starts it; docs/aggregator.service is a systemd unit")
        return Finding("daemon", "ok", f"it runs as process {process}")

    def feeds(self) -> Finding:
        status = self.app.upkeep.status()
        if status.failing:
            names = ", ".join(each.name for each in status.failing[:5]) + (" …" if len(status.failing) > 5 else "")
            return Finding(
                "feeds", "warning", f"{len(status.failing)} of {status.enabled} fail: {names}", "`aggregator feeds status` says why"
            )
        if status.daemon_process is not None and status.lag_seconds > _OVERDUE_SECONDS:
            says = f"a feed is overdue by {spell_delay(status.lag_seconds)} although the daemon runs"
            return Finding("feeds", "fault", says, "look at the daemon's log; start it anew")
        return Finding("feeds", "ok", f"none of {status.enabled} fails")

    def deliveries(self) -> Finding:
        waiting = [each for each in self.app.store.digests.waiting() if each.error]
        if waiting:
            says = (
                f"{len(waiting)} digests could not be delivered; the oldest, {waiting[0].name} to {waiting[0].target}: {waiting[0].error}"
            )
            return Finding("deliveries", "fault", says, "mend that; the daemon tries again by itself")
        return Finding("deliveries", "ok", "nothing waits")


def _mode(path: Path | None) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode) if path is not None else None
    except OSError:
        return None


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM))
    except OSError:
        return False


def _date_of(url: str) -> datetime | None:
    """The Date header of the host's front page (RFC 9110 section 6.6.1)."""
    import httpx2

    split = urlsplit(url)
    try:
        answer = httpx2.head(f"{split.scheme}://{split.netloc.rpartition('@')[2]}/", timeout=_PATIENCE_SECONDS, follow_redirects=False)
        return parsedate_to_datetime(answer.headers["date"]).astimezone(UTC)
    except (httpx2.HTTPError, httpx2.InvalidURL, KeyError, ValueError, TypeError):
        return None
