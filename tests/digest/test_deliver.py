"""A digest is written whole or not at all."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aggregator.digest.deliver import FolderCourier, dated_name, write_digest
from aggregator.digest.period import day_period
from aggregator.errors import DeliveryError
from aggregator.model import Delivery, Period
from aggregator.textfile import replace_text
from tests.digest.sample import PERIOD


def test_the_name_tells_the_local_day_on_which_the_period_ends() -> None:
    assert dated_name("daily", PERIOD, "markdown") == "digest-daily-2023-12-27.md"
    morning = Period(datetime(2023, 12, 27, 6, tzinfo=UTC), datetime(2023, 12, 28, 6, tzinfo=UTC), "Europe/Warsaw")
    assert dated_name("daily", morning, "html") == "digest-daily-2023-12-28.html"
    midnight = Period(datetime(2023, 12, 27, tzinfo=UTC), datetime(2023, 12, 28, tzinfo=UTC))
    assert dated_name("daily", midnight, "json") == "digest-daily-2023-12-27.json"
    assert (
        dated_name("week", day_period("2023-12-27", "Asia/Tokyo", datetime(2023, 12, 28, tzinfo=UTC)), "plain")
        == "digest-week-2023-12-27.txt"
    )


def test_a_name_cannot_leave_the_folder() -> None:
    assert dated_name("../../etc/x", PERIOD, "plain") == "digest-etc-x-2023-12-27.txt"
    assert dated_name("", PERIOD, "plain") == "digest-digest-2023-12-27.txt"


def delivery(text: str, place: str = "") -> Delivery:
    return Delivery("k", "daily", "folder", PERIOD, {"markdown": text}, place=place)


def test_a_second_digest_of_a_day_does_not_overwrite_the_first(tmp_path: Path) -> None:
    courier = FolderCourier(tmp_path / "made" / "for it", replace_text)
    paths: list[str] = []
    for n in range(3):
        paths.append(courier.place(delivery(f"{n}\n"), paths if n == 1 else ()))
        courier.deliver(delivery(f"{n}\n", paths[-1]))
    assert [Path(path).name for path in paths] == [f"digest-daily-2023-12-27{end}.md" for end in ("", "-2", "-3")]
    assert [Path(path).read_text() for path in paths] == ["0\n", "1\n", "2\n"]
    assert sorted(map(str, courier.folder.iterdir())) == sorted(paths), "nothing is left beside them"


def test_a_second_attempt_replaces_the_file_of_the_first(tmp_path: Path) -> None:
    courier = FolderCourier(tmp_path, replace_text)
    place = courier.place(delivery("x"), ())
    for _ in range(2):
        courier.deliver(delivery("x", place))
    assert [path.name for path in tmp_path.iterdir()] == ["digest-daily-2023-12-27.md"]


def test_a_place_that_another_delivery_waits_for_is_taken(tmp_path: Path) -> None:
    courier = FolderCourier(tmp_path, replace_text)
    first = courier.place(delivery("x"), ())
    assert courier.place(delivery("y"), {first}) != first


def test_a_folder_in_the_place_of_the_file_is_a_sentence_and_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "digest.md").mkdir()
    with pytest.raises(DeliveryError, match=r"digest\.md"):
        write_digest("x", tmp_path / "digest.md", replace_text)
    assert [path.name for path in tmp_path.iterdir()] == ["digest.md"]


def test_a_file_in_the_place_of_the_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(DeliveryError, match="folder"):
        write_digest("x", tmp_path / "folder" / "digest.md", replace_text)


def test_a_failed_write_leaves_the_old_digest(tmp_path: Path) -> None:
    path = tmp_path / "digest.md"
    path.write_text("old")

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(DeliveryError, match="No space left"):
        write_digest("new", path, full)
    assert path.read_text() == "old"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    heard: list[str] = []
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_digest("Grüße\n", pipe, replace_text)
    reader.join(5)
    assert heard == ["Grüße\n"]
    assert pipe.is_fifo()
