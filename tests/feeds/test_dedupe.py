"""By what the items of a feed are told apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from aggregator.feeds.dedupe import identify
from aggregator.model import Item, Media

NOW = datetime(2023, 12, 27, tzinfo=UTC)


def item(guid: str | None = None, link: str | None = None, title: str = "Title", text: str = "") -> Item:
    canonical = f"https://e.org/{link}" if link else None
    key = f"g:{guid}" if guid else f"l:{canonical}" if canonical else f"h:{title}"
    return Item(key, title, canonical, canonical, text, NOW, content_hash=f"{title}|{text}|{link}")


def test_guids_are_trusted_first_and_links_stand_in_for_missing_ones() -> None:
    identity, found = identify([item("1", "a"), item(None, "b"), item(None, None, "C")], "guid", {})
    assert identity == "guid"
    assert [each.key[:6] for each in found] == ["g:1", "l:http", found[2].key[:6]]
    assert found[2].key.startswith("h:")


def test_exact_repetitions_are_dropped_whatever_their_guids() -> None:
    identity, found = identify([item("1", "a"), item("2", "a"), item("1", "a")], "guid", {})
    assert identity == "guid"
    assert [each.key for each in found] == ["g:1"]
    assert found[0].canonical_link == "https://e.org/a"


def test_episodes_that_differ_in_their_file_alone_are_different() -> None:
    same = item(None, None, "Episode")
    episodes = [replace(same, media=(Media(f"https://e.org/{n}.mp3"),)) for n in range(2)]
    _, found = identify(episodes, "guid", {})
    assert len({each.key for each in found}) == 2


def test_two_versions_under_one_guid_and_link_are_one_piece() -> None:
    identity, found = identify([item("1", "a", "New title"), item("1", "a", "Old title")], "guid", {})
    assert identity == "guid"
    assert [(each.title, each.canonical_link) for each in found] == [("New title", "https://e.org/a")]


def test_a_guid_on_different_pieces_degrades_the_feed_to_links() -> None:
    identity, found = identify([item("0", "a", "A"), item("0", "b", "B"), item("0", "c", "C")], "guid", {})
    assert identity == "link"
    assert [each.key for each in found] == ["l:https://e.org/a", "l:https://e.org/b", "l:https://e.org/c"]


def test_a_guid_on_different_pieces_without_links_degrades_the_feed_to_hashes() -> None:
    identity, found = identify([item("0", None, "A"), item("0", None, "B")], "guid", {})
    assert identity == "hash"
    assert len({each.key for each in found}) == 2


def test_one_guid_and_title_under_two_addresses_is_one_piece() -> None:
    identity, found = identify([item("1", "a?pos=1", "A"), item("1", "a?pos=2", "A", "longer")], "guid", {})
    assert (identity, len(found)) == ("guid", 1)


def test_guids_that_change_with_every_poll_degrade_the_feed_to_links() -> None:
    known = {"https://e.org/a": "g:old1", "https://e.org/b": "g:old2"}
    document = [item("new1", "a", "A"), item("new2", "b", "B"), item("new3", "c", "C")]
    identity, found = identify(document, "guid", known)
    assert identity == "link"
    assert found[2].key == "l:https://e.org/c"


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"https://e.org/a": "g:1", "https://e.org/b": "g:other"},
        {"https://e.org/a": "g:other"},
        {"https://e.org/a": "l:https://e.org/a", "https://e.org/b": "l:https://e.org/b"},
    ],
)
def test_guids_stay_trusted_while_one_of_them_held(known: dict[str, str]) -> None:
    assert identify([item("1", "a", "A"), item("2", "b", "B")], "guid", known)[0] == "guid"


def test_a_link_that_several_pieces_share_cannot_merge_them() -> None:
    identity, found = identify([item("1", "home", "A"), item("2", "home", "B"), item("3", "c", "C")], "guid", {})
    assert identity == "guid"
    assert [each.canonical_link for each in found] == [None, None, "https://e.org/c"]
    assert [each.link for each in found] == ["https://e.org/home", "https://e.org/home", "https://e.org/c"]


def test_links_that_do_not_tell_pieces_apart_degrade_the_feed_to_hashes() -> None:
    identity, found = identify([item(None, "home", title) for title in "ABC"], "link", {})
    assert identity == "hash"
    assert len({each.key for each in found}) == 3
    assert all(each.key.startswith("h:") for each in found)


@pytest.mark.parametrize("identity", ["link", "hash"])
def test_what_proved_unreliable_is_not_trusted_again(identity: str) -> None:
    found_identity, found = identify([item("1", "a", "A"), item("2", "b", "B")], identity, {"https://e.org/a": "g:1"})
    assert found_identity == identity
    assert all(each.key.startswith(identity[0]) for each in found)


def test_the_same_document_gives_the_same_keys_once_its_links_are_known() -> None:
    document = [item("0", "a", "A"), item("0", "b", "B"), item("9", "c", "C"), item(None, None, "D")]
    identity, first = identify(document, "guid", {})
    known = {each.canonical_link: each.key for each in first if each.canonical_link}
    assert identify(document, identity, known) == (identity, first)
