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
    if (length < FEWEST)
        return LE_BYTES;
    for (size_t i = 0; i < 2 * pairs; i++)
        zeros[i % 2] += begin[i] == 0;
    if (2 * zeros[1] >= pairs && zeros[0] == 0)
        return LE_UTF_16LE;
    if (2 * zeros[0] >= pairs && zeros[1] == 0)
        return LE_UTF_16BE;
    return LE_BYTES;
}

/* Looks at more bytes of a file without a mark, or at its end. */
static enum logexport_status look_at(struct le_decoding *decoding, const char *bytes, size_t length,
                                     bool end, struct logexport_error *error)
{
    if (decoding->mark == LE_MARK_FOUND || decoding->begin_length == LE_LOOKED_AT)
        return LOGEXPORT_OK;
    size_t room = LE_LOOKED_AT - decoding->begin_length;
    if (length > room)
        length = room;
    if (length > 0)
        memcpy(decoding->begin + decoding->begin_length, bytes, length);
    decoding->begin_length += length;
    if (!end && decoding->begin_length < LE_LOOKED_AT)
        return LOGEXPORT_OK;
    enum le_encoding found = looks_like(decoding->begin, decoding->begin_length);
    for (size_t i = 0; i < sizeof ENCODINGS / sizeof *ENCODINGS; i++)
        if (found != LE_BYTES && ENCODINGS[i].encoding == found)
            return le_fail(error, LOGEXPORT_TEXT,
                           "The log looks like %s without a byte order mark. Say so: --encoding %s",
                           ENCODINGS[i].spoken, ENCODINGS[i].name);
    return LOGEXPORT_OK;
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

enum logexport_status le_decoding_push(struct le_decoding *decoding, const char *bytes,
                                       size_t length, const char **text, size_t *text_length,
                                       struct logexport_error *error)
{
    *text = bytes;
    *text_length = length;
    if (decoding->encoding == LE_BYTES)
        return LOGEXPORT_OK;
    decoding->out.length = 0;
    bool in_out = false; /* whether the text lies in `out` */
    while (decoding->mark == LE_MARK_UNKNOWN) {
        size_t mark;
        if (length == 0) {
            *text_length = 0;
            return LOGEXPORT_OK;
        }
        decoding->begin[decoding->begin_length++] = (unsigned char)*bytes++;
        length--;
        if (!find_mark(decoding, false, &mark))
            continue;
        /* What was taken and is not a mark is text, and so is what comes after. */
        size_t taken = decoding->begin_length - mark;
        char before[sizeof decoding->rest];
        memcpy(before, decoding->begin + mark, taken);
        decoding->begin_length = 0;
        enum logexport_status status = look_at(decoding, before, taken, false, error);
        if (status != LOGEXPORT_OK)
            return status;
        if (decoding->file != LE_UTF_8) {
            if (!decode_utf16(decoding, before, taken))
                return le_out_of_memory(error);
        } else if (taken > 0) {
            if (!le_buffer_append(&decoding->out, before, taken))
                return le_out_of_memory(error);
            in_out = true;
        }
    }
    if (decoding->file == LE_UTF_8) {
        enum logexport_status status = look_at(decoding, bytes, length, false, error);
        if (status != LOGEXPORT_OK)
            return status;
        *text = bytes;
        *text_length = length;
        if (!in_out)
            return LOGEXPORT_OK;
        if (!le_buffer_append(&decoding->out, bytes, length))
            return le_out_of_memory(error);
    } else if (!decode_utf16(decoding, bytes, length)) {
        return le_out_of_memory(error);
    }
    *text = decoding->out.data;
    *text_length = decoding->out.length;
    return LOGEXPORT_OK;
}

enum logexport_status le_decoding_end(struct le_decoding *decoding, const char **text,
                                      size_t *text_length, struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    bool ok = true;
    decoding->out.length = 0;
    if (decoding->encoding != LE_BYTES) {
        size_t mark;
        if (decoding->mark == LE_MARK_UNKNOWN && find_mark(decoding, true, &mark)) {
            /* A file shorter than any mark. */
            if (decoding->file == LE_UTF_8)
                ok = le_buffer_append(&decoding->out, decoding->begin, decoding->begin_length);
            else
                ok = decode_utf16(decoding, (const char *)decoding->begin, decoding->begin_length);
        } else if (decoding->file == LE_UTF_8) {
            status = look_at(decoding, NULL, 0, true, error);
        }
        if (ok && decoding->rest_length > 0)
            ok = append_character(&decoding->out, REPLACEMENT);
    }
    begin_file(decoding);
    *text = decoding->out.data;
    *text_length = decoding->out.length;
    return ok ? status : le_out_of_memory(error);
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
