"""Log lines: one a line, no control characters from feeds, and an id for each round."""

from __future__ import annotations

import json
import logging

import pytest

from aggregator.logs import JsonFormatter, TextFormatter, new_round


def record(message: str, *arguments: object) -> logging.LogRecord:
    return logging.LogRecord("aggregator.x", logging.WARNING, __file__, 1, message, arguments, None)


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_what_a_feed_says_cannot_forge_a_line_or_move_the_terminal(formatter: logging.Formatter) -> None:
    shown = formatter.format(record("polled %s", "x\n2026-01-01T00:00:00Z ERROR forged\x1b[2J\x9b31m\u202e"))
    assert "\n" not in shown
    assert not {"\x1b", "\x9b", "\u202e"} & set(shown)


def test_lines_of_one_round_carry_one_id_and_others_none() -> None:
    lines = []
    for _ in range(2):
        with new_round() as id_:
            lines.append((id_, json.loads(JsonFormatter().format(record("a")))["round"], TextFormatter().format(record("b"))))
    (one, told, text), (other, _, _) = lines
    assert one == told != other
    assert text.endswith(f"WARNING b [{one}]")
    assert "round" not in json.loads(JsonFormatter().format(record("c")))
