"""SECURITY.md tells the truth, and the promises that no other test holds."""

from __future__ import annotations

import ast
import re
import shutil
import ssl
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator.archive import export_items, import_items
from aggregator.digest.mail import MailCourier, MailServer, to_message
from aggregator.errors import DeliveryError
from aggregator.model import Delivery, Feed, Period, Polled
from aggregator.store.opening import open_store
from tests.shared import ROOT
from tests.smtp_sink import SmtpSink
from tests.store.make import NOW, item

NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_promise_names_a_test_that_exists(file: str, name: str) -> None:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_every_line_of_the_threat_model_names_its_test() -> None:
    lines = [line for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines() if re.match(r"\| (?!promise)", line)]
    assert len(lines) == len(NAMED) > 40


STORE = sorted((ROOT / "aggregator" / "store").rglob("*.py"))


@pytest.mark.parametrize("path", STORE, ids=lambda path: path.stem)
def test_sql_is_never_put_together_from_values(path: Path) -> None:
    """What is given to a database as text is a constant, or a name that holds one: no f-string, no + and no format."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in ("text", "exec_driver_sql", "execute", "DDL"):
            for argument in node.args[:1]:
                built = isinstance(argument, ast.JoinedStr | ast.BinOp) or ".format(" in ast.unparse(argument)
                assert not built, f"{path.name}, line {node.lineno}: {ast.unparse(node)}"


def test_templates_escape_by_themselves() -> None:
    for path in sorted((ROOT / "aggregator").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "Environment":
                settings = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
                assert settings.get("autoescape", "False") != "False", f"{path.name}, line {node.lineno}"
    for template in (ROOT / "aggregator").rglob("*.jinja"):
        assert not re.search(r"\|\s*safe\b|autoescape false", template.read_text(encoding="utf-8")), template


def test_the_database_and_its_copies_are_for_their_owner_alone(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "new" / "store.db"), now=NOW) as store:
        store.feeds.sync([Feed("a", "https://a.example/")], NOW)
        store.maintenance.backup(tmp_path / "new" / "copy.db")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert {"store.db", "store.db-wal", "copy.db"} <= set(modes)


def test_an_export_holds_no_credentials(tmp_path: Path) -> None:
    with open_store(str(tmp_path / "store.db"), now=NOW) as store:
        store.feeds.sync([Feed("a", "https://me:s3cret@a.example/feed", auth="env:NOWHERE")], NOW)
        store.items.ingest([Polled(store.feeds.state("a"), "A", (item("k"),))], NOW)
        lines = list(export_items(store))
        import_items(lines, store=store, now=NOW)
        assert set(store.feeds.states()) == {"a"}, "it is still that feed"
    assert len(lines) == 1
    assert "s3cret" not in lines[0]
    assert "https://a.example/feed" in lines[0]


def delivery(name: str, text: str) -> Delivery:
    day = datetime(2023, 12, 27, tzinfo=UTC)
    return Delivery("k3y", name, "mail:a@b.example", Period(day, day), {"plain": text, "html": f"<p>{text}</p>"}, place="a@b.example")


def test_nothing_of_a_digest_becomes_a_mail_header() -> None:
    evil = "Bcc: all@b.example\r\nSubject: forged\r\n\r\n.\r\n"
    mail = to_message(delivery("morning", evil), "News <n@home.example>", "a@b.example")
    assert set(mail.keys()) == {
        *("Subject", "From", "To", "Date", "Message-ID", "References", "List-Id"),
        *("Auto-Submitted", "MIME-Version", "Content-Type"),
    }
    with SmtpSink() as sink:
        MailCourier(MailServer("127.0.0.1", "n@home.example", "none", sink.port), "a@b.example").deliver(delivery("morning", evil))
    assert len(sink.mails) == 1
    assert sink.mails[0]["Bcc"] is None
    body = sink.mails[0].get_body(("plain",))
    assert body is not None
    assert "Bcc: all@b.example" in body.get_content()


def test_a_mail_server_is_trusted_by_its_certificate_alone(tmp_path: Path) -> None:
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "cert")]
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=mail.example -days 2 -addext subjectAltName=DNS:localhost"
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    made = subprocess.run([*command.split(), *files], capture_output=True)
    assert made.returncode == 0, made.stderr
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "cert", tmp_path / "key")
    ours = ssl.create_default_context(cafile=str(tmp_path / "cert"))
    with SmtpSink(tls=server) as sink:
        for security in ("starttls", "tls"):
            sink.implicit = security == "tls"
            with pytest.raises(DeliveryError, match="certificate verify failed"):
                MailCourier(MailServer("localhost", "n@home.example", security, sink.port), "a@b.example").deliver(delivery("x", "y"))
            trusted = MailServer("localhost", "n@home.example", security, sink.port, tls=ours)
            MailCourier(trusted, "a@b.example").deliver(delivery("x", security))
        assert len(sink.mails) == 2
        sink.plain_only, sink.implicit = True, False
        with pytest.raises(DeliveryError):  # a server that offers no STARTTLS gets nothing
            MailCourier(MailServer("localhost", "n@home.example", "starttls", sink.port, tls=ours), "a@b.example").deliver(
                delivery("x", "y")
            )
    assert len(sink.mails) == 2
