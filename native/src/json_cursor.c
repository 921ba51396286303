#include "json_cursor.h"

#include <string.h>

void le_json_begin(struct le_json_cursor *cursor, const char *text, size_t length)
{
    *cursor = (struct le_json_cursor){.at = text, .end = text + length};
}

/* The text ends for the cursor where it is malformed, so that whatever is asked next fails too. */
static enum le_json_kind fail(struct le_json_cursor *cursor, const char *at, const char *why)
{
    if (cursor->why == NULL)
        cursor->why = why;
    cursor->at = cursor->end = at;
    return LE_JSON_BAD;
}

static inline const char *after_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* --- strings ------------------------------------------------------------------------------------ */

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Not 0 if one of eight bytes is below 0x20, a quote or a backslash: then the lowest bit is that of the
 * first such byte in a word read in little-endian order. Bits above it may be wrong. */
static inline uint64_t stops_of(uint64_t word)
{
    uint64_t quote = word ^ EACH_BYTE('"'), slash = word ^ EACH_BYTE('\\');
    uint64_t found = ((word - EACH_BYTE(0x20)) & ~word) | ((quote - EACH_BYTE(1)) & ~quote) |
                     ((slash - EACH_BYTE(1)) & ~slash);
    return found & EACH_BYTE(0x80);
}

