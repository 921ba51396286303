"""What heads learned from lines name: codes, numbers of processes, levels beside names, padding."""

from __future__ import annotations

import random
import re

import pytest
from logexport.training.heads import learn_heads
from logexport.training.times import find_time

TEXTS = ("cache flushed", "disk is full", "peer 10.0.0.7 lost", "wrote 7 bytes", "reload done")
LEVELS = ("INFO", "WARN", "ERROR", "DEBUG", "INFO")


def _fields(head: str, probe: str) -> dict[str, str]:
    """The fields of a line by the head learned from lines whose parts are drawn."""
    numbers = random.Random(7)
    lines = []
    for place in range(200):
        message = numbers.randrange(len(TEXTS))
        parts = {
            "time": f"08:{place // 60:02}:{place % 60:02}",
            "level": LEVELS[message],
            "letter": LEVELS[message][0],
            "number": 300100 + message,
            "pid": 2210 + numbers.randrange(4),
        }
        lines.append(head.format_map(parts) + TEXTS[message])
    (header,) = learn_heads(lines)
    match = re.match(header.pattern, probe, re.ASCII)
    assert match is not None, header.pattern
    return {name: text for name, text in match.groupdict().items() if text is not None}


@pytest.mark.parametrize(
    ("head", "probe", "expected"),
    [
        ("Nov 14 2024 {time}: %ASA-6-{number}: ", "Jul  5 2025 21:47:31: %ASA-6-300103: x",
         {"code": "%ASA-6-300103", "message": "x"}),
        ("2024-11-14 {time} [MY-{number}] ", "2025-07-05 21:47:31 [MY-300103] x",
         {"code": "MY-300103", "message": "x"}),
        ("Nov 14 {time} 10.4.0.3 shopd[{pid}]: ", "Jul  5 21:47:31 10.4.0.9 shopd[918]: x",
         {"host": "10.4.0.9", "pid": "918", "message": "x"}),
        ("2024/11/14 {time} [{level}] {pid}#{pid}: ", "2025/07/05 21:47:31 [WARN] 918#919: x",
         {"level": "WARN", "pid": "918", "message": "x"}),
        ("11-14 {time}.123 {letter}/Shop( {pid}): ", "07-05 21:47:31.123 W/Shop(  918): x",
         {"level": "W", "pid": "918", "message": "x"}),
        ("[{time}] [Server thread/{level}]: ", "[21:47:31] [Server thread/WARN]: x",
         {"level": "WARN", "message": "x"}),
        ("2024-11-14 {time} T:{pid} {level} <gui>: ", "2025-07-05 21:47:31 T:7 WARN <gui>: x",
         {"level": "WARN", "message": "x"}),
        ("14 Nov {time} shopd[{pid}]: ", " 5 Jul 21:47:31 shopd[918]: x",
         {"pid": "918", "day": "5", "message": "x"}),
        ("14Nov2024 {time} shopd[{pid}]: ", "5Jul2025 21:47:31 shopd[918]: x",
         {"year": "2025", "month": "Jul", "message": "x"}),
        ("2024:11:14-{time} shop shopd[{pid}]: ", "2025:07:05-21:47:31 a shopd[918]: x",
         {"year": "2025", "month": "07", "hour": "21", "message": "x"}),
        ("{letter} ({pid}) shop: ", "W (918) shop: x", {"level": "W", "message": "x"}),
    ],
)  # fmt: skip
def test_a_head_names_its_fields(head: str, probe: str, expected: dict[str, str]) -> None:
    assert expected.items() <= _fields(head, probe).items()


def test_a_word_and_a_number_that_begin_all_messages_stay_in_them() -> None:
    assert _fields("2024-11-14 {time} Job {pid} ", "2025-07-05 21:47:31 Job 7 x")["message"] == (
        "Job 7 x"
    )


def test_brackets_that_hold_the_message_are_no_head() -> None:
    texts = [f"{text} by the next run" for text in TEXTS]
    lines = [f'<![LOG[{text}]LOG]!><time="08:12:0{n % 10}"' for n in range(9) for text in texts]
    for header in learn_heads(lines):
        match = re.match(header.pattern, lines[0], re.ASCII)
        assert match is None or texts[0] in match["message"]


def test_the_octets_of_a_hardware_address_are_no_time() -> None:
    assert find_time("wlan0: STA 02:00:00:1a:2b:3c associated") is None
    assert find_time("wlan0: STA 02:00:00:10:20:30 associated") is None
