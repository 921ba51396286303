#include "decoding.h"

static const struct {
    enum le_encoding encoding;
    const char *name, *spoken;
} ENCODINGS[] = {
    {LE_UTF_8, "utf-8", "UTF-8"},
    {LE_UTF_16LE, "utf-16le", "UTF-16LE"},
    {LE_UTF_16BE, "utf-16be", "UTF-16BE"},
};

static const struct {
    enum le_encoding encoding;
    size_t length;
    const char *bytes;
} MARKS[] = {
    {LE_UTF_16LE, 2, "\xff\xfe"},
    {LE_UTF_16BE, 2, "\xfe\xff"},
    {LE_UTF_8, 3, "\xef\xbb\xbf"},
};

enum { FEWEST = 16 }; /* bytes that show anything about their encoding */

enum le_encoding le_encoding_of(const char *name)
{
    for (size_t i = 0; i < sizeof ENCODINGS / sizeof *ENCODINGS; i++)
        if (strcmp(ENCODINGS[i].name, name) == 0)
            return ENCODINGS[i].encoding;
    return LE_BYTES;
}

static void begin_file(struct le_decoding *decoding)
{
    decoding->mark = LE_MARK_UNKNOWN;
    decoding->begin_length = decoding->rest_length = 0;
}

void le_decoding_init(struct le_decoding *decoding, enum le_encoding encoding)
{
    *decoding = (struct le_decoding){.encoding = encoding};
}

void le_decoding_free(struct le_decoding *decoding)
{
    le_buffer_free(&decoding->out);
    *decoding = (struct le_decoding){0};
}

/* --- marks ------------------------------------------------------------------------------------- */

/* Looks for a mark in `begin`; with `end` there are no more bytes. Sets *length: the mark's. False:
 * more bytes are needed to tell. */
static bool find_mark(struct le_decoding *decoding, bool end, size_t *length)
{
    bool undecided = false;
    *length = 0;
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        size_t most = MARKS[i].length, have = decoding->begin_length;
        if (have >= most && memcmp(decoding->begin, MARKS[i].bytes, most) == 0) {
            decoding->mark = LE_MARK_FOUND;
            decoding->file = MARKS[i].encoding;
            *length = most;
            return true;
        }
        undecided |= have < most && memcmp(decoding->begin, MARKS[i].bytes, have) == 0;
    }
    if (undecided && !end)
        return false;
    decoding->mark = LE_MARK_NONE;
    decoding->file = decoding->encoding;
    return true;
}

/* Which UTF-16 a file's first bytes look like; LE_BYTES: none. */
static enum le_encoding looks_like(const unsigned char *begin, size_t length)
{
    size_t pairs = length / 2, zeros[2] = {0, 0}; /* at even and at odd places */
    if (length < FEWEST || (begin[0] == 0) == (begin[1] == 0))
        return LE_BYTES;
    for (size_t i = 0; i < 2 * pairs; i++)
        zeros[i % 2] += begin[i] == 0;
    if (2 * zeros[1] >= pairs && zeros[0] == 0)
        return LE_UTF_16LE;
    if (2 * zeros[0] >= pairs && zeros[1] == 0)
        return LE_UTF_16BE;
    return LE_BYTES;
}

/* Takes more bytes of a file of UTF-8, or its end; gives those that can be read by now in `out`. Bytes
 * are held back as long as they may be UTF-16 without a mark. */
static enum logexport_status hold_back(struct le_decoding *decoding, const char *bytes,
                                       size_t length, bool end, struct logexport_error *error)
{
    size_t room = LE_LOOKED_AT - decoding->begin_length, held = length < room ? length : room;
    if (held > 0)
        memcpy(decoding->begin + decoding->begin_length, bytes, held);
    decoding->begin_length += held;
    const unsigned char *begin = decoding->begin;
    bool known = end || decoding->begin_length == LE_LOOKED_AT ||
                 (decoding->begin_length >= 2 && (begin[0] == 0) == (begin[1] == 0));
    if (!known)
        return LOGEXPORT_OK;
    enum le_encoding found = looks_like(begin, decoding->begin_length); /* LE_BYTES has no name */
    for (size_t i = 0; i < sizeof ENCODINGS / sizeof *ENCODINGS; i++)
        if (ENCODINGS[i].encoding == found)
            return le_fail(error, LOGEXPORT_TEXT,
                           "looks like %s without a byte order mark. Say so: --encoding %s",
                           ENCODINGS[i].spoken, ENCODINGS[i].name);
    decoding->mark = LE_MARK_FOUND; /* nothing is looked for any more */
    return le_buffer_append(&decoding->out, begin, decoding->begin_length) &&
                   le_buffer_append(&decoding->out, bytes + held, length - held)
               ? LOGEXPORT_OK
               : le_out_of_memory(error);
}

