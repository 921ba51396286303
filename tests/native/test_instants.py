"""The engine's instants (native/src/instants.c) against the reference's, record by record.

A driver (native/tests/read_instants.c) reads a log on its way from lines to records and says the
instant of each, with what earlier ones say of the year and the day.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from logexport.logs.headers import Header
from logexport.logs.instants import HALVES, MONTHS, TIME_GROUPS, InstantReader
from logexport.logs.joining import RecordReader
from logexport.logs.lines import LogLine
from logexport.logs.preprocess import LineParser, Preprocess
from logexport.logs.structured import StructuredForm

from tests.native.engine import NATIVE

SOURCES = (
    *("continuation", "decoding", "errors", "events", "headers", "instants", "joining", "kept"),
    *("json_cursor", "lines", "masks", "patterns", "pids", "structured", "tokens", "utf8"),
)
#: Takes any text for each group, the empty one too.
ANY = "".join(rf"(?P<{name}>[^|]*)\|" for name in TIME_GROUPS)
HEADERS = (
    Header("any", rf"(?P<timestamp>{ANY})(?P<message>.*)$"),
    Header(
        "optional",
        r"(?P<timestamp>(?P<month>[^ >]+) (?P<day>[ \d]\d)(?: (?P<hour>\d\d))?)?>(?P<message>.*)$",
    ),
    Header("waits", r"(?P<timestamp>(?P<day_of_year>\d+))<(?P<message>.*)$", next_line=True),
    Header("ungrouped", r"\[(?P<timestamp>[^\]]*)\] (?P<message>.*)$"),
    Header("without", r"# (?P<message>.*)$"),
)
RULES = Preprocess(
    headers=HEADERS,
    structured=(
        StructuredForm("docker"),
        StructuredForm("cri"),
        StructuredForm("json", "msg", timestamp="time"),
    ),
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("this machine has no C compiler (cc), which builds the driver of instants")
    program = tmp_path_factory.mktemp("instants") / "read_instants"
    sources = [NATIVE / "tests" / "read_instants.c"]
    sources += [NATIVE / "src" / f"{name}.c" for name in SOURCES]
    flags = ("-std=c11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror")
    places = (f"-I{NATIVE / 'src'}", f"-I{NATIVE / 'include'}")
    command = [compiler, *flags, *places, "-o", program, *sources, "-lpcre2-8"]
    subprocess.run(command, check=True)
    return program


def of_engine(driver: Path, lines: Sequence[str], year: int | None) -> list[tuple[int, int | None]]:
    """The number and the instant of each record."""
    patterns = ["+" * header.next_line + header.pattern for header in HEADERS]
    log = "".join(f"{line}\n" for line in lines).encode()
    done = subprocess.run(
        [driver, str(year or 0), *patterns], input=log, capture_output=True, check=True
    )
    found: list[tuple[int, int | None]] = []
    for line in done.stdout.decode("ascii").splitlines():
        number, instant = line.split()
        found.append((int(number), None if instant == "null" else int(instant)))
    return found


def of_reference(lines: Sequence[str], year: int | None) -> list[tuple[int, int | None]]:
    """The number and the instant of each record."""
    reader = InstantReader(year)
    found = []
    numbered = [LogLine(number, line.encode()) for number, line in enumerate(lines, 1)]
    for record in RecordReader(LineParser(RULES)).read(numbered):
        assert record.parsed is not None
        time = record.parsed.time
        instant = reader.read(record.parsed.timestamp, None if time is None else time.groupdict())
        found.append((record.number, instant))
    return found


# --- texts ----------------------------------------------------------------------------------------

#: What groups are made of, and what follows or precedes it.
PIECES = (
    *("0", "1", "9", "01", "12", "13", "23", "24", "28", "29", "30", "31", "59", "60", "61", "69"),
    *("99", "365", "366", "2023", "2024", "1900", "0000", "9999", "1700000000", "1700000000123"),
    *("1700000000123456", "1700000000123456789", "253402300799", "253402300800", "9" * 19),
    *("+", "-", "\u2212", ":", ".", ",", "/", "[", "(", "月", " ", "\t", "\u00a0", "\u202f"),
    *("Z", "UTC", "gmt", "CET", "[Europe/Paris]", "+01:00", "-0330", "UTC+1", "x", "é", "É", "Ü"),
    *("٣", "²", "\ufffd", "\x00", "😀"),
)
NAMES = (
    *(*" ".join(MONTHS).split(), *" ".join(HALVES).split(), "a.\u00a0m.", "P.\u202fM."),
    *("Août", "AOÛT", "März", "MÄR", "déc.", "DÉC.", "Março", "MARÇO", "févr", "Ça"),
)


def cased(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from(
        (name, name.upper(), name.capitalize(), name + ".", name + "x", name[:3])
    )


PIECE = st.one_of(st.sampled_from(PIECES), st.sampled_from(NAMES).flatmap(cased))
GARBAGE = st.one_of(
    st.lists(PIECE, max_size=4).map("".join),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="|\n\r\x1b"), max_size=6),
)


def digits(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    return st.one_of(numbers.map(str), numbers.map("{:02d}".format), numbers.map("{:2d}".format))


MONTH = st.one_of(digits(1, 12), st.sampled_from(" ".join(MONTHS).split()).flatmap(cased))
ZONE = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(("", "UTC", "Gmt")),
    st.sampled_from("+-\u2212"),
    st.sampled_from(("1", "01", "0100", "01:00", "1:30", "2359", "24", "0160", "130")),
    st.sampled_from(("", "", "[Paris]", " CET", "x", ":00")),
)
PARTS: dict[str, st.SearchStrategy[str]] = {
    "year": st.one_of(st.integers(1, 9999).map("{:04d}".format), digits(0, 99)),
    "month": MONTH,
    "day": digits(1, 31),
    "day_of_year": digits(1, 366),
    "hour": digits(0, 24),
    "minute": digits(0, 59),
    "second": digits(0, 60),
    "fraction": st.from_regex(r"\A[0-9]{1,12}\Z"),
    "half": st.sampled_from(" ".join(HALVES).split()).flatmap(cased),
    "zone": ZONE,
    "epoch": st.from_regex(r"\A(?:[0-9]{1,13}|[0-9]{16}|[0-9]{19})(?:[.,][0-9]{1,9})?\Z"),
}
SHAPES = (
    *("year month day hour minute second fraction zone", "month day hour minute second", "hour"),
    *("year month day", "month day", "day_of_year hour minute", "year day_of_year", "epoch"),
    *("hour minute half", "year month day hour half zone", "month day hour minute zone"),
)


@st.composite
def any_groups(draw: st.DrawFn) -> str:
    """A line with a text for each group, mostly of some usual shape."""
    values = {name: draw(PARTS[name]) for name in draw(st.sampled_from(SHAPES)).split()}
    if draw(st.integers(0, 3)) == 0:
        values[draw(st.sampled_from(TIME_GROUPS))] = draw(GARBAGE)
    return "".join(f"{values.get(name, '')}|" for name in TIME_GROUPS) + "m"


TIMESTAMP = st.one_of(
    st.datetimes().map(lambda time: time.isoformat(sep=" ")),
    st.datetimes().map(lambda time: time.isoformat() + "+05:30"),
    st.datetimes().map(lambda time: time.strftime("%b %d %H:%M:%S")),
    st.datetimes().map(lambda time: time.strftime("%a %b %d %H:%M:%S.%f ") + f"{time.year:04d}"),
    st.datetimes().map(lambda time: time.strftime("%y%m%d %H%M%S")),
    PARTS["epoch"],
    GARBAGE.filter(lambda text: not set('"\\]') & set(text) and text.isprintable()),
)
LINE = st.one_of(
    any_groups(),
    any_groups(),
    st.builds("{} {:2d}>m".format, MONTH.filter(lambda text: " " not in text), st.integers(1, 31)),
    st.builds("{}<".format, st.integers(1, 366)),
    TIMESTAMP.map("[{}] m".format),
    TIMESTAMP.map('{{"time": "{}", "msg": "Juin  4>m"}}'.format),
    TIMESTAMP.map('{{"time": "{}", "msg": "m"}}'.format),
    TIMESTAMP.map('{{"time": "{}", "log": "a\\n"}}'.format),
    TIMESTAMP.map('{{"time": "{}", "log": "piece"}}'.format),
    TIMESTAMP.map('Juin  4>{{"time": "{}", "msg": "m"}}'.format),
    st.sampled_from(('Juin  4>{"time": null, "msg": "m"}', "# m", "m", ">m", "", "KeyError: 1")),
    st.sampled_from(("2024-02-29T23:59:60Z stdout P piece", "2024-02-29T23:59:59Z stdout F end")),
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(LINE, min_size=1, max_size=40), st.sampled_from((None, 1, 1999, 2023, 2024, 9998)))
@example(["Dez 31>m", "Jan  1>m", "Dec 31>m", "Feb 29>m", "Feb 29>m"], 2023)
@example(["Feb 29>m", "Mars  1>m", "Jan  1>m", "Feb 29>m"], 2023)
@example(['Juin  4>{"time": "1700000000", "msg": "m"}', '{"time": "1", "msg": "Juin  4>m"}'], 2023)
def test_both_engines_say_the_same_instants(
    driver: Path, lines: list[str], year: int | None
) -> None:
    assert of_engine(driver, lines, year) == of_reference(lines, year)


def draw_number(numbers: random.Random, low: int, high: int) -> str:
    return numbers.choice(("{}", "{:02d}", "{:2d}")).format(numbers.randint(low, high))


def draw_groups(numbers: random.Random) -> str:
    """A line of usual shape, whose parts are near their bounds more often than not."""
    bounds = {"month": (1, 12), "day": (1, 31), "day_of_year": (1, 366), "hour": (0, 24)}
    bounds |= {"minute": (0, 59), "second": (0, 60)}
    values = {}
    for name in numbers.choice(SHAPES).split():
        if name == "year":
            values[name] = numbers.choice(("2023", "2024", "68", "69", "1900", "0001", "9999"))
        elif name in bounds:
            low, high = bounds[name]
            values[name] = draw_number(numbers, low - (numbers.random() < 0.02), high)
        elif name == "half":
            values[name] = numbers.choice(" ".join(HALVES).split())
        elif name == "zone":
            sign, offset = numbers.choice("+-\u2212"), numbers.choice(("01", "0330", "23:59", "2"))
            values[name] = numbers.choice(("", "Z", "UTC", "CET", sign + offset, f"UTC{sign}1"))
        else:
            values[name] = "".join(numbers.choices("0123456789", k=numbers.randint(1, 19)))
    return "".join(f"{values.get(name, '')}|" for name in TIME_GROUPS) + "m"


@pytest.mark.parametrize("year", [None, 1, 2023, 9998])
def test_long_logs_have_the_same_instants(driver: Path, year: int | None) -> None:
    numbers = random.Random(year)
    lines = []
    for _ in range(4000):
        lines.append(draw_groups(numbers))
        day, month = numbers.randint(1, 31), numbers.choice(("Jan", "Dez", "Feb", "Nov", "Mars"))
        if numbers.random() < 0.5:
            lines.append(f"{month} {day:2d} {numbers.randint(0, 24):02d}>m")
        if numbers.random() < 0.1:
            lines += [f"{numbers.randint(1, 366)}<", "joined"]
    found = of_engine(driver, lines, year)
    assert found == of_reference(lines, year)
    times = {instant for _, instant in found}
    assert len(times) > 1000
    assert None in times


def test_every_name_of_a_month_and_of_a_half_is_known_to_the_engine(driver: Path) -> None:
    lines, wanted = [], []
    for number, names in enumerate(MONTHS):
        for name in names.split():
            lines += [f"{change(name)}  1>m" for change in (str, str.upper)]
            wanted += [number] * 2
    found = [instant for _, instant in of_engine(driver, lines, 2023)]
    assert found == [instant for _, instant in of_reference(lines, 2023)]
    assert len(set(found)) == 12
    assert [sorted(set(found)).index(instant) for instant in found] == wanted
    clocks = [f"||||1||||{half}|||m" for names in HALVES for half in names.split()]
    assert {instant for _, instant in of_engine(driver, clocks, None)} == {
        3_600_000_000,
        13 * 3_600_000_000,
    }


def test_each_group_is_read_alike_whatever_pieces_it_is_made_of(driver: Path) -> None:
    """Any one and any two pieces, in a line that is a time without them."""
    base = {"year": "2024", "month": "2", "day": "3", "hour": "4", "minute": "5", "second": "6"}
    lines = []
    for group in TIME_GROUPS:
        for first in (*PIECES, *NAMES):
            for second in ("", *PIECES[:50]) if group in ("zone", "half", "epoch") else ("",):
                values = {} if group == "day_of_year" else dict(base)
                values[group] = first + second
                lines.append("".join(f"{values.get(name, '')}|" for name in TIME_GROUPS) + "m")
    assert of_engine(driver, lines, None) == of_reference(lines, None)
