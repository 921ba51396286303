"""Headers: presets on lines of each kind, detection."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from logexport.errors import InputError
from logexport.logs.headers import (
    ALOG_DETECT_HEADERS,
    PRESETS,
    Fields,
    Header,
    HeaderMatcher,
    parse_header,
)
from logexport.logs.lines import LogLine, decode, iter_logs
from logexport.logs.preprocess import Preprocess
from logexport.training.formats import find_format

LINES: dict[str, list[tuple[str, Fields]]] = {
    "java-util-logging": [
        (
            "Mar 07, 2025 4:05:09 PM com.acme.shop.PeerService connect",
            Fields(
                *("", "Mar 07, 2025 4:05:09 PM", None, "com.acme.shop.PeerService"),
                *("java-util-logging", True),
            ),
        ),
        (
            "Mar 7, 2025 12:05:09\u202fAM com.acme.Shop$1 <init>",
            Fields(
                *("", "Mar 7, 2025 12:05:09\u202fAM", None, "com.acme.Shop$1"),
                *("java-util-logging", True),
            ),
        ),
    ],
    "dotnet-console": [
        (
            "fail: Acme.Shop.OrdersService[0]",
            Fields("fail", None, None, "Acme.Shop.OrdersService", "dotnet-console", True),
        ),
        (
            "2025-03-07T16:05:09.048Z info: Acme.Shop.Cache`1[-14]",
            Fields(
                *("info", "2025-03-07T16:05:09.048Z", None, "Acme.Shop.Cache`1"),
                *("dotnet-console", True),
            ),
        ),
    ],
    "logcat-long": [
        (
            "[ 11-14 08:12:08.065  2210: 2225 D/CacheManager ]",
            Fields("D", "11-14 08:12:08.065", None, "CacheManager", "logcat-long", True),
        )
    ],
    "syslog": [
        (
            "Jun 14 15:16:01 combo sshd(pam_unix)[19939]: check pass; user unknown ",
            Fields(
                "check pass; user unknown ", "Jun 14 15:16:01", "combo", "sshd(pam_unix)", "syslog"
            ),
        ),
        (
            "<34>Oct  1 22:14:15 my-machine su: 'su root' failed on /dev/pts/8",
            Fields(
                "'su root' failed on /dev/pts/8", "Oct  1 22:14:15", "my-machine", "su", "syslog"
            ),
        ),
        (
            "Jul  4 04:03:05 combo syslogd 1.4.1: restart.",
            Fields("restart.", "Jul  4 04:03:05", "combo", "syslogd 1.4.1", "syslog"),
        ),
        (
            "Jul 27 14:41:57 combo kernel: [    0.000000] Linux version",
            Fields("Linux version", "Jul 27 14:41:57", "combo", "kernel", "syslog"),
        ),
        (
            "Jul 27 14:41:57 combo gpm[2094]: *** info [mice.c(1766)]: ",
            Fields("*** info [mice.c(1766)]: ", "Jul 27 14:41:57", "combo", "gpm", "syslog"),
        ),
        (
            "Jul 27 14:41:57 combo  -- root[2421]: ROOT LOGIN ON tty2",
            Fields(
                " -- root[2421]: ROOT LOGIN ON tty2",
                "Jul 27 14:41:57",
                "combo",
                None,
                "syslog-untagged",
            ),
        ),
        (
            "Jul 27 14:41:57 combo -- root[2421]: ROOT LOGIN ON tty2",
            Fields("ROOT LOGIN ON tty2", "Jul 27 14:41:57", "combo", "-- root", "syslog"),
        ),
        (
            "Jul 27 14:41:57 combo postfix/smtpd[1]: connect",
            Fields("connect", "Jul 27 14:41:57", "combo", "postfix/smtpd", "syslog"),
        ),
        (
            "Jul 27 14:41:57 combo last message repeated 2 times",
            Fields(
                "last message repeated 2 times", "Jul 27 14:41:57", "combo", None, "syslog-untagged"
            ),
        ),
        (
            "Jul 27 14:41:57 combo cron:",
            Fields("", "Jul 27 14:41:57", "combo", "cron", "syslog"),
        ),
    ],
    "rfc5424": [
        (
            "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "
            r'[exampleSDID@32473 iut="3" eventSource="App\]\"x" eventID="1011"][b] '
            "\ufeffAn application event",
            Fields(
                "An application event",
                "2003-10-11T22:14:15.003Z",
                "mymachine.example.com",
                "evntslog",
                "rfc5424",
            ),
        ),
        (
            "<0>1 - - - - - -",
            Fields("", None, None, None, "rfc5424"),
        ),
        (
            "<34>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
            Fields(
                "%% It's time", "2003-08-24T05:14:15.000003-07:00", "192.0.2.1", "myproc", "rfc5424"
            ),
        ),
    ],
    "dmesg": [
        ("[    0.000000] Linux version 6.1", Fields("Linux version 6.1", header="dmesg")),
        ("<6>[12345.678901] usb 1-1: new", Fields("usb 1-1: new", header="dmesg")),
        ("[    1.234567][    T1] x", Fields("x", header="dmesg")),
        (
            "[Mon Jun  5 12:00:00 2023] x",
            Fields("x", "Mon Jun  5 12:00:00 2023", header="dmesg-time"),
        ),
    ],
    "iso8601": [
        (
            "2024-01-01T00:00:00.123456+01:00 host sshd[12]: Accepted",
            Fields(
                "Accepted", "2024-01-01T00:00:00.123456+01:00", "host", "sshd", "iso8601-syslog"
            ),
        ),
        (
            "2015-10-18 18:01:47,978 INFO [main] org.apache.X: Created",
            Fields(
                "INFO [main] org.apache.X: Created", "2015-10-18 18:01:47,978", header="iso8601"
            ),
        ),
        (
            "[2024-01-01 00:00:00 +0100] GET /",
            Fields("GET /", "2024-01-01 00:00:00 +0100", header="iso8601"),
        ),
    ],
    "hdfs": [
        (
            "081109 203615 148 INFO dfs.DataNode$PacketResponder: Received block",
            Fields("Received block", "081109 203615", None, "dfs.DataNode$PacketResponder", "hdfs"),
        ),
    ],
    "apache": [
        (
            "[Sun Dec 04 04:47:44 2005] [notice] workerEnv.init() ok",
            Fields("workerEnv.init() ok", "Sun Dec 04 04:47:44 2005", header="apache"),
        ),
        (
            "[Sun Dec 04 04:47:44.123456 2005] [core:error] [pid 1:tid 2] [client ::1] AH1: x",
            Fields(
                "[client ::1] AH1: x", "Sun Dec 04 04:47:44.123456 2005", None, "core", "apache"
            ),
        ),
    ],
    "plain": [("anything at all", Fields("anything at all"))],
}


@pytest.mark.parametrize(
    ("preset", "line", "fields"),
    [(preset, line, fields) for preset, cases in LINES.items() for line, fields in cases],
)
def test_a_preset_takes_its_lines_apart(preset: str, line: str, fields: Fields) -> None:
    assert HeaderMatcher(PRESETS[preset]).match(line) == fields


def test_every_preset_has_examples() -> None:
    assert set(LINES) == set(PRESETS)


def find(lines: list[str]) -> str:
    numbered = [LogLine(number, line.encode()) for number, line in enumerate(lines, 1)]
    return find_format(numbered, Preprocess())


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_detected_on_its_own_lines(preset: str) -> None:
    lines = [line for line, _ in LINES[preset]]
    assert find([*lines, "", " \t"]) == preset


def test_the_larger_share_wins_and_less_than_half_is_plain() -> None:
    syslog, hdfs = LINES["syslog"][0][0], LINES["hdfs"][0][0]
    assert find([syslog, hdfs, hdfs]) == "hdfs"
    assert find([syslog, syslog, hdfs]) == "syslog"
    assert find([syslog, "x"]) == "syslog"
    assert find([syslog, "x", "y"]) == "plain"
    assert find([syslog, hdfs]) == "hdfs"  # equal shares: the more specific
    assert find([]) == "plain"


def test_continuation_lines_do_not_count() -> None:
    head = LINES["iso8601"][0][0]
    frames = ["\tat com.example.Main.run(Main.java:7)"] * 9
    assert (
        find([head, "java.lang.IllegalStateException: x", *frames, head, "  indented"]) == "iso8601"
    )


@pytest.mark.parametrize(
    ("name", "preset"), [("Linux", "syslog"), ("HDFS", "hdfs"), ("Apache", "apache")]
)
def test_public_logs_are_detected_and_every_line_has_its_header(
    test_data: Path, name: str, preset: str
) -> None:
    lines = [decode(line.raw) for line in iter_logs([test_data / "loghub" / f"{name}_2k.log"])]
    assert find(lines[:1000]) == preset
    matcher = HeaderMatcher(PRESETS[preset])
    assert sum(matcher.match(line).header is None for line in lines) == 0


def test_alog_detects_headers_leave_861_lines_of_linux_as_they_are(test_data: Path) -> None:
    matcher = HeaderMatcher(ALOG_DETECT_HEADERS)
    lines = list(iter_logs([test_data / "loghub" / "Linux_2k.log"]))
    assert sum(matcher.match(decode(line.raw)).header is None for line in lines) == 861


def test_a_header_is_anchored_and_the_first_that_matches_wins() -> None:
    matcher = HeaderMatcher(
        [Header("one", "b(?P<message>.*)"), Header("two", "(?P<host>[ab])(?P<message>x)?")]
    )
    assert matcher.match("ba") == Fields("a", header="one")
    assert matcher.match("ab") == Fields("", None, "a", None, "two")
    assert matcher.match("cb") == Fields("cb")


@pytest.mark.parametrize(
    "headers",
    [
        [Header("h", "no groups")],
        [Header("h", "(?P<host>a)")],
        [Header("h", "(?P<message>a)(?P<level>b)")],
        [Header("h", "(?P<message>a"), Header("i", "(?P<message>a)")],
        [Header("h", "(?P<message>a)"), Header("h", "(?P<message>b)")],
    ],
)
def test_a_header_that_cannot_work_is_refused_by_name(headers: list[Header]) -> None:
    with pytest.raises(InputError, match="'h'"):
        HeaderMatcher(headers)


def test_a_header_is_read_from_the_command_line() -> None:
    assert parse_header("a=x=(?P<message>.*)") == Header("a", "x=(?P<message>.*)")
    for text in ("(?P<message>.*)", "=x", "a b=x"):
        with pytest.raises(InputError, match="NAME=PATTERN"):
            parse_header(text)