/* --- UTF-16 ------------------------------------------------------------------------------------ */

static bool append_character(struct le_buffer *out, uint32_t character)
{
    unsigned char bytes[4];
    size_t length;
    if (character < 0x80) {
        bytes[0] = (unsigned char)character;
        length = 1;
    } else if (character < 0x800) {
        bytes[0] = (unsigned char)(0xc0 | character >> 6);
        bytes[1] = (unsigned char)(0x80 | (character & 0x3f));
        length = 2;
    } else if (character < 0x10000) {
        bytes[0] = (unsigned char)(0xe0 | character >> 12);
        bytes[1] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
        bytes[2] = (unsigned char)(0x80 | (character & 0x3f));
        length = 3;
    } else {
        bytes[0] = (unsigned char)(0xf0 | character >> 18);
        bytes[1] = (unsigned char)(0x80 | (character >> 12 & 0x3f));
        bytes[2] = (unsigned char)(0x80 | (character >> 6 & 0x3f));
        bytes[3] = (unsigned char)(0x80 | (character & 0x3f));
        length = 4;
    }
    return le_buffer_append(out, bytes, length);
}

static uint32_t code_unit(const struct le_decoding *decoding, const unsigned char *bytes)
{
    return decoding->file == LE_UTF_16LE ? (uint32_t)(bytes[0] | bytes[1] << 8)
                                         : (uint32_t)(bytes[0] << 8 | bytes[1]);
}

enum { REPLACEMENT = 0xfffd };

/* Takes what `rest` holds of whole characters. */
static bool take_units(struct le_decoding *decoding)
{
    if (decoding->rest_length == 4) { /* a high surrogate, and the unit after it */
        uint32_t high = code_unit(decoding, decoding->rest);
        uint32_t low = code_unit(decoding, decoding->rest + 2);
        if (low >= 0xdc00 && low < 0xe000) {
            decoding->rest_length = 0;
            return append_character(&decoding->out,
                                    0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        }
        memcpy(decoding->rest, decoding->rest + 2, 2);
        decoding->rest_length = 2;
        if (!append_character(&decoding->out, REPLACEMENT))
            return false;
    }
    if (decoding->rest_length != 2)
        return true;
    uint32_t unit = code_unit(decoding, decoding->rest);
    if (unit >= 0xd800 && unit < 0xdc00)
        return true; /* its partner comes next */
    decoding->rest_length = 0;
    return append_character(&decoding->out, unit >= 0xdc00 && unit < 0xe000 ? REPLACEMENT : unit);
}

static bool decode_utf16(struct le_decoding *decoding, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        decoding->rest[decoding->rest_length++] = (unsigned char)bytes[i];
        if (!take_units(decoding))
            return false;
    }
    return true;
}

/* --- a file ------------------------------------------------------------------------------------ */

/* Takes bytes of a file whose mark has been looked for, or its end. */
static enum logexport_status decode_bytes(struct le_decoding *decoding, const char *bytes,
                                          size_t length, bool end, struct logexport_error *error)
{
    if (decoding->file != LE_UTF_8)
        return decode_utf16(decoding, bytes, length) ? LOGEXPORT_OK : le_out_of_memory(error);
    if (decoding->mark == LE_MARK_NONE)
        return hold_back(decoding, bytes, length, end, error);
    return le_buffer_append(&decoding->out, bytes, length) ? LOGEXPORT_OK : le_out_of_memory(error);
}

/* Looks for the mark of a file in more bytes of it, or at its end. Sets *used: how many of them were
 * taken. */
