"""Headers before messages, as logs have them and as the rules take them off again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from logexport.logs.headers import Header
from logexport.logs.joining import read_alone
from logexport.logs.preprocess import LineParser
from logexport.selftest.sampling import draw

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

    def put_before(self, message: str, slot: int) -> str:
        """The message with a header before it, perhaps on a line of its own; as it is if the rules
        have none."""
        self._ticks += 1
        if not self._makers or self._random.random() < 0.03:
            return message
        maker = self._makers[0]
        if self._random.random() < 0.1:
            maker = self._random.choice(self._makers)
        return maker(message, self._hosts[slot % len(self._hosts)])

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
