"""Headers before messages, as logs have them and as the rules take them off again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import TYPE_CHECKING

from logexport.logs.headers import Header
from logexport.logs.joining import read_alone
from logexport.logs.patterns import analyse
from logexport.logs.preprocess import LineParser, ParsedLine
from logexport.selftest.sampling import draw
from logexport.selftest.values import KeptValues

if TYPE_CHECKING:
    from logexport.logs.preprocess import Preprocess

_HEADERS = (
    "{month} {day:2d} {clock} {host} app[{n}]: {message}",
    "{month} {day:2d} {clock} {host} {message}",
    "<13>1 2024-06-{day:02d}T{clock}Z {host} app {n} - - {message}",
    "0811{day:02d} {digits} {n} INFO app.Server: {message}",
    "[Sun Jun {day:2d} {clock} 2024] [error] {message}",
    "[{n:5d}.{digits}] {message}",
    "[Sun Jun {day:2d} {clock} 2024] {message}",
    "2024-06-{day:02d}T{clock}Z {host} app[{n}]: {message}",
    "2024-06-{day:02d} {clock},123 {message}",
)
"""Headers as logs have them, preferred to drawn ones if the rules take them."""

_TRIES = 30
"""Headers that are drawn for a message with kept fields."""


class MessageHeaders:
    """Headers for messages, each tried on the user's patterns."""

    def __init__(self, preprocess: Preprocess, random: Random) -> None:
        # Structured forms are put around what this makes.
        self._parser = LineParser(replace(preprocess, structured=()))
        self._random = random
        self._hosts = ("alpha", "bravo", "charlie-9")
        self._ticks = 0
        self._makers: list[Callable[[str, str], str]] = []
        for header in preprocess.headers:
            maker = self._make_maker(header)
            if maker is not None:
                self._makers.append(maker)
        self._kept = KeptValues(preprocess.keep, random)
        kept = {one.field for one in preprocess.keep}
        self._with_kept = [
            (header, kept & set(analyse(header.pattern, f"header {header.name!r}").names))
            for header in preprocess.headers
            if kept
        ]

    def put_before(
        self, message: str, slot: int, kept: Mapping[str, str | None] = MappingProxyType({})
    ) -> str:
        """The message with a header before it, perhaps on a line of its own; as it is if the rules
        have none.

        Args:
            message: what stands behind the header.
            slot: the number of a session.
            kept: values of fields that a header that has them must say; None is one that it must
                not say.
        """
        self._ticks += 1
        if kept and self._with_kept:
            return self._put_kept(message, self._hosts[slot % len(self._hosts)], kept)
        if not self._makers or self._random.random() < 0.03:
            return message
        maker = self._makers[0]
        if self._random.random() < 0.1:
            maker = self._random.choice(self._makers)
        return maker(message, self._hosts[slot % len(self._hosts)])

    def _put_kept(self, message: str, host: str, kept: Mapping[str, str | None]) -> str:
        """The message behind a drawn header that agrees with the kept fields, or as it is."""
        groups = {field: value for field, value in kept.items() if value is not None}
        for _ in range(_TRIES):
            header, fields = self._random.choice(self._with_kept)
            drawn = {"host": host, **groups, "message": message}
            first, _, rest = message.partition(" ")
            if header.next_line:  # the header has nothing of the message, or its first word
                drawn["message"], rest = self._random.choice((("", message), (first, rest)))
            text = draw(header.pattern, self._random, drawn)
            if header.next_line:
                text += "\n      " + rest
            parsed = self._parse(text)
            of_header = {field: value for field, value in kept.items() if field in fields}
            if (
                parsed is not None
                and parsed.header == header.name
                and parsed.message == message
                and self._kept.agree(parsed.kept, of_header)
            ):
                return text
        return message

    def _parse(self, text: str) -> ParsedLine | None:
        """What the rules make of the lines of one record; None if they are none, or several."""
        raw = text.encode("utf-8", "surrogateescape")
        parsed = [record.parsed for record in read_alone(self._parser, raw)]
        return parsed[0] if len(parsed) == 1 else None

    def _make_maker(self, header: Header) -> Callable[[str, str], str] | None:
        if header.next_line:
            return self._make_next_line_maker(header)
        for form in _HEADERS:

            def plausible(message: str, host: str, form: str = form) -> str:
                second = self._ticks
                clock = f"{second // 3600 % 24:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
                return form.format(
                    month="Jun",
                    day=14,
                    clock=clock,
                    digits=clock.replace(":", ""),
                    host=host,
                    n=100 + second % 900,
                    message=message,
                )

            if self._works(header, plausible):
                return plausible
        for _ in range(20):
            seed = self._random.getrandbits(32)

            def drawn(message: str, host: str, seed: int = seed) -> str:
                groups = {"message": message, "host": host}
                return draw(header.pattern, Random(seed), groups)  # noqa: S311

            if self._works(header, drawn):
                return drawn

            def hostless(message: str, host: str, seed: int = seed) -> str:
                return draw(header.pattern, Random(seed), {"message": message})  # noqa: S311

            if self._works(header, hostless):
                return hostless
        return None

    def _make_next_line_maker(self, header: Header) -> Callable[[str, str], str] | None:
        for _ in range(20):
            seed = self._random.getrandbits(32)

            def next_line(message: str, host: str, seed: int = seed) -> str:
                groups = {"message": "", "host": host}
                return draw(header.pattern, Random(seed), groups) + "\n      " + message  # noqa: S311

            if self._works(header, next_line):
                return next_line

        def split(message: str, host: str, seed: int = seed) -> str:
            first, _, rest = message.partition(" ")  # the header has the message's first word
            groups = {"message": first, "host": host}
            return draw(header.pattern, Random(seed), groups) + "\n      " + rest  # noqa: S311

        return split

    def _works(self, header: Header, maker: Callable[[str, str], str]) -> bool:
        for message in ("connection closed", "x"):
            raw = maker(message, self._hosts[0]).encode("utf-8", "replace")
            parsed = [record.parsed for record in read_alone(self._parser, raw)]
            if len(parsed) != 1 or parsed[0] is None or parsed[0].header != header.name:
                return False
            if parsed[0].message != message:
                return False
        return True