static enum logexport_status begin_decoding(struct le_decoding *decoding, const char *bytes,
                                            size_t length, bool end, size_t *used,
                                            struct logexport_error *error)
{
    size_t mark;
    *used = 0;
    while (!find_mark(decoding, end, &mark)) {
        if (*used == length)
            return LOGEXPORT_OK;
        decoding->begin[decoding->begin_length++] = (unsigned char)bytes[(*used)++];
    }
    char taken[4]; /* more than the longest mark */
    size_t count = decoding->begin_length - mark;
    memcpy(taken, decoding->begin + mark, count);
    decoding->begin_length = 0;
    return decode_bytes(decoding, taken, count, false, error);
}

enum logexport_status le_decoding_push(struct le_decoding *decoding, const char *bytes,
                                       size_t length, const char **text, size_t *text_length,
                                       struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    *text = bytes;
    *text_length = length;
    if (decoding->encoding == LE_BYTES ||
        (decoding->mark == LE_MARK_FOUND && decoding->file == LE_UTF_8))
        return LOGEXPORT_OK;
    decoding->out.length = 0;
    if (decoding->mark == LE_MARK_UNKNOWN) {
        size_t used;
        status = begin_decoding(decoding, bytes, length, false, &used, error);
        bytes += used;
        length -= used;
    }
    if (status == LOGEXPORT_OK && decoding->mark != LE_MARK_UNKNOWN)
        status = decode_bytes(decoding, bytes, length, false, error);
    *text = decoding->out.data;
    *text_length = decoding->out.length;
    return status;
}

enum logexport_status le_decoding_end(struct le_decoding *decoding, const char **text,
                                      size_t *text_length, struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    decoding->out.length = 0;
    if (decoding->encoding != LE_BYTES) {
        size_t used;
        if (decoding->mark == LE_MARK_UNKNOWN) /* a file shorter than any mark */
            status = begin_decoding(decoding, "", 0, true, &used, error);
        if (status == LOGEXPORT_OK)
            status = decode_bytes(decoding, "", 0, true, error);
        if (status == LOGEXPORT_OK && decoding->rest_length > 0 &&
            !append_character(&decoding->out, REPLACEMENT))
            status = le_out_of_memory(error);
    }
    begin_file(decoding);
    *text = decoding->out.data;
    *text_length = decoding->out.length;
    return status;
}

/* --- escape sequences -------------------------------------------------------------------------- */

static const char *skip_range(const char *at, const char *end, unsigned char least,
                              unsigned char most)
{
    while (at < end && (unsigned char)*at >= least && (unsigned char)*at <= most)
        at++;
    return at;
}

static bool is_within(const char *at, const char *end, unsigned char least, unsigned char most)
{
    return at < end && (unsigned char)*at >= least && (unsigned char)*at <= most;
}

/* Where the sequence that begins with the ESC at `at` ends; `at` itself if none does. */
static const char *escape_end(const char *at, const char *end)
{
    const char *next = at + 1;
    if (next < end && *next == '[') {
        next = skip_range(skip_range(next + 1, end, '0', '?'), end, ' ', '/');
        return is_within(next, end, '@', '~') ? next + 1 : at;
    }
    if (next < end && *next == ']') {
        for (next++; next < end && *next != '\a' && *next != '\033';)
            next++;
        if (next < end && *next == '\a')
            return next + 1;
        return end - next >= 2 && next[1] == '\\' ? next + 2 : at;
    }
    next = skip_range(next, end, ' ', '/');
    return is_within(next, end, '0', '~') ? next + 1 : at;
}

bool le_strip_escapes(const char **text, size_t *length, struct le_buffer *scratch)
{
    const char *at = *text, *end = at + *length;
    const char *escape = *length == 0 ? NULL : memchr(at, '\033', *length);
    if (escape == NULL)
        return true;
    scratch->length = 0;
    while (escape != NULL) {
        const char *after = escape_end(escape, end);
        const char *kept = after == escape ? escape + 1 : escape; /* an ESC alone is text */
        if (!le_buffer_append(scratch, at, (size_t)(kept - at)))
            return false;
        at = after == escape ? escape + 1 : after;
        escape = at == end ? NULL : memchr(at, '\033', (size_t)(end - at));
    }
    if (!le_buffer_append(scratch, at, (size_t)(end - at)))
        return false;
    *text = scratch->data == NULL ? "" : scratch->data;
    *length = scratch->length;
    return true;
}
