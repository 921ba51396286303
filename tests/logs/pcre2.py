"""PCRE2 by ctypes, used as the C engine uses it: UTF, no UCP, newline LF."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

LIBRARY = "libpcre2-8.so.0"

_UTF = 0x00080000
_ANCHORED = 0x80000000
_NOTEMPTY = 0x00000004
_NEWLINE_LF = 2
_NO_UTF_CHECK = 0x40000000
_SUBSTITUTE_GLOBAL = 0x00000100
_NO_AUTO_POSSESS = 0x00004000
_NO_START_OPTIMIZE = 0x00010000
_JIT_COMPLETE = 1
_JIT_STACK = (32 << 10, 64 << 20)  # bytes at first and at most, as the engine has them
_HEAP_LIMIT = 1 << 20  # KiB, as the engine has it
_NO_LIMIT = 0xFFFFFFFF
_NO_MATCH = -1
_MATCH_LIMIT = -47
_UNSET = ctypes.c_size_t(-1).value


def load() -> ctypes.CDLL | None:
    """The library, or None where it is absent."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    declare: list[tuple[str, object, list[object]]] = [
        ("pcre2_compile_context_create_8", pointer, [pointer]),
        ("pcre2_set_newline_8", ctypes.c_int, [pointer, ctypes.c_uint32]),
        (
            "pcre2_compile_8",
            pointer,
            [ctypes.c_char_p, size, ctypes.c_uint32, pointer, pointer, pointer],
        ),
        ("pcre2_code_free_8", None, [pointer]),
        ("pcre2_match_data_create_from_pattern_8", pointer, [pointer, pointer]),
        ("pcre2_match_data_free_8", None, [pointer]),
        (
            "pcre2_match_8",
            ctypes.c_int,
            [pointer, ctypes.c_char_p, size, size, ctypes.c_uint32, pointer, pointer],
        ),
        ("pcre2_jit_compile_8", ctypes.c_int, [pointer, ctypes.c_uint32]),
        (
            "pcre2_jit_match_8",
            ctypes.c_int,
            [pointer, ctypes.c_char_p, size, size, ctypes.c_uint32, pointer, pointer],
        ),
        ("pcre2_jit_stack_create_8", pointer, [size, size, pointer]),
        ("pcre2_jit_stack_assign_8", None, [pointer, pointer, pointer]),
        ("pcre2_jit_stack_free_8", None, [pointer]),
        ("pcre2_match_context_create_8", pointer, [pointer]),
        ("pcre2_match_context_free_8", None, [pointer]),
        ("pcre2_set_match_limit_8", ctypes.c_int, [pointer, ctypes.c_uint32]),
        ("pcre2_set_depth_limit_8", ctypes.c_int, [pointer, ctypes.c_uint32]),
        ("pcre2_set_heap_limit_8", ctypes.c_int, [pointer, ctypes.c_uint32]),
        (
            "pcre2_substitute_8",
            ctypes.c_int,
            [
                *(pointer, ctypes.c_char_p, size, size, ctypes.c_uint32, pointer, pointer),
                *(ctypes.c_char_p, size, ctypes.c_char_p, ctypes.POINTER(size)),
            ],
        ),
        ("pcre2_get_ovector_pointer_8", ctypes.POINTER(size), [pointer]),
        ("pcre2_get_ovector_count_8", ctypes.c_uint32, [pointer]),
        ("pcre2_get_error_message_8", ctypes.c_int, [ctypes.c_int, ctypes.c_char_p, size]),
    ]
    for name, result, arguments in declare:
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Pattern:
    """A compiled pattern.

    Args:
        library: PCRE2.
        pattern: in its syntax.
        options: of compiling, beside UTF.

    Raises:
        ValueError: PCRE2 does not compile it.
    """

    def __init__(self, library: ctypes.CDLL, pattern: str, options: int = 0) -> None:
        self._library = library
        data = pattern.encode()
        error, offset = ctypes.c_int(), ctypes.c_size_t()
        context = library.pcre2_compile_context_create_8(None)
        library.pcre2_set_newline_8(context, _NEWLINE_LF)
        self._code = library.pcre2_compile_8(
            data, len(data), _UTF | options, ctypes.byref(error), ctypes.byref(offset), context
        )
        if not self._code:
            text = ctypes.create_string_buffer(256)
            library.pcre2_get_error_message_8(error, text, 256)
            raise ValueError(f"{pattern!r}: {text.value.decode()} at {offset.value}")
        self._match_data = library.pcre2_match_data_create_from_pattern_8(self._code, None)

    def __del__(self) -> None:
        if getattr(self, "_code", None):
            self._library.pcre2_match_data_free_8(self._match_data)
            self._library.pcre2_code_free_8(self._code)

    def _spans(self, subject: bytes, start: int, options: int) -> list[tuple[int, int] | None]:
        status = self._library.pcre2_match_8(
            self._code, subject, len(subject), start, options, self._match_data, None
        )
        if status == _NO_MATCH:
            return []
        if status < 0:
            raise RuntimeError(f"pcre2_match: {status}")
        vector = self._library.pcre2_get_ovector_pointer_8(self._match_data)
        count = self._library.pcre2_get_ovector_count_8(self._match_data)
        pairs = [(vector[2 * i], vector[2 * i + 1]) for i in range(count)]
        return [None if first == _UNSET else (first, last) for first, last in pairs]

    def _groups(self, text: str, options: int) -> list[str | None] | None:
        subject = text.encode()
        spans = self._spans(subject, 0, options)
        return [s and subject[s[0] : s[1]].decode() for s in spans] or None

    def match(self, text: str) -> list[str | None] | None:
        """Group 0 and the others of a match at the start of ``text``, or None."""
        return self._groups(text, _ANCHORED)

    def search(self, text: str) -> list[str | None] | None:
        """As :meth:`match`, of the first match anywhere."""
        return self._groups(text, 0)

    def sub(self, replace: Callable[[list[str | None]], str], text: str) -> str:
        """Every match that is not empty replaced."""
        subject = text.encode()
        out, at = b"", 0
        while spans := self._spans(subject, at, _NOTEMPTY):
            whole = spans[0]
            assert whole is not None
            groups = [s and subject[s[0] : s[1]].decode() for s in spans]
            out += subject[at : whole[0]] + replace(groups).encode()
            at = whole[1]
        return (out + subject[at:]).decode()


