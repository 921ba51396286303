"""Instants: what groups of time and timestamps without them say."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logexport.errors import InputError
from logexport.logs.headers import Header
from logexport.logs.instants import MONTHS, TIME_GROUPS, InstantReader, to_datetime
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.structured import StructuredForm
from logexport.training.line_tables import read_parsed
from logexport.training.parse import ParseRequest, parse_logs

DATE = {"year": "2024", "month": "2", "day": "29"}
CLOCK = {"hour": "12", "minute": "34", "second": "56"}


def read(reader: InstantReader | None = None, **groups: str | None) -> datetime | None:
    """The time in UTC of groups."""
    instant = (reader or InstantReader()).read("", groups)
    return None if instant is None else to_datetime(instant)


def clock(**groups: str | None) -> datetime | None:
    return read(**{**DATE, **groups})


def text(timestamp: str | None, reader: InstantReader | None = None) -> datetime | None:
    instant = (reader or InstantReader()).read(timestamp)
    return None if instant is None else to_datetime(instant)


# --- dates ----------------------------------------------------------------------------------------


def test_a_date_without_a_clock_is_its_midnight() -> None:
    assert read(**DATE) == datetime(2024, 2, 29)


@pytest.mark.parametrize(
    ("year", "expected"),
    [
        *(("0001", 1), ("9999", 9999), ("69", 1969), ("99", 1999), ("00", 2000), ("68", 2068)),
        *(("0000", None), ("024", None), ("12024", None), ("7", None), ("-024", None)),
        *((" 2024\t", 2024), ("٢٠٢٤", None)),
    ],
)
def test_a_year_has_four_digits_or_two_as_strptime_has_them(
    year: str, expected: int | None
) -> None:
    found = read(year=year, month="1", day="1")
    assert (None if found is None else found.year) == expected


NAMES = {
    "English": "January February March April May June July August September October November "
    "December",
    "English, short": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre "
    "décembre",
    "French, short": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
    "German": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "German, short": "Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.",
    "German, shorter": "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "German, three letters": "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "Spanish, short": "ene feb mar abr may jun jul ago sept oct nov dic",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre "
    "novembre dicembre",
    "Italian, short": "gen feb mar apr mag giu lug ago set ott nov dic",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november "
    "december",
    "Dutch, short": "jan. feb. mrt. apr. mei jun. jul. aug. sep. okt. nov. dec.",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
    "dezembro",
    "Portuguese, short": "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.",
    "Chinese": " ".join(f"{number}月" for number in range(1, 13)),
    "numbers": " ".join(map(str, range(1, 13))),
    "padded": " ".join(f"{number:02d}" for number in range(1, 13)),
}


@pytest.mark.parametrize("language", NAMES)
def test_months_are_read_by_name_in_any_case_with_or_without_a_dot(language: str) -> None:
    names = NAMES[language].split()
    for change in (str, str.lower, str.upper, str.capitalize):
        for dot in ("", ".") if names[0][0].isalpha() else ("",):
            for number, name in enumerate(names, 1):
                month = change(name).rstrip(".") + dot
                assert read(year="2023", month=month, day="5") == datetime(2023, number, 5), month


def test_no_name_is_one_of_two_months() -> None:
    names = " ".join(MONTHS).split()
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    "month", ["0", "13", "003", "janu", "jan..", ".", "13月", "月", "3 月", "jan january", "Ｊan"]
)
def test_what_is_not_a_month_is_not_a_time(month: str) -> None:
    assert read(year="2023", month=month, day="5") is None


def test_february_has_29_days_in_leap_years_only() -> None:
    for year, leap in (("2024", True), ("2023", False), ("1900", False), ("2000", True)):
        assert (read(year=year, month="Feb", day="29") is not None) is leap
        assert (read(year=year, day_of_year="366") is not None) is leap
        assert read(year=year, month="Feb", day="30") is None


def test_a_day_of_the_year_is_a_date() -> None:
    assert read(year="2024", day_of_year="060") == datetime(2024, 2, 29)
    assert read(year="2023", day_of_year="60") == datetime(2023, 3, 1)
    assert read(year="2023", day_of_year="1", hour="1") == datetime(2023, 1, 1, 1)
    for wrong in ("0", "367", "0060"):
        assert read(year="2024", day_of_year=wrong) is None
    assert read(year="2024", day_of_year="60", day="29") is None


@pytest.mark.parametrize("lacking", ["month", "day"])
def test_half_a_date_is_not_a_time(lacking: str) -> None:
    assert read(**{**DATE, **CLOCK, lacking: None}) is None
    assert read(**{**DATE, **CLOCK, lacking: " "}) is None


def test_neither_a_date_nor_a_clock_is_not_a_time() -> None:
    assert read() is None
    assert read(zone="Z") is None
    assert read(year="2024") is None


# --- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (("9",), datetime(2024, 2, 29, 9)),
        (("09", "05"), datetime(2024, 2, 29, 9, 5)),
        (("0", "5", " 7"), datetime(2024, 2, 29, 0, 5, 7)),
        (("23", "59", "60"), datetime(2024, 3, 1)),
        (("10", "59", "60", "25"), datetime(2024, 2, 29, 11, 0, 0, 250000)),
        (("24",), datetime(2024, 3, 1)),
        (("24", "00", "00", "000"), datetime(2024, 3, 1)),
        (("24", "00", "01"), None),
        (("24", "00", "00", "1"), None),
        (("24", "01"), None),
        (("25", "00"), None),
        (("12", "60"), None),
        (("12", "00", "61"), None),
        (("12", None, "00"), None),
        (("12", "00", None, "5"), None),
        ((None, "00"), None),
        (("-1",), None),
        (("x",), None),
    ],
)
def test_a_clock(groups: tuple[str | None, ...], expected: datetime | None) -> None:
    parts = dict(zip(("hour", "minute", "second", "fraction"), groups, strict=False))
    assert clock(**parts) == expected


@pytest.mark.parametrize(
    ("fraction", "micros"),
    [
        *(("1", 100000), ("12", 120000), ("978", 978000), ("000001", 1), ("123456789", 123456)),
        *(("9999999", 999999), ("0" * 200 + "1", 0), ("1_0", None), ("²", None), ("-1", None)),
    ],
)
def test_a_fraction_is_cut_to_microseconds(fraction: str, micros: int | None) -> None:
    found = clock(**CLOCK, fraction=fraction)
    assert (None if found is None else found.microsecond) == micros


@pytest.mark.parametrize(
    ("first", "second"),
    [
        *(("AM", "PM"), ("am", "pm"), ("a.m.", "p.m."), ("A. M.", "P. M."), ("a", "p")),
        *(("a.\u00a0m.", "p.\u202fm."), ("πμ", "μμ"), ("π.μ.", "μ.μ."), ("오전", "오후")),
        *(("上午", "下午"), ("午前", "午後")),
    ],
)
def test_a_half_of_the_day(first: str, second: str) -> None:
    for written, morning, evening in (("12", 0, 12), ("0", 0, 12), ("1", 1, 13), ("11", 11, 23)):
        assert clock(hour=written, half=first) == datetime(2024, 2, 29, morning)
        assert clock(hour=written, half=second) == datetime(2024, 2, 29, evening)
    assert clock(hour="13", half=second) is None
    assert clock(half=first) is None


@pytest.mark.parametrize("half", ["m", "xm", ".", "am pm x", "오", "ampm"])
def test_what_is_not_a_half_is_not_a_time(half: str) -> None:
    assert clock(hour="1", half=half) is None


PARTS = ("month", "day", "hour", "minute", "second")


# --- zones ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "minutes"),
    [
        *((None, 0), ("", 0), (" ", 0), ("Z", 0), ("z", 0), ("UTC", 0), ("gmt", 0)),
        *(("+01", 60), ("+0100", 60), ("+01:00", 60), ("-0330", -210), ("\u22120330", -210)),
        *(
            ("\u22125", -300),
            ("UTC+1", 60),
            ("GMT-03:30", -210),
            ("utc\u221201", -60),
            ("+1:30", 90),
        ),
        *(("+00:00", 0), ("-00", 0), ("+2359", 1439), ("+14", 840)),
        *(("CET", 0), ("CEST", 0), ("Europe/Paris", 0), ("[Europe/Paris]", 0), ("(UTC)", 0)),
        *(("CET+1", 0), ("UTCX", 0), ("UTC 1", 0), ("MSK-3", 0), ("0100", 0), ("\U0001f552", 0)),
        *(("+01:00[Europe/Paris]", 60), ("-0700 (PDT)", -420), ("+01 Berlin", 60), ("+0100(x", 60)),
        *(("+", None), ("UTC+", None), ("+24", None), ("+01:60", None), ("+1:99", None)),
        *(("+130", None), ("+01:0", None), ("+01:000", None), ("+01000", None), ("+01x", None)),
        *(("+ 1", None), ("--1", None), ("+٠١", None), ("-01:", None), ("+0100:00", None)),
    ],
)
def test_a_zone(zone: str | None, minutes: int | None) -> None:
    expected = None if minutes is None else datetime(2024, 2, 29, 12) - timedelta(minutes=minutes)
    assert clock(hour="12", zone=zone) == expected


def test_an_instant_is_of_the_years_1_to_9999_in_utc() -> None:
    first = {"year": "0001", "month": "1", "day": "1"}
    last = {"year": "9999", "month": "12", "day": "31", "hour": "23", "minute": "59"}
    assert read(**first) == datetime(1, 1, 1)
    assert read(**first, zone="-01") == datetime(1, 1, 1, 1)
    assert read(**first, zone="+01") is None
    assert read(**last) == datetime(9999, 12, 31, 23, 59)
    assert read(**last, zone="-0001") is None
    assert read(**last, second="60", zone="+01") == datetime(9999, 12, 31, 23)
    assert read(**last, second="60") is None


@given(st.datetimes(timezones=st.sampled_from([timezone(timedelta(minutes=m)) for m in (0, -210)])))
def test_what_strftime_writes_is_read_as_python_reads_it(time: datetime) -> None:
    try:
        expected = time.astimezone(timezone.utc).replace(tzinfo=None)
    except OverflowError:
        expected = None
    groups = dict(zip(PARTS, time.timetuple()[1:6], strict=True))
    written = {name: str(number) for name, number in groups.items()}
    year, fraction = f"{time.year:04d}", f"{time.microsecond:06d}"
    zone = "-03:30" if time.utcoffset() else "Z"
    assert read(year=year, **written, fraction=fraction, zone=zone) == expected
    of_year = f"{time.timetuple().tm_yday:03d}"
    del written["month"], written["day"]
    assert read(year=year, day_of_year=of_year, **written, fraction=fraction, zone=zone) == expected


# --- seconds since 1970 ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        ("0", datetime(1970, 1, 1)),
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20)),
        ("1700000000.5", datetime(2023, 11, 14, 22, 13, 20, 500000)),
        ("1700000000,123456789", datetime(2023, 11, 14, 22, 13, 20, 123456)),
        ("1700000000123", datetime(2023, 11, 14, 22, 13, 20, 123000)),
        ("1700000000123456", datetime(2023, 11, 14, 22, 13, 20, 123456)),
        ("1700000000123456789", datetime(2023, 11, 14, 22, 13, 20, 123456)),
        ("9223372036854775807", datetime(2262, 4, 11, 23, 47, 16, 854775)),
        ("9999999999999999999", datetime(2286, 11, 20, 17, 46, 39, 999999)),
        ("253402300799.999999", datetime(9999, 12, 31, 23, 59, 59, 999999)),
        *(("253402300800", None), ("999999999999", None), ("1700000000123.5", None)),
        *(("17000000001234", None), ("1" * 20, None), ("", None), ("1.", None), (".5", None)),
        *(("-1", None), ("1e9", None), ("1.5.5", None), ("1_0", None), ("1" * 5000, None)),
    ],
)
def test_seconds_and_what_is_finer_since_1970(epoch: str, expected: datetime | None) -> None:
    assert read(epoch=epoch) == expected
    if epoch:
        assert read(epoch=epoch, month="nonsense", zone="+01") == expected


# --- what the lines before say --------------------------------------------------------------------


def yearless(
    month: str, day: str, hour: str = "0", zone: str | None = None
) -> dict[str, str | None]:
    return {"month": month, "day": day, "hour": hour, "zone": zone}


def test_a_time_without_a_year_is_null_if_no_first_year_is_given() -> None:
    assert read(**yearless("Jun", "14")) is None


def test_the_year_turns_from_december_to_january_and_a_late_line_does_not_turn_it() -> None:
    reader = InstantReader(2023)
    for month, day, expected in (
        ("Dec", "31", datetime(2023, 12, 31)),
        ("Jan", "1", datetime(2024, 1, 1)),
        ("Dec", "31", datetime(2023, 12, 31)),
        ("Jan", "2", datetime(2024, 1, 2)),
        ("Dec", "2", datetime(2023, 12, 2)),  # 31 days before the latest
        ("Dec", "1", datetime(2024, 12, 1)),
        ("Jan", "1", datetime(2025, 1, 1)),
    ):
        assert read(reader, **yearless(month, day)) == expected


def test_29_february_is_null_in_a_year_without_it_and_turns_nothing() -> None:
    assert read(InstantReader(2024), **yearless("Feb", "29")) == datetime(2024, 2, 29)
    reader = InstantReader(2023)
    assert read(reader, **yearless("Feb", "29")) is None
    assert read(reader, **yearless("Mar", "1")) == datetime(2023, 3, 1)
    assert read(reader, **yearless("Feb", "29")) is None
    assert read(reader, **yearless("Feb", "28")) == datetime(2023, 2, 28)
    assert read(reader, **yearless("Jan", "1")) == datetime(2024, 1, 1)
    assert read(reader, **yearless("Feb", "29")) == datetime(2024, 2, 29)


def test_days_of_the_year_turn_it_too() -> None:
    reader = InstantReader(2023)
    assert read(reader, day_of_year="365") == datetime(2023, 12, 31)
    assert read(reader, day_of_year="1") == datetime(2024, 1, 1)
    assert read(reader, day_of_year="366") is None
    assert read(reader, month="12", day="31") == datetime(2023, 12, 31)


def test_a_year_is_turned_by_what_is_written_whatever_the_zone() -> None:
    reader = InstantReader(2023)
    assert read(reader, **yearless("Dec", "31", "23", "-05")) == datetime(2024, 1, 1, 4)
    assert read(reader, **yearless("Jan", "1", "0", "-05")) == datetime(2024, 1, 1, 5)


def test_times_with_a_year_do_not_change_the_year_of_the_others() -> None:
    reader = InstantReader(2023)
    assert read(reader, **yearless("Jun", "1")) == datetime(2023, 6, 1)
    assert read(reader, year="2030", month="1", day="1") == datetime(2030, 1, 1)
    assert read(reader, **yearless("Jun", "2")) == datetime(2023, 6, 2)


def test_the_first_and_the_last_year_are_not_left() -> None:
    reader = InstantReader(1)
    assert read(reader, **yearless("Jan", "5")) == datetime(1, 1, 5)
    assert read(reader, **yearless("Dec", "10")) == datetime(1, 12, 10)
    reader = InstantReader(9998)
    assert read(reader, **yearless("Dec", "1")) == datetime(9998, 12, 1)
    assert read(reader, **yearless("Jan", "1")) == datetime(9999, 1, 1)
    assert read(reader, **yearless("Jun", "1")) == datetime(9999, 6, 1)
    assert read(reader, **yearless("Dec", "31")) == datetime(9999, 12, 31)
    assert read(reader, **yearless("Jan", "1")) is None


@pytest.mark.parametrize("year", [0, -1, 9999, 20240])
def test_a_first_year_out_of_range_is_refused(year: int) -> None:
    with pytest.raises(InputError, match="is not a year"):
        InstantReader(year)


def test_a_clock_alone_is_of_the_last_day_that_was_written() -> None:
    reader = InstantReader()
    assert read(reader, **CLOCK) == datetime(1970, 1, 1, 12, 34, 56)
    assert read(reader, **DATE, hour="23", zone="-05") == datetime(2024, 3, 1, 4)
    assert read(reader, **CLOCK) == datetime(2024, 2, 29, 12, 34, 56)
    assert read(reader, hour="1", zone="+02") == datetime(2024, 2, 28, 23)
    assert read(reader, year="2023", month="2", day="29") is None
    assert read(reader, month="3", day="1") is None, "there is no first year"
    assert read(reader, hour="24") == datetime(2024, 3, 1)
    assert read(reader, hour="1") == datetime(2024, 2, 29, 1)
    assert read(reader, epoch="1700000000") == datetime(2023, 11, 14, 22, 13, 20)
    assert read(reader, hour="1") == datetime(2023, 11, 14, 1)


# --- timestamps that no groups say ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        ("2003-10-11T22:14:15.003Z", datetime(2003, 10, 11, 22, 14, 15, 3000)),
        ("2003-08-24T05:14:15.000003-07:00", datetime(2003, 8, 24, 12, 14, 15, 3)),
        ("2024-01-01 00:00:00 +0530", datetime(2023, 12, 31, 18, 30)),
        ("2015-10-18 18:01:47,978", datetime(2015, 10, 18, 18, 1, 47, 978000)),
        ("2015-10-18T18:01:47.123456789", datetime(2015, 10, 18, 18, 1, 47, 123456)),
        ("081109 203615", datetime(2008, 11, 9, 20, 36, 15)),
        ("Sun Dec 04 04:47:44 2005", datetime(2005, 12, 4, 4, 47, 44)),
        ("Sun Dec 04 04:47:44.5 2005", datetime(2005, 12, 4, 4, 47, 44, 500000)),
        ("Mon Jun  5 12:00:00 2023", datetime(2023, 6, 5, 12)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1)),
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20)),
        ("1700000000.25", datetime(2023, 11, 14, 22, 13, 20, 250000)),
        ("1700000000123", datetime(2023, 11, 14, 22, 13, 20, 123000)),
        *(("Jun 14 15:16:01", None), ("2015-02-29 00:00:00", None), ("170000000", None)),
        *(("0001-01-01T00:00:00+01:00", None), ("2024-01-01T00:00:00+01:99", None)),
        *(("Foo 14 15:16:01", None), ("yesterday", None), ("", None), (None, None)),
        ("٢015-10-18 18:01:47", None),
    ],
)
def test_a_timestamp_without_groups(timestamp: str | None, expected: datetime | None) -> None:
    assert text(timestamp) == expected


def test_timestamps_without_groups_turn_the_year() -> None:
    reader = InstantReader(2023)
    for timestamp, expected in (
        ("Dec 31 23:59:59", datetime(2023, 12, 31, 23, 59, 59)),
        ("Jan  1 00:00:01", datetime(2024, 1, 1, 0, 0, 1)),
        ("Jan  1 00:00:01", datetime(2024, 1, 1, 0, 0, 1)),
        ("Dec 31 23:59:58", datetime(2023, 12, 31, 23, 59, 58)),
    ):
        assert text(timestamp, reader) == expected


# --- records --------------------------------------------------------------------------------------

GROUPED = Header(
    "grouped",
    r"(?P<timestamp>(?P<month>[^ :]+) (?P<day>[ \d]\d)(?: (?P<hour>\d\d))?)?:(?P<message>.*)$",
)
WAITS = Header(
    "waits", r"(?P<timestamp>(?P<month>\w+) (?P<day>\d+))>(?P<message>.*)$", next_line=True
)


def instants(rules: Preprocess, lines: list[str], year: int | None = 2023) -> list[datetime | None]:
    """The instant of each record."""
    reader = InstantReader(year)
    numbered = [LogLine(number, line.encode()) for number, line in enumerate(lines, 1)]
    found = []
    for record in RecordReader(LineParser(rules)).read(numbered):
        parsed = record.parsed
        assert parsed is not None
        groups = None if parsed.time is None else parsed.time.groupdict()
        instant = reader.read(parsed.timestamp, groups)
        found.append(None if instant is None else to_datetime(instant))
    return found


def test_groups_of_a_header_say_its_time_if_its_timestamp_took_part() -> None:
    rules = Preprocess(headers=(GROUPED,))
    lines = ["Juin  4:a", "DEZ. 31 24:b", ":c", "d", "Mars 12 25:e"]
    wanted = [datetime(2023, 6, 4), datetime(2024, 1, 1), None, None, None]
    assert instants(rules, lines) == wanted


def test_the_innermost_timestamp_is_the_one_that_is_read() -> None:
    form = StructuredForm("json", "m", timestamp="t")
    rules = Preprocess(headers=(GROUPED,), structured=(form,))
    lines = [
        '{"t": "1700000000", "m": "Juin  4:a"}',
        '{"t": "1700000000", "m": ":a"}',
        'Juin  4:{"t": 1700000000, "m": "a"}',
        'Juin  4:{"t": null, "m": "a"}',
    ]
    june, november = datetime(2023, 6, 4), datetime(2023, 11, 14, 22, 13, 20)
    assert instants(rules, lines) == [june, november, november, june]


def test_a_record_of_several_lines_has_the_time_of_its_first_one() -> None:
    rules = Preprocess(headers=(WAITS,), structured=(StructuredForm("docker"),))
    lines = [
        "Juin 4>a",
        "b",
        '{"log": "c", "time": "2024-01-01T00:00:00Z"}',
        '{"log": "d\\n", "time": "2024-01-01T00:00:01Z"}',
    ]
    assert instants(rules, lines) == [datetime(2023, 6, 4), datetime(2024, 1, 1)]


def test_the_column_of_a_parsed_log_has_the_times_that_groups_say(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("Déz 31 23:late\nDez 31 23:a\nJanv.  1 01:b\nelse\n", encoding="utf-8")
    rules = Preprocess(headers=(GROUPED,), continuation=False)
    request = ParseRequest([log], tmp_path, format=None, preprocess=rules, year=2023)
    result = parse_logs(request)
    rows = list(read_parsed(result.parsed))
    assert [row.timestamp for row in rows] == [
        *(datetime(2023, 12, 31, 23), datetime(2023, 12, 31, 23), datetime(2024, 1, 1, 1), None)
    ]


@pytest.mark.parametrize("group", TIME_GROUPS)
def test_groups_of_time_belong_to_version_2_and_to_a_timestamp(group: str) -> None:
    inside = Header("h", rf"(?P<timestamp>(?P<{group}>\d+)) (?P<message>.*)")
    LineParser(Preprocess(headers=(inside,)))
    with pytest.raises(InputError, match=f"names the groups .*{group}"):
        LineParser(Preprocess(headers=(inside,), encoding=None))
    alone = Header("h", rf"(?P<{group}>\d+) (?P<message>.*)")
    with pytest.raises(InputError, match="names groups of time, but not timestamp"):
        LineParser(Preprocess(headers=(alone,)))
