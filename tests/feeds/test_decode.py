"""Content-Encoding, undone in bounded pieces."""

from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aggregator.feeds.decode import PIECE_BYTES, DecodeError, make_decoder

PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: bytes(brotli.compress(data, quality=3)),
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("coding", PACK)
@given(body=st.binary(max_size=300), step=st.integers(1, 50))
def test_what_was_packed_comes_out_however_it_is_cut(coding: str, body: bytes, step: int) -> None:
    packed, decoder = PACK[coding](body), make_decoder(coding)
    out = b"".join(piece for at in range(0, len(packed), step) for piece in decoder.decode(packed[at : at + step]))
    assert out == body
    assert decoder.complete


@pytest.mark.parametrize("coding", PACK)
def test_no_piece_of_a_bomb_is_large_and_it_may_be_left_at_any_moment(coding: str) -> None:
    pieces = make_decoder(coding).decode(PACK[coding](bytes(32 << 20)))
    sizes = [len(next(pieces)) for _ in range(3)]
    assert max(sizes) <= (2 << 20 if coding == "zstd" else 2 * PIECE_BYTES)


@pytest.mark.parametrize("coding", PACK)
def test_a_missing_end_is_noticed(coding: str) -> None:
    decoder = make_decoder(coding)
    packed = PACK[coding](b"some words that are worth packing, some words" * 9)
    list(decoder.decode(packed[:-5]))
    assert not decoder.complete
    assert make_decoder(coding).complete, "nothing at all is an empty body"


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@given(junk=st.binary(min_size=1, max_size=200))
def test_junk_never_raises_anything_but_a_decode_error(coding: str, junk: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert sum(map(len, make_decoder(coding).decode(junk))) < 4 << 20


@pytest.mark.parametrize("coding", ["rot13", "compress", "gzip, gzip, gzip, gzip"])
def test_codings_that_nobody_asked_for_are_refused(coding: str) -> None:
    with pytest.raises(DecodeError):
        make_decoder(coding)