class _InContext(Pattern):
    """A pattern that is matched in a context, which has limits.

    Args:
        library, pattern, options: see :class:`Pattern`.
        jit: compile it to machine code, as the C engine does; else it is interpreted.

    Raises:
        ValueError: PCRE2 does not compile it, or has no JIT on this machine.
    """

    def __init__(
        self, library: ctypes.CDLL, pattern: str, options: int = 0, *, jit: bool = False
    ) -> None:
        super().__init__(library, pattern, options)
        if jit and library.pcre2_jit_compile_8(self._code, _JIT_COMPLETE) != 0:
            raise ValueError("PCRE2 has no JIT on this machine")
        self._context = library.pcre2_match_context_create_8(None)
        self._stack = library.pcre2_jit_stack_create_8(*_JIT_STACK, None) if jit else None
        if jit:
            library.pcre2_jit_stack_assign_8(self._context, None, self._stack)

    def __del__(self) -> None:
        if getattr(self, "_context", None):
            self._library.pcre2_match_context_free_8(self._context)
            self._library.pcre2_jit_stack_free_8(self._stack)  # which may be none
        super().__del__()


class StepCounter(_InContext):
    """A pattern at the start of a text, that tells how many steps the matcher goes.

    A step is a place to go back to. Repetitions that PCRE2 would not go back into count too: so
    each character that is read on a way that fails is a step, and no time is hidden.
    """

    def __init__(self, library: ctypes.CDLL, pattern: str) -> None:
        super().__init__(library, pattern, _ANCHORED | _NO_AUTO_POSSESS | _NO_START_OPTIMIZE)

    def ends_within(self, text: str, steps: int) -> bool:
        """Whether the matcher says yes or no to a text after so many steps at most."""
        subject = text.encode()
        self._library.pcre2_set_match_limit_8(self._context, steps)
        status = self._library.pcre2_match_8(
            self._code, subject, len(subject), 0, 0, self._match_data, self._context
        )
        if status < _NO_MATCH and status != _MATCH_LIMIT:
            raise RuntimeError(f"pcre2_match: {status}")
        return bool(status != _MATCH_LIMIT)

    def count(self, text: str) -> int:
        """The fewest steps within which it does."""
        most = 1
        while not self.ends_within(text, most):
            most *= 2
        few, enough = most // 2, most
        while enough - few > 1:
            middle = (few + enough) // 2
            few, enough = (few, middle) if self.ends_within(text, middle) else (middle, enough)
        return enough


class JitPattern(_InContext):
    """A pattern at the start of a text, compiled to machine code as the C engine does.

    Raises:
        ValueError: PCRE2 does not compile it, or has no JIT on this machine.
    """

    def __init__(self, library: ctypes.CDLL, pattern: str) -> None:
        super().__init__(library, pattern, _ANCHORED, jit=True)
        library.pcre2_set_match_limit_8(self._context, _NO_LIMIT)

    def matches(self, subject: bytes) -> bool:
        """Whether the pattern matches; of bytes, since a caller that measures has encoded them."""
        status = self._library.pcre2_jit_match_8(
            self._code, subject, len(subject), 0, 0, self._match_data, self._context
        )
        if status < _NO_MATCH:
            raise RuntimeError(f"pcre2_jit_match: {status}")
        return bool(status != _NO_MATCH)


class Substitution(_InContext):
    """A pattern whose matches are all replaced by one character, within the engine's limits.

    Args:
        library: PCRE2.
        pattern: in its syntax.
        jit: compile it to machine code; else it is interpreted.

    Raises:
        ValueError: PCRE2 does not compile it, or has no JIT on this machine.
    """

    def __init__(self, library: ctypes.CDLL, pattern: str, jit: bool) -> None:
        super().__init__(library, pattern, jit=jit)
        library.pcre2_set_match_limit_8(self._context, _NO_LIMIT)
        library.pcre2_set_depth_limit_8(self._context, _NO_LIMIT)
        library.pcre2_set_heap_limit_8(self._context, _HEAP_LIMIT)

    def run(self, subject: bytes) -> int:
        """How many matches were replaced.

        Raises:
            RuntimeError: a limit ended it.
        """
        room = ctypes.create_string_buffer(2 * len(subject) + 16)
        length = ctypes.c_size_t(len(room))
        done = self._library.pcre2_substitute_8(
            self._code, subject, len(subject), 0,
            _SUBSTITUTE_GLOBAL | _NO_UTF_CHECK | _NOTEMPTY, self._match_data, self._context,
            b"#", 1, room, ctypes.byref(length),
        )  # fmt: skip
        if done < 0:
            raise RuntimeError(f"pcre2_substitute: {done}")
        return int(done)