/* Where characters that stand for themselves end. */
static inline const char *plain_end(const char *at, const char *end)
{
    while (end - at >= 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        uint64_t stops = stops_of(word);
        if (stops != 0 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            return at + __builtin_ctzll(stops) / 8;
        if (stops != 0)
            break;
        at += sizeof word;
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* The value of four hexadecimal digits; -1 if they are something else. */
static int read_hex(const char *digits)
{
    int value = 0;
    for (int i = 0; i < 4; i++) {
        char small = (char)(digits[i] | 0x20);
        if (is_digit(digits[i]))
            value = value * 16 + (digits[i] - '0');
        else if (small >= 'a' && small <= 'f')
            value = value * 16 + (small - 'a' + 10);
        else
            return -1;
    }
    return value;
}

/* How long the escape at a backslash is; 0 if JSON has no such escape. */
static ptrdiff_t escape_length(const char *at, const char *end)
{
    if (end - at < 2)
        return 0;
    if (at[1] == 'u')
        return end - at >= 6 && read_hex(at + 2) >= 0 ? 6 : 0;
    return memchr("\"\\/bfnrt", at[1], 8) != NULL ? 2 : 0;
}

/* Takes the string whose quote is at `at`. */
static inline enum le_json_kind take_string(struct le_json_cursor *cursor, const char *at,
                                            struct le_json_span *span)
{
    const char *begin = at + 1, *end = cursor->end;
    for (at = begin;;) {
        at = plain_end(at, end);
        if (at == end)
            return fail(cursor, at, "a string does not end");
        if (*at == '"')
            break;
        if (*at != '\\')
            return fail(cursor, at, "a control character in a string");
        ptrdiff_t length = escape_length(at, end);
        if (length == 0)
            return fail(cursor, at, "an escape that JSON does not have");
        at += length;
    }
    *span = (struct le_json_span){begin, (size_t)(at - begin)};
    cursor->at = at + 1;
    return LE_JSON_STRING;
}

/* --- other values ------------------------------------------------------------------------------- */

static inline const char *digits_end(const char *at, const char *end)
{
    while (at < end && is_digit(*at))
        at++;
    return at;
}

/* Where the number at `at` ends; NULL if it is malformed. */
static inline const char *number_end(const char *at, const char *end)
{
    if (*at == '-')
        at++;
    const char *digits = at;
    at = at < end && *at == '0' ? at + 1 : digits_end(at, end);
    if (at == digits)
        return NULL;
    if (at < end && *at == '.') {
        digits = at + 1;
        if ((at = digits_end(digits, end)) == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        digits = at + 1;
        if (digits < end && (*digits == '+' || *digits == '-'))
            digits++;
        if ((at = digits_end(digits, end)) == digits)
            return NULL;
    }
    return at;
}

static inline enum le_json_kind take_number(struct le_json_cursor *cursor, const char *at,
                                            struct le_json_span *span)
{
    const char *end = number_end(at, cursor->end);
    if (end == NULL)
        return fail(cursor, at, "a malformed number");
    *span = (struct le_json_span){at, (size_t)(end - at)};
    cursor->at = end;
    return LE_JSON_NUMBER;
}

static inline enum le_json_kind take_word(struct le_json_cursor *cursor, const char *at,
                                          const char *word, enum le_json_kind kind,
                                          struct le_json_span *span)
{
    size_t length = strlen(word);
    if ((size_t)(cursor->end - at) < length || memcmp(at, word, length) != 0)
        return fail(cursor, at, "a word that is not true, false or null");
    *span = (struct le_json_span){at, length};
    cursor->at = at + length;
    return kind;
}

static inline enum le_json_kind open_value(struct le_json_cursor *cursor, const char *at,
                                           enum le_json_kind kind, struct le_json_span *span)
{
    if (cursor->depth == LE_JSON_MAX_DEPTH)
        return fail(cursor, at, "nested too deeply");
    cursor->objects = cursor->objects << 1 | (kind == LE_JSON_OBJECT);
    cursor->depth++;
    cursor->fresh = true;
    *span = (struct le_json_span){at, 1};
    cursor->at = at + 1;
    return kind;
}

static inline enum le_json_kind take(struct le_json_cursor *cursor, struct le_json_span *span)
{
    const char *at = after_space(cursor->at, cursor->end);
    if (at == cursor->end)
        return fail(cursor, at, "a value is missing at the end");
    switch (*at) {
    case '"':
        return take_string(cursor, at, span);
    case '{':
        return open_value(cursor, at, LE_JSON_OBJECT, span);
    case '[':
        return open_value(cursor, at, LE_JSON_ARRAY, span);
    case 't':
        return take_word(cursor, at, "true", LE_JSON_TRUE, span);
    case 'f':
        return take_word(cursor, at, "false", LE_JSON_FALSE, span);
    case 'n':
        return take_word(cursor, at, "null", LE_JSON_NULL, span);
    default:
        if (*at == '-' || is_digit(*at))
            return take_number(cursor, at, span);
        return fail(cursor, at, "something that does not begin a value");
    }
}

/* Goes to the next member of the innermost array or object: 1, 0 or -1 as le_json_next_key(). */
static inline int advance(struct le_json_cursor *cursor, bool in_object)
{
    const char *at = after_space(cursor->at, cursor->end), *end = cursor->end;
    if (cursor->depth == 0 || (cursor->objects & 1) != in_object) {
        fail(cursor, at, "not in an array or object of that kind");
        return -1;
    }
    if (at < end && *at == (in_object ? '}' : ']')) {
        cursor->objects >>= 1;
        cursor->depth--;
        cursor->fresh = false;
        cursor->at = at + 1;
        return 0;
    }
    if (!cursor->fresh) {
        if (at == end || *at != ',') {
            fail(cursor, at, "no comma or bracket after a value");
            return -1;
        }
        at = after_space(at + 1, end);
    }
    cursor->fresh = false;
    cursor->at = at;
    return 1;
}

static inline int next_key(struct le_json_cursor *cursor, struct le_json_span *key)
{
    int more = advance(cursor, true);
    if (more != 1)
        return more;
    const char *at = cursor->at;
    if (at == cursor->end || *at != '"') {
        fail(cursor, at, "a key is missing");
        return -1;
    }
    if (take_string(cursor, at, key) == LE_JSON_BAD)
        return -1;
    at = after_space(cursor->at, cursor->end);
    if (at == cursor->end || *at != ':') {
        fail(cursor, at, "no colon after a key");
        return -1;
    }
    cursor->at = after_space(at + 1, cursor->end);
    return 1;
}

/* --- the interface ------------------------------------------------------------------------------ */

enum le_json_kind le_json_take(struct le_json_cursor *cursor, struct le_json_span *span)
{
    return take(cursor, span);
}

int le_json_next_key(struct le_json_cursor *cursor, struct le_json_span *key)
{
    return next_key(cursor, key);
}

int le_json_next_item(struct le_json_cursor *cursor)
{
    return advance(cursor, false);
}

bool le_json_skip(struct le_json_cursor *cursor)
{
    struct le_json_span unused;
    unsigned outside = cursor->depth;
    do {
        if (take(cursor, &unused) == LE_JSON_BAD)
            return false;
        int more = 0;
        while (more == 0 && cursor->depth > outside) {
            more = cursor->objects & 1 ? next_key(cursor, &unused) : advance(cursor, false);
            if (more < 0)
                return false;
        }
    } while (cursor->depth > outside);
    return true;
}

bool le_json_at_end(struct le_json_cursor *cursor)
{
    cursor->at = after_space(cursor->at, cursor->end);
    return cursor->at == cursor->end && cursor->depth == 0 && cursor->why == NULL;
}

/* --- what a string means ------------------------------------------------------------------------ */

static size_t encode(unsigned code, char bytes[4])
{
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    size_t length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6)
        bytes[i] = (char)(0x80 | (code & 0x3F));
    bytes[0] = (char)(0xF0u << (4 - length) | code);
    return length;
}

/* Reads the \u escape at `at`, with the second one of a pair. Returns where it ends. */
static const char *read_unicode(const char *at, const char *end, unsigned *code, bool *lone)
{
    *code = (unsigned)read_hex(at + 2);
    at += 6;
    if (*code < 0xD800 || *code > 0xDFFF)
        return at;
    if (*code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
        unsigned low = (unsigned)read_hex(at + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *code = 0x10000 + ((*code - 0xD800) << 10) + (low - 0xDC00);
            return at + 6;
        }
    }
    *code = 0xFFFD;
    *lone = true;
    return at;
}

static char meaning_of(char escaped)
{
    switch (escaped) {
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return escaped;
    }
}

bool le_json_unescape(struct le_json_span span, struct le_buffer *out, bool *lone)
{
    const char *at = span.text, *end = at + span.length;
    bool found_lone = false;
    if (!le_buffer_reserve(out, span.length)) /* an escape is longer than what it means */
        return false;
    while (at < end) {
        const char *slash = memchr(at, '\\', (size_t)(end - at));
        const char *plain = slash != NULL ? slash : end;
        le_buffer_append(out, at, (size_t)(plain - at));
        if (slash == NULL)
            break;
        if (slash[1] == 'u') {
            unsigned code;
            char bytes[4];
            at = read_unicode(slash, end, &code, &found_lone);
            le_buffer_append(out, bytes, encode(code, bytes));
        } else {
            char meant = meaning_of(slash[1]);
            le_buffer_append(out, &meant, 1);
            at = slash + 2;
        }
    }
    if (lone != NULL)
        *lone = found_lone;
    return true;
}
