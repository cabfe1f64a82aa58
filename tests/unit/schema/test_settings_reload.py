"""What a running pmond takes over of a changed configuration."""

from __future__ import annotations

from pmon3_schema.settings import parse
from pmon3_schema.settings_reload import live_part


def test_settings_that_are_read_at_start_keep_their_value_and_are_named() -> None:
    present, _ = parse(b"", "/c.yml", {})
    read, _ = parse(
        b"{log_level: warn, initialization_period: 9, data: {directory: /d},"
        b" flap_detection: {is_enabled: true}, message_queue: {directory: {shmem: /s}},"
        b" logs: {directory: /l, file_mode: 0600}}",
        "/c.yml",
        {},
    )
    live, waiting = live_part(present, read)
    assert waiting == (
        "initialization_period", "logs.file_mode", "data.directory", "message_queue.directory.shmem",
    )  # fmt: skip
    assert (live.log_level, live.flap_detection.is_enabled, live.logs.directory) == ("warn", True, "/l")
    assert (live.initialization_period, live.data, live.message_queue) == (
        30, present.data, present.message_queue,
    )  # fmt: skip


def test_what_is_inherited_is_named_where_it_counts() -> None:
    present, _ = parse(b"", "/c.yml", {})
    read, _ = parse(b"permissions: {user: ana}", "/c.yml", {})
    assert live_part(present, read)[1] == (
        "logs.user", "data.user", "data.file_mode", "message_queue.user",
    )  # fmt: skip


def test_nothing_changed_means_nothing_waits() -> None:
    present, _ = parse(b"log_level: warn", "/c.yml", {})
    assert live_part(present, present) == (present, ())
