"""Plain requests and answers: read and written as h11 would, or left to h11."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.plainhttp import read_not_modified, request_head

USUAL = [
    (b"host", b"news.example:8080"),
    (b"accept", b"application/atom+xml, */*;q=0.5"),
    (b"user-agent", b"aggregator/1 (+https://ann.example/)"),
    (b"if-none-match", b'W/"\xfc a"'),
    (b"if-modified-since", b"Wed, 27 Dec 2023 12:00:00 GMT"),
]
NOT_MODIFIED = b'HTTP/1.1 304 Not Modified\r\nDate: Wed, 27 Dec 2023 12:00:00 GMT\r\nETag:"a"\r\nX-Empty: \r\n\r\n'


def by_h11(headers: list[tuple[bytes, bytes]], target: bytes = b"/feed?a=b") -> bytes | None:
    """What h11 makes of a request; None when it refuses to."""
    try:
        protocol = h11.Connection(h11.CLIENT)
        head = protocol.send(h11.Request(method="GET", target=target, headers=headers))
        return (head or b"") + (protocol.send(h11.EndOfMessage()) or b"")
    except h11.LocalProtocolError:
        return None


def test_a_usual_request_goes_over_the_wire_as_h11_writes_it() -> None:
    head = request_head(b"GET", b"/feed?a=b", USUAL)
    assert head is not None
    assert head == by_h11(USUAL)


@pytest.mark.parametrize(
    "more",
    [
        [(b"content-length", b"5")],
        [(b"connection", b"close")],
        [(b"x-key", b"one of a person's own making")],
        [(b"host", b"other.example")],
        [(b"user-agent", b"a\r\nconnection: close")],
        [(b"user-agent", b"a\r\naccept: b")],
        [(b"user-agent", b"a\nb")],
        [(b"user-agent", b" white space before")],
        [(b"user-agent", b"")],
        [(b"if-none-match", b'"\x00"')],
        [(b"User-Agent", b"a")],
    ],
    ids=lambda more: repr(more[0]),
)
def test_a_request_with_anything_unusual_is_left_to_h11(more: list[tuple[bytes, bytes]]) -> None:
    assert request_head(b"GET", b"/", [*USUAL[:2], *more]) is None


def test_a_request_that_is_no_get_of_a_host_is_left_to_h11() -> None:
    assert request_head(b"POST", b"/", USUAL) is None
    assert request_head(b"GET", b"/ HTTP/1.1\r\nhost: other", USUAL) is None
    assert request_head(b"GET", b"/a b", USUAL) is None
    assert request_head(b"GET", b"/", USUAL[1:]) is None
    assert request_head(b"GET", b"/", USUAL[::-1]) is None


def read_by_h11(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes]]] | None:
    """Reason and headers of the 304 that h11 reads, when the connection may be used again and nothing is left; else None."""
    protocol = h11.Connection(h11.CLIENT)
    protocol.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    protocol.send(h11.EndOfMessage())
    protocol.receive_data(data)
    try:
        answer, end = protocol.next_event(), protocol.next_event()
    except h11.RemoteProtocolError:
        return None
    if not isinstance(answer, h11.Response) or not isinstance(end, h11.EndOfMessage) or answer.status_code != 304:
        return None
    if protocol.their_state is not h11.DONE or protocol.trailing_data[0]:
        return None
    return bytes(answer.reason), answer.headers.raw_items()


def test_a_plain_304_is_read_as_by_h11() -> None:
    plain = read_not_modified(NOT_MODIFIED)
    assert plain == read_by_h11(NOT_MODIFIED)
    assert plain is not None
    assert plain.headers[1:] == [(b"ETag", b'"a"'), (b"X-Empty", b"")]
    assert read_not_modified(NOT_MODIFIED.replace(b"X-Empty: ", b"Connection: Keep-Alive")) is not None


@pytest.mark.parametrize(
    ("was", "is_"),
    [
        (b"304", b"200"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"X-Empty: ", b"Connection: close"),
        (b"X-Empty: ", b"Connection: keep-alive, close"),
        (b"X-Empty: ", b"Content-Length: 5"),
        (b"X-Empty: ", b"TRANSFER-ENCODING: chunked"),
        (b"X-Empty:", b" folded:"),
        (b"X-Empty:", b"X-Empty :"),
        (b"X-Empty: ", b"X-Empty: \x00"),
        (b"X-Empty: \r\n", b"X-Empty: \n"),
        (b"X-Empty: \r\n\r\n", b"X-Empty: \r\n"),
        (b"X-Empty: \r\n\r\n", b"X-Empty: \r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        (NOT_MODIFIED, b"HTTP/1.1 304 Not Modified\r\n\r\n"),
        (NOT_MODIFIED, b""),
    ],
)
def test_an_answer_with_anything_unusual_is_left_to_h11(was: bytes, is_: bytes) -> None:
    assert was in NOT_MODIFIED
    assert read_not_modified(NOT_MODIFIED.replace(was, is_)) is None


@given(st.integers(0, len(NOT_MODIFIED)), st.integers(0, 4), st.binary(max_size=4) | st.sampled_from([b"\r\n", b":", b"\t", b" ", b"\x80"]))
def test_whatever_becomes_of_an_answer_it_is_read_as_by_h11_or_not_at_all(at: int, taken: int, put: bytes) -> None:
    data = NOT_MODIFIED[:at] + put + NOT_MODIFIED[at + taken :]
    plain = read_not_modified(data)
    assert plain is None or plain == read_by_h11(data)


@given(st.sampled_from([name for name, _ in USUAL]), st.binary(max_size=12), st.binary(min_size=1, max_size=8))
def test_whatever_is_asked_is_written_as_by_h11_or_not_at_all(name: bytes, value: bytes, target: bytes) -> None:
    headers = [(each, value if each == name else usual) for each, usual in USUAL]
    head = request_head(b"GET", target, headers)
    assert head is None or head == by_h11(headers, target)
