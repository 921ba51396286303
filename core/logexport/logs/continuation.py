r"""Continuation lines: what belongs to the record before it, decided line by line.

Rules (the reference; the engine's ``native/src/continuation.c`` has the same). They look at the
text of a line that is not blank and that no header matches, opened if it is structured, and at
what the lines before it left behind (:class:`Trace`). The answer is one of these
(:class:`Answer`):

- *nothing*: like a blank line. Frames of stack traces, their openers and closing words, and
  indented lines after a record that has a head.
- *names*: an event in the session of the record before: the line names an exception.
- *perhaps names*: the same, but nothing ties the line to that record but its look.
- *event*: a record of its own.

What a text looks like, whatever came before (:func:`look_at`), and what the lines before left
behind (:class:`State`): the table in docs/verdicts.md, "Continuation lines", lists both, kind by
kind. Every test here is on ASCII characters and takes time that grows with the length of the text
alone.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from logexport.logs.lines import WHITE_SPACE
from logexport.logs.pids import FIELD_LEVELS

__all__ = [
    "Answer",
    "Look",
    "State",
    "Trace",
    "look_at",
    "opens",
]


class State(Enum):
    """What the next lines may be part of."""

    NONE = 0
    PYTHON = 1
    GO = 2
    NODE_SOURCE = 3
    NODE_CARET = 4
    NODE_NAME = 5
    NODE_OBJECT = 6
    RUST_NAME = 7
    RUST = 8
    PHP = 9
    POSTGRES = 10
    PYTHON_GROUP = 11
    RUBY = 12


class Answer(Enum):
    """What a line is."""

    NOTHING = 0
    NAMES = 1
    PERHAPS_NAMES = 2
    EVENT = 3


class Look(NamedTuple):
    """What a text looks like.

    Args:
        nothing: a frame, an opener or a closing word, whatever came before.
        names: it names an exception.
        bars: a bar of an exception group stands before its text.
        opens: the state after it, if it is nothing or names an exception.
        indented: it begins with white space.
        tab: it begins with TAB.
        caret: nothing but ``^`` and white space.
        closing: ``}`` or ``"}``, perhaps with white space after it.
        call: what stands in Go's traces without indentation.
        brace: its last character is ``{``.
    """

    nothing: bool = False
    names: bool = False
    bars: bool = False
    opens: State = State.NONE
    indented: bool = False
    tab: bool = False
    caret: bool = False
    closing: bool = False
    call: bool = False
    brace: bool = False


_TRACEBACK = "Traceback (most recent call last):"
_BETWEEN = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
_BARS = WHITE_SPACE + "|+-"
_AT = ("at ", "bei ", "à ")
_MORE = (" more", " common frames omitted", " lines matching cause stack trace ...")
_FRAMES_LEFT_OUT = (" frames truncated", " frames excluded")
_SCRIPTS = (".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx")
_PHP_OPENERS = ("Stack trace:", "PHP Stack trace:", "[stacktrace]")
_FIELDS = tuple(f"{level}:  " for level in FIELD_LEVELS)
_NODE_MODULES = (
    *("assert", "buffer", "child_process", "cluster", "crypto", "dgram", "dns", "events", "fs"),
    *("http", "http2", "https", "module", "net", "path", "process", "querystring", "readline"),
    *("repl", "stream", "timers", "tls", "url", "util", "v8", "vm", "worker_threads", "zlib"),
)
_BEFORE_NAME = (
    *("Caused by: ", "Wrapped by: ", "Suppressed: ", "---> ", "[cause]: ", "Unhandled exception. "),
    *("Unhandled Exception: ", "Uncaught ", "Next "),
)
_INNER = "(Inner Exception #"
_IN_THREAD = 'Exception in thread "'
_ENDINGS = ("Exception", "ExceptionGroup", "Error", "Throwable")
_DIGITS = "0123456789"
_HEX = "0123456789abcdef"
_NAME = re.compile(r"[A-Za-z0-9_.$:\\]*")


def opens(text: str) -> State:
    """The state after an event whose message is this."""
    text = text.rstrip(WHITE_SPACE)
    if not text.endswith(":"):
        return State.NONE
    if text.endswith(_TRACEBACK):
        return State.PYTHON
    return State.RUST_NAME if _is_rust_opener(text) else State.NONE


def look_at(text: str) -> Look:
    """What a text that is not blank looks like."""
    inside = text.lstrip(WHITE_SPACE)
    inside_end = inside.rstrip(WHITE_SPACE)
    if len(inside) < len(text):
        return _look_at_indented(text, inside_end)
    return _look_at_unindented(inside_end)


def _look_at_indented(text: str, inside: str) -> Look:
    tab = text[0] == "\t"
    look = Look(indented=True, tab=tab, brace=inside.endswith("{"))
    after_bars = inside.lstrip(_BARS)
    if _is_python_opener(after_bars):
        return look._replace(nothing=True, opens=State.PYTHON)
    if after_bars in _BETWEEN:
        return look._replace(nothing=True)
    if after_bars.startswith('File "') and '", line ' in after_bars:
        return look._replace(nothing=True, opens=State.PYTHON)
    if inside.startswith(_AT) and _is_frame(inside):
        after = State.NODE_OBJECT if inside.endswith("{") else State.NONE
        return look._replace(nothing=True, opens=after)
    if (
        (inside.startswith("... ") and _is_more(inside))
        or inside.startswith("[CIRCULAR REFERENCE")
        or _is_end_of(inside)
        or (tab and _is_go_place(inside))
        or (inside.startswith("from ") and _find_in(inside) >= 0)
        or (inside.startswith("thrown in ") and " on line " in inside)
    ):
        return look._replace(nothing=True)
    if not inside.strip("^" + WHITE_SPACE):
        return look._replace(caret=True)
    return look._replace(names=_names_exception(inside), bars=inside[0] in "|+")


def _look_at_unindented(text: str) -> Look:
    state = _opened_by(text)
    if state is not None:
        return Look(nothing=True, opens=state)
    if (
        text in _BETWEEN
        or _is_end_of(text)
        or text.startswith("[signal SIG")
        or (text.startswith("Node.js v") and text[9:10] in tuple(_DIGITS))
        or (text.startswith("note: ") and "RUST_BACKTRACE" in text)
    ):
        return Look(nothing=True)
    ruby = _ruby(text)
    if ruby is not None:
        if ruby == "frame":
            return Look(nothing=True)
        return Look(names=True, opens=State.RUBY)
    return Look(
        names=_names_exception(text),
        caret=not text.strip("^" + WHITE_SPACE),
        closing=text in ("}", '"}'),
        call=_is_go_call(text),
        brace=text.endswith("{"),
    )


def _opened_by(text: str) -> State | None:
    """The state after a line without indentation that is an opener or a frame with a state."""
    if _is_python_opener(text) or (text.startswith('> File "') and '", line ' in text):
        return State.PYTHON
    if text == "runtime stack:":
        return State.GO
    if text.startswith("goroutine ") and text[10:11] in tuple(_DIGITS) and text.endswith("]:"):
        return State.GO
    if _is_node_place(text):
        return State.NODE_SOURCE
    if text.startswith("thread '") and _is_rust_opener(text):
        return State.RUST_NAME
    if text in ("stack backtrace:", "Stack backtrace:"):
        return State.RUST
    if text in _PHP_OPENERS or _is_php_frame(text) or _is_xdebug_frame(text):
        return State.PHP
    if text.startswith(_FIELDS):
        return State.POSTGRES
    return None


def _is_python_opener(text: str) -> bool:
    return text.removeprefix("Exception Group ") == _TRACEBACK


def _is_end_of(text: str) -> bool:
    return text.startswith("--- End of ") and text.endswith("---") and "stack trace" in text


def _is_more(text: str) -> bool:
    """``... N more`` and the like, of a text that begins with ``... ``."""
    rest = text[4:].lstrip(_DIGITS)
    return len(rest) < len(text) - 4 and (rest in _MORE or rest.startswith(_FRAMES_LEFT_OUT))


def _ends_with_place(text: str) -> bool:
    """``:`` and digits at the end."""
    rest = text.rstrip(_DIGITS)
    return len(rest) < len(text) and rest.endswith(":")


def _is_frame(text: str) -> bool:
    """Whether ``at …`` is a frame.

    It has one of ``( / \\ < [``. Without ``{`` and white at its end, it ends with one of these:

    - a place: ``:N``, or ``:`` with perhaps a space, a word, a space, ``N`` and perhaps a dot;
    - a place in brackets: ``:N)`` (hexadecimal too), ``<anonymous>)``, ``native)``, ``(index N)``;
    - ``<anonymous>`` or ``}``;
    - ``)`` or ``]``, if it is a call: after ``at `` and perhaps ``async `` or ``new `` stands what
      has a dot, no white and no digit in front, up to the first ``(``; or ``lambda_method(``.
    """
    if not any(character in text for character in "(/\\<["):
        return False
    text = text.removesuffix("{").rstrip(WHITE_SPACE)
    if text.endswith(("<anonymous>", "}", "<anonymous>)", "native)")):
        return True
    if text.endswith((")", "]")):
        return _ends_with_place_in_brackets(text) or _is_call(text)
    text = text.removesuffix(".")
    rest = text.rstrip(_DIGITS)
    if len(rest) == len(text):
        return False
    if rest.endswith(" "):
        rest = rest[: -1 - _length_of_word(rest[:-1])].removesuffix(" ")
    return rest.endswith(":")


def _length_of_word(text: str) -> int:
    """How many characters at the end are neither white nor a colon."""
    place = len(text)
    while place > 0 and text[place - 1] not in WHITE_SPACE + ":":
        place -= 1
    return len(text) - place


def _ends_with_place_in_brackets(text: str) -> bool:
    inside = text[:-1]
    rest = inside.rstrip(_HEX + "x")
    return text[-1] == ")" and len(rest) < len(inside) and rest.endswith((":", "(index "))


def _is_call(text: str) -> bool:
    body = text[text.find(" ") + 1 :]
    body = body.removeprefix("async ").removeprefix("new ")
    name = body[: body.find("(")]
    if "(" not in body or any(character in name for character in WHITE_SPACE):
        return False
    return name == "lambda_method" or ("." in name and name[0] not in _DIGITS)


def _is_go_place(text: str) -> bool:
    """``….go:N``, perhaps with white and more after it."""
    place = text.find(".go:")
    if place < 0:
        return False
    rest = text[place + 4 :]
    after = rest.lstrip(_DIGITS)
    return len(after) < len(rest) and (not after or after[0] in WHITE_SPACE)


def _is_go_call(text: str) -> bool:
    if text.startswith(("created by ", "exit status ")) or _is_register(text):
        return True
    if text.startswith("...") and text.endswith(" frames elided..."):
        return True
    # Types may have white space, as in "main.(*Shop).place(0xc0, {0x1, 0x2})".
    begin = text.find("(")
    name = text[: max(begin, 0)]
    if not text.endswith(")") or any(c in name for c in WHITE_SPACE):
        return False
    return "." in name or name == "panic"


def _is_register(text: str) -> bool:
    """``rax    0xca``, as a crash of Go ends with."""
    name, _, value = text.partition(" ")
    value = value.lstrip(" ")
    if not 0 < len(name) < 8 or any(c in name for c in WHITE_SPACE):
        return False
    return value[:2] == "0x" and len(value) > 2 and not value[2:].strip(_HEX)


def _is_node_place(text: str) -> bool:
    rest = text.rstrip(_DIGITS)
    if len(rest) == len(text) or not rest.endswith(":") or any(c in text for c in WHITE_SPACE):
        return False
    if not rest.startswith("node:"):
        return rest[:-1].endswith(_SCRIPTS)
    # Not "node:10" and "node:web-1:8080".
    module = rest[5:-1]
    return module.startswith("internal/") or module in _NODE_MODULES


def _is_rust_opener(text: str) -> bool:
    """``thread '… panicked at …:N:``, perhaps with something before it."""
    if not text.endswith(":") or not _ends_with_place(text[:-1]):
        return False
    begin = text.find("thread '")
    return begin >= 0 and text.find(" panicked at ", begin) >= 0


def _is_php_frame(text: str) -> bool:
    rest = text[1:].lstrip(_DIGITS)
    if text[:1] != "#" or len(rest) == len(text) - 1 or rest[:1] != " ":
        return False
    rest = rest[1:]
    if rest.startswith(("{main}", "[internal function]", "0x")):
        return True
    end = rest.find("):")
    inside = rest[: max(end, 0)].rstrip(_DIGITS)
    # Not "#5 order(7): accepted".
    return end > len(inside) and inside.endswith("(") and ("/" in inside or "\\" in inside)


def _is_xdebug_frame(text: str) -> bool:
    """``PHP   1. main() /a.php:0``."""
    rest = text.removeprefix("PHP  ").lstrip(" ")
    after = rest.lstrip(_DIGITS)
    return text.startswith("PHP  ") and len(after) < len(rest) and after.startswith(". ")


def _find_in(text: str) -> int:
    """Where ``:in `` and a quote stand."""
    found = [place for quote in "`'" if (place := text.find(f":in {quote}")) >= 0]
    return min(found, default=-1)


def _ruby(text: str) -> str | None:
    """``frame`` or ``name``, if the text begins with a place of Ruby."""
    place = _find_in(text)
    if (
        place <= 0
        or not _ends_with_place(text[:place])
        or any(c in text[:place] for c in WHITE_SPACE)
    ):
        return None
    if text.endswith("'"):
        return "frame"
    return "name" if "': " in text[place:] else None


def _names_exception(text: str) -> bool:
    """Of a text without white space at its ends."""
    text = text.lstrip(_BARS) if text[0] in "|+" else text
    if text.startswith(("panic: ", "fatal error: ")):
        return True
    if text.startswith("thread '"):
        return " panicked at '" in text
    for before in _BEFORE_NAME:
        if text.startswith(before):
            text = text[len(before) :]
            break
    if text.startswith(_INNER):
        text = text[text.find(")") + 1 :].lstrip(" ")
    if text.startswith(_IN_THREAD):
        end = text.find('" ', len(_IN_THREAD))
        if end < 0:
            return False
        text = text[end + 2 :]
    name = _NAME.match(text)
    assert name is not None  # noqa: S101 - it may be empty
    end = name.end()
    if end == len(text) and not text.endswith(":"):
        return _is_exception(text)
    after = text[end : end + 2]
    if after in (" (", " [") and not text.endswith(":", 0, end):
        # .NET's "(0x80004005): ", Node's "[ERR_X]: ", and Rails' "(what is wrong):".
        close = ")" if after == " (" else "]"
        closed = f"{close}:" in text[end:] or text.endswith(close)
        return closed and text[:end].endswith(_ENDINGS)
    # The colon after the name is a character of names too.
    return (
        end > 0
        and text[end - 1] == ":"
        and (end == len(text) or text[end] in WHITE_SPACE)
        and _is_exception(text[: end - 1])
    )


def _is_exception(name: str) -> bool:
    if name.endswith(_ENDINGS):
        return True
    if "." not in name or not "a" <= name[0] <= "z":
        return False
    return "A" <= name[name.rfind(".") + 1 :][:1] <= "Z"


class Trace:
    """What the lines before left behind."""

    def __init__(self) -> None:
        self.state = State.NONE

    def take(self, look: Look, text: str, joins_indented: bool) -> Answer:
        """What a line without a head is.

        Args:
            look: of its text.
            text: of the line.
            joins_indented: whether an indented line belongs to the record before.
        """
        answer = self._in_state(look)
        if answer is not None:
            return answer
        self.state = look.opens
        if look.nothing:
            return Answer.NOTHING
        if look.names:
            return Answer.NAMES if joins_indented else Answer.PERHAPS_NAMES
        if look.indented and joins_indented:
            return Answer.NOTHING
        self.state = opens(text)
        return Answer.EVENT

    def end(self, message: str | None = None) -> None:
        """A record begins that is an event, with this message (None: one that nobody reads)."""
        self.state = State.NONE if message is None else opens(message)

    def end_with_field(self) -> None:
        """A field of PostgreSQL that has a head belongs to a record before."""
        self.state = State.POSTGRES

    def _in_state(self, look: Look) -> Answer | None:
        """The answer that the state gives; None if it has none."""
        state = self.state
        if state is State.NONE:
            return None
        if state in (State.RUST_NAME, State.NODE_NAME):
            is_object = state is State.NODE_NAME and look.brace
            self.state = State.NODE_OBJECT if is_object else State.NONE
            return Answer.NAMES
        if state is State.NODE_SOURCE:
            self.state = State.NODE_CARET
            return Answer.NOTHING
        if state is State.NODE_CARET:
            if look.caret:
                self.state = State.NODE_NAME
                return Answer.NOTHING
            return Answer.NOTHING if look.indented else None
        if look.nothing:
            # A frame within a trace leaves its state as it is.
            return Answer.NOTHING if look.indented and look.opens is State.NONE else None
        if state is State.PYTHON:
            if look.indented and not (look.names and look.bars):
                return Answer.NOTHING
            self.state = State.PYTHON_GROUP if look.indented else look.opens
            return Answer.NAMES
        if state is State.PYTHON_GROUP:
            if not look.bars:
                return None
            return Answer.NAMES if look.names else Answer.NOTHING
        if state is State.NODE_OBJECT:
            if look.closing:
                self.state = State.NONE
                return Answer.NOTHING
            if look.indented:
                return Answer.NAMES if look.names else Answer.NOTHING
            return None
        if state is State.GO:
            return Answer.NOTHING if (look.indented and not look.names) or look.call else None
        if state in (State.RUST, State.RUBY):
            return Answer.NOTHING if look.indented and not look.names else None
        if state is State.PHP:
            return Answer.NOTHING if look.closing else None
        return Answer.NOTHING if look.tab else None
