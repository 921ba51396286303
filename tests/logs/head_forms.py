"""Logs with heads of every kind, made here: forms of time, and fields around them."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

#: Forms of time. Beside strftime's letters: %L %f %N milliseconds, microseconds, nanoseconds; %2 %4
#: %7 so many digits of a fraction; %G a fraction without zeros at its end; %z +0100, %i +01:00,
#: %K +01, %Z a zone's name; %s %Q %u the epoch in seconds, milliseconds, microseconds; a `-` leaves
#: padding out; %e a day padded with a space; %P am or pm; %F and %R months in French and German.
TIMES = (
    *("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S,%L", "%Y-%m-%d %H:%M:%S.%L", "%Y-%m-%d %H:%M:%S.%f"),
    *("%Y-%m-%d %H:%M:%S.%2", "%Y-%m-%d %H:%M:%S.%4", "%Y-%m-%d %H:%M:%S:%L", "%Y-%m-%d %H:%M"),
    *("%Y-%m-%d %H:%M:%S.%L%z", "%Y-%m-%d %H:%M:%S.%f%i", "%Y-%m-%d %H:%M:%S %z"),
    *("%Y-%m-%d %H:%M:%S.%L %i", "%Y-%m-%d %H:%M:%S%K", "%Y-%m-%d %H:%M:%S.%L %Z"),
    *("%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%LZ", "%Y-%m-%dT%H:%M:%S.%fZ"),
    *("%Y-%m-%dT%H:%M:%S.%7Z", "%Y-%m-%dT%H:%M:%S.%NZ", "%Y-%m-%dT%H:%M:%S.%G%i"),
    *("%Y-%m-%dT%H:%M:%S%i", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S,%L", "%Y-%jT%H:%M:%S"),
    *("%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M:%S.%f", "%Y/%m/%d-%H:%M:%S", "%Y.%m.%d %H:%M:%S.%f"),
    *("%Y-%m-%d-%H.%M.%S.%f", "%Y%m%d %H:%M:%S.%L", "%Y%m%d-%H:%M:%S", "%Y%m%d:%H%M%S.%L"),
    *("%Y%m%d.%H%M%S,%L", "%Y%m%dT%H%M%S%z", "%Y%m%d%H%M%S", "%Y %b %d %H:%M:%S"),
    *("%y/%m/%d %H:%M:%S", "%y%m%d %H:%M:%S", "%y%m%d %H%M%S", "%m/%d/%y %H:%M:%S"),
    *("%-m/%-d/%y %-H:%M:%S:%L %Z", "%d/%m/%y %H:%M:%S", "%d.%m.%y %H:%M:%S,%L"),
    *("%d/%b/%Y:%H:%M:%S %z", "%d/%b/%Y:%H:%M:%S.%L", "%d/%b/%Y %H:%M:%S", "%d-%b-%Y %H:%M:%S.%L"),
    *("%-d-%b-%Y::%H:%M:%S", "%d-%b-%Y %H:%M:%S %Z", "%d %b %Y %H:%M:%S.%L", "%d %b %H:%M:%S.%L"),
    *("%d %b %Y %H:%M:%S,%L %z", "%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S.%L", "%d/%m/%Y %H:%M:%S"),
    *("%d-%m-%Y %H:%M:%S", "%a, %d %b %Y %H:%M:%S GMT", "%a, %d %b %Y %H:%M:%S %z"),
    *(
        "%b %e %H:%M:%S",
        "%b %d %H:%M:%S",
        "%b %-d %H:%M:%S",
        "%b %e %H:%M:%S.%L",
        "%b %d %H:%M:%S.%f",
    ),
    *("%b %e %Y %H:%M:%S", "%b %e %H:%M:%S %Z", "%b %e %H:%M:%S %Y %Z", "%b-%d %H:%M:%S.%L"),
    *("%b %d, %Y %-I:%M:%S %P", "%b %-d, %Y %-I:%M:%S,%L %P %Z", "%B %d, %Y %H:%M:%S"),
    *("%m/%d/%Y %H:%M:%S", "%m/%d/%Y-%H:%M:%S.%f", "%m/%d/%Y %I:%M:%S %P", "%m/%d %H:%M:%S"),
    *("%-m/%-d/%Y %-I:%M:%S%P", "%m/%d/%Y, %-I:%M:%S %P", "%m/%d/%Y %I:%M:%S %P %i"),
    *("%m-%d %H:%M:%S.%L", "%m.%d %H:%M:%S", "%a %b %e %H:%M:%S %Y", "%a %b %d %H:%M:%S.%f %Y"),
    *("%a %b %e %H:%M:%S:%f %Y", "%a %b %e %H:%M:%S %Z %Y", "%a %b %e %I:%M:%S %P %Z %Y"),
    *(
        "%a %b %d %Y %H:%M:%S %i",
        "%a %Y-%m-%d %H:%M:%S %Z",
        "%H:%M:%S",
        "%H:%M:%S.%L",
        "%H:%M:%S,%L",
    ),
    *(
        "%-I:%M%P",
        "%-I:%M:%S %P",
        "%s",
        "%s.%L",
        "%s.%f",
        "%Q",
        "%u",
        "%F %e %H:%M:%S",
        "%R %e %H:%M:%S",
    ),
)

_FRENCH = [
    "janv.",
    "févr.",
    "mars",
    "avr.",
    "mai",
    "juin",
    "juil.",
    "août",
    "sept.",
    "oct.",
    "nov.",
    "déc.",
]
_GERMAN = ["Jan", "Feb", "Mär", "Apr", "Mai", "Jun", "Jul", "Aug", "Sep", "Okt", "Nov", "Dez"]
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True)
class Moment:
    """A time of day somewhere.

    Args:
        utc: the instant.
        offset: hours of the zone.
        zone: its name.
    """

    utc: datetime
    offset: int = 1
    zone: str = "CET"

    def write(self, form: str) -> str:
        """The moment in one of :data:`TIMES`."""
        time = self.utc + timedelta(hours=self.offset)
        micro = f"{time.microsecond:06}"
        seconds = (self.utc - _EPOCH) // timedelta(seconds=1)
        own = {
            "L": micro[:3], "f": micro, "N": micro + "491", "2": micro[:2], "4": micro[:4],
            "7": micro + "3", "G": micro.rstrip("0") or "0", "z": f"{self.offset:+03}00",
            "i": f"{self.offset:+03}:00", "K": f"{self.offset:+03}", "Z": self.zone,
            "s": str(seconds), "Q": f"{seconds}{micro[:3]}", "u": f"{seconds}{micro}",
            "P": "AM" if time.hour < 12 else "PM", "e": f"{time.day:2}",
            "F": _FRENCH[time.month - 1], "R": _GERMAN[time.month - 1],
        }  # fmt: skip

        def letter(match: re.Match[str]) -> str:
            bare, name = match.groups()
            text = own.get(name) or f"{time:%{name}}"
            return text.lstrip("0") or "0" if bare else text

        return re.sub(r"%(-?)([A-Za-z0-9])", letter, form)


Head = Callable[[str, str, random.Random], str]
_SEVERITIES = {"DEBUG": 7, "INFO": 6, "WARNING": 4}


def _priority(level: str, numbers: random.Random) -> int:
    """Of any facility (RFC 5424, 6.2.1)."""
    return numbers.randrange(24) * 8 + _SEVERITIES[level]


#: What stands around a time: of the time, the level and a source of numbers.
HEADS: dict[str, Head] = {
    "bare": lambda time, level, n: f"{time} ",
    "level": lambda time, level, n: f"{time} {level} ",
    "brackets": lambda time, level, n: f"[{time}] [{level}] ",
    "padded": lambda time, level, n: f"{time} {level:<7} [worker-{n.randrange(40)}] shop.Cart - ",
    "pid first": lambda time, level, n: f"{n.randrange(200, 32000)}:{time} ",
    "pid and thread": lambda time, level, n: (
        f"{time} {n.randrange(200, 32000):>5} {n.randrange(200, 32000):>5} {level} Shop: "
    ),
    "syslog": lambda time, level, n: f"{time} web-{n.randrange(9)} shop[{n.randrange(32000)}]: ",
    "tabs": lambda time, level, n: f"{time}\t{level}\tcart.go:{n.randrange(400)}\t",
    "bars": lambda time, level, n: f"{time} | {level:<7} | shop | ",
    "level first": lambda time, level, n: f"{level} {time}: ",
    "priority": lambda time, level, n: f"<{_priority(level, n)}>{time} shop: ",
    "request": lambda time, level, n: f"{time} [{n.randrange(1 << 60):015x}] {level}: ",
}

_Field = Callable[[str, random.Random], str]
_LOGGERS = ("com.acme.shop.Cart", "com.acme.shop.Stock", "com.acme.net.Peer", "org.acme.Main")
_MODULES = ("cart", "stock", "peer", "main")


def _hex(numbers: random.Random, digits: int) -> str:
    return f"{numbers.randrange(16**digits):0{digits}x}"


#: What may stand beside the time: of the level and a source of numbers.
_FIELDS: dict[str, tuple[_Field, ...]] = {
    "level": (
        lambda level, n: level,
        lambda level, n: level.lower(),
        lambda level, n: level.capitalize(),
        lambda level, n: level[0],
        lambda level, n: f"{level:<7}",
        lambda level, n: f"{level:>7}",
        lambda level, n: f"[{level}]",
        lambda level, n: f"[{level.lower():<7}]",
        lambda level, n: f"<{level}>",
        lambda level, n: f"({level})",
        lambda level, n: f"level={level.lower()}",
        lambda level, n: f"**{level}**",
    ),
    "host": (
        lambda level, n: "web-1",
        lambda level, n: f"web-{n.randrange(9)}",
        lambda level, n: f"web-{n.randrange(9)}.example.net",
        lambda level, n: f"10.4.0.{n.randrange(1, 255)}",
        lambda level, n: f"host=web{n.randrange(9)}",
    ),
    "process": (
        lambda level, n: f"shopd[{n.randrange(200, 32000)}]",
        lambda level, n: f"shopd({n.randrange(200, 32000)})",
        lambda level, n: f"shopd/{n.randrange(200, 32000)}",
        lambda level, n: n.choice(_MODULES),
        lambda level, n: "shopd",
    ),
    "pid": (
        lambda level, n: f"{n.randrange(200, 32000)}",
        lambda level, n: f"{n.randrange(200, 32000):>6}",
        lambda level, n: f"[{n.randrange(200, 32000)}]",
        lambda level, n: f"({n.randrange(200, 32000)})",
        lambda level, n: f"pid={n.randrange(200, 32000)}",
        lambda level, n: f"[pid {n.randrange(200, 32000)}]",
        lambda level, n: f"{n.randrange(200, 32000)}#{n.randrange(9)}",
        lambda level, n: f"#{n.randrange(200, 32000)}",
        lambda level, n: f"P{n.randrange(200, 32000)}",
    ),
    "thread": (
        lambda level, n: n.choice(("[main]", "[worker-3]", "[worker-14]")),
        lambda level, n: f"[http-nio-8080-exec-{n.randrange(40)}]",
        lambda level, n: f"[pool {n.randrange(3)} thread {n.randrange(40)}]",
        lambda level, n: f"0x{_hex(n, 12)}",
        lambda level, n: f"T{n.randrange(40)}",
        lambda level, n: f"(Thread-{n.randrange(40)})",
        lambda level, n: f"tid={n.randrange(200, 32000)}",
        lambda level, n: f"<0.{n.randrange(200, 3000)}.0>",
        lambda level, n: f"{{{n.choice(('main', 'io', 'gc'))}}}",
    ),
    "logger": (
        lambda level, n: n.choice(_LOGGERS),
        lambda level, n: f"[{n.choice(_LOGGERS)}]",
        lambda level, n: f"{n.choice(_LOGGERS):<24}",
        lambda level, n: f"[{n.choice(_MODULES)}]",
        lambda level, n: f"shop::{n.choice(_MODULES)}",
        lambda level, n: f"{n.choice(_LOGGERS)}#{n.choice(('place', 'run', 'stop'))}",
    ),
    "source": (
        lambda level, n: f"{n.choice(_MODULES)}.c:{n.randrange(1, 900)}",
        lambda level, n: f"({n.choice(_MODULES)}.go:{n.randrange(1, 900)})",
        lambda level, n: f"[{n.choice(_MODULES)}.cc({n.randrange(1, 900)})]",
        lambda level, n: f"src/{n.choice(_MODULES)}.rs:{n.randrange(1, 900)}:{n.randrange(1, 99)}",
        lambda level, n: f"{n.choice(_MODULES)}.py:{n.randrange(1, 900)}:run()",
    ),
    "request": (
        lambda level, n: f"[{_hex(n, 8)}]",
        lambda level, n: f"{_hex(n, 8)}-{_hex(n, 4)}-{_hex(n, 4)}-{_hex(n, 4)}-{_hex(n, 12)}",
        lambda level, n: n.choice(("[-]", f"[{_hex(n, 16)}]")),
        lambda level, n: f"req-{_hex(n, 10)}",
        lambda level, n: f"[req:{_hex(n, 6)} user:{n.randrange(900)}]",
        lambda level, n: f"{n.randrange(10**9)}",
    ),
}
_SEPARATORS = (
    " ",
    " ",
    " ",
    " ",
    "  ",
    " - ",
    " | ",
    "|",
    ", ",
    ",",
    ";",
    ": ",
    "\t",
    " : ",
    " -- ",
)
_ENDS = (" ", " ", ": ", " - ", " | ", "|", ", ", "; ", "\t", " -- ", " > ", "] ", " :: ")
_AROUND_TIME = ("{}", "{}", "{}", "[{}]", "({})", "<{}>", "{{{}}}", '"{}"', "time={}", "ts={}")


def compose_head(seed: int) -> Head:
    """A head of fields, separators and brackets that are drawn."""
    draw = random.Random(seed)
    kinds = draw.sample(sorted(_FIELDS), draw.randrange(1, 6))
    fields = [draw.choice(_FIELDS[kind]) for kind in kinds]
    around = draw.choice(_AROUND_TIME)
    place = min(draw.choice((0, 0, 0, 0, 1, 2)), len(fields))
    one = draw.choice(_SEPARATORS)
    separators = [one if draw.random() < 0.7 else draw.choice(_SEPARATORS) for _ in fields]
    end = draw.choice(_ENDS)
    before = ""
    if end == "] ":
        before = "["
    if place == 0 and draw.random() < 0.1:
        before = "<PRI>" + before

    def head(time: str, level: str, n: random.Random) -> str:
        parts = [field(level, n) for field in fields]
        parts.insert(place, around.format(time))
        text = "".join(a + b for a, b in zip(parts, [*separators, end], strict=True))
        return before.replace("PRI", str(_priority(level, n))) + text

    return head


_MESSAGES = (
    *("opened connection to {ip} port {n}", "worker {n} started job {n}", "cache flushed"),
    *(
        "user mara logged in after {n} ms",
        "closed connection after {n} ms",
        "retry {n} of upstream",
    ),
    *("disk usage at {n} percent on /var/lib", "configuration was read from /etc/shop.conf"),
)
_LEVELS = {"cache flushed": "DEBUG", "retry {n} of upstream": "WARNING"}
NEW = ("snapshot was restored into volume blue", "certificate of peer expires", "shutting down now")


def write_log(
    head: Head, form: str, start: Moment, count: int, seed: int, new: bool
) -> list[tuple[str, str]]:
    """Lines from a moment on and their messages; those that are new at the end, if wanted."""
    numbers = random.Random(seed)
    texts = [numbers.choice(_MESSAGES) for _ in range(count)] + list(NEW if new else ())
    lines = []
    utc = start.utc
    for text in texts:
        utc += timedelta(seconds=numbers.randrange(1, 50), microseconds=numbers.randrange(10**6))
        time = Moment(utc, start.offset, start.zone).write(form)
        level = _LEVELS.get(text, "INFO")
        while "{n}" in text:
            text = text.replace("{n}", str(numbers.randrange(1, 9999)), 1)
        text = text.replace("{ip}", f"10.0.{numbers.randrange(256)}.{numbers.randrange(256)}")
        lines.append((head(time, level, numbers) + text, text))
    return lines


#: When training ends and detection begins: an hour, a day, a month, a year later, and in summer.
TRAINING = Moment(datetime(2024, 11, 14, 7, 12, 7, 412345))
LATER = {
    "an hour": Moment(datetime(2024, 11, 14, 13, 2, 1, 5)),
    "a day": Moment(datetime(2024, 11, 25, 0, 0, 3, 50)),
    "a month": Moment(datetime(2024, 12, 5, 3, 4, 5, 87000)),
    "a year": Moment(datetime(2026, 1, 2, 11, 0, 59, 999000)),
    "summer": Moment(datetime(2025, 7, 5, 21, 47, 31, 87021), 2, "CEST"),
}
