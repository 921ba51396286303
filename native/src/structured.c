#include "structured.h"

#include "decoding.h"
#include "lines.h"
#include "utf8.h"

/* What the value of a name is for: from FIELD on for a wanted field. */
enum role { MESSAGE, BY, STREAM, FIELD, ROLES = FIELD + LE_MAX_FIELDS };

/* A name that is looked for, or what stands before a dot in one. */
struct name {
    const char *text;
    size_t length;
    unsigned roles; /* a bit for each; 0: only for the names in it */
    bool outer;     /* names are looked for in its object */
};

struct le_form {
    enum le_form_kind kind;
    int roles; /* FIELD and the number of fields */
    struct name *names;
    size_t name_count;
    char *texts; /* of the names */
};

/* What a form has found for a role. */
struct value {
    enum {
        NOTHING,
        TEXT,    /* as it stands there */
        ESCAPED, /* with the escapes of JSON */
        QUOTED,  /* with those of logfmt */
        WORD,    /* a number, true or false: the text of a field, but not a message */
        ARRAY,
        OBJECT /* which is entered, or of no use */
    } kind;
    struct le_json_span span; /* of an array all of it */
};

enum fit { NO_MEMORY = -1, UNFIT, OPENED, MALFORMED };

/* --- names -------------------------------------------------------------------------------------- */

static struct name *want(struct le_form *form, const char *text, size_t length)
{
    for (size_t i = 0; i < form->name_count; i++) {
        struct name *name = &form->names[i];
        if (name->length == length && memcmp(name->text, text, length) == 0)
            return name;
    }
    struct name *name = &form->names[form->name_count++];
    *name = (struct name){.text = text, .length = length};
    return name;
}

static void want_for(struct le_form *form, const char *text, size_t length, enum role role)
{
    bool dotted = form->kind == LE_FORM_JSON || form->kind == LE_FORM_DOCKER;
    for (size_t i = 0; i < length; i++)
        if (dotted && text[i] == '.')
            want(form, text, i)->outer = true;
    want(form, text, length)->roles |= 1U << role;
}

static bool prepare(struct le_form *form, const struct le_json_span *names)
{
    size_t length = 0, count = 0;
    for (int role = 0; role < form->roles; role++) {
        count += names[role].text != NULL;
        for (size_t i = 0; names[role].text != NULL && i < names[role].length; i++)
            count += names[role].text[i] == '.';
        length += names[role].length;
    }
    form->texts = malloc(length + 1);
    form->names = calloc(count + 1, sizeof *form->names);
    if (form->texts == NULL || form->names == NULL)
        return false;
    char *at = form->texts;
    for (int role = 0; role < form->roles; role++) {
        if (names[role].text == NULL)
            continue;
        memcpy(at, names[role].text, names[role].length);
        want_for(form, at, names[role].length, (enum role)role);
        at += names[role].length;
    }
    return true;
}

static void free_form(struct le_form *form)
{
    free(form->names);
    free(form->texts);
}

bool le_structure_add(struct le_structure *structure, enum le_form_kind kind,
                      const struct le_form_names *names)
{
    struct le_json_span by_role[ROLES] = {[MESSAGE] = names->message, [BY] = names->session_key};
    for (int i = 0; i < names->field_count; i++)
        by_role[FIELD + i] = names->fields[i];
    size_t count = (size_t)structure->form_count;
    struct le_form *forms = realloc(structure->forms, (count + 1) * sizeof *forms);
    if (forms == NULL)
        return false;
    structure->forms = forms;
    if (kind == LE_FORM_DOCKER) {
        by_role[MESSAGE] = (struct le_json_span){"log", 3};
        by_role[STREAM] = (struct le_json_span){"stream", 6};
    }
    forms[count] = (struct le_form){.kind = kind, .roles = FIELD + names->field_count};
    if (!prepare(&forms[count], by_role)) {
        free_form(&forms[count]);
        return false;
    }
    structure->form_count++;
    return true;
}

void le_structure_free(struct le_structure *structure)
{
    for (int i = 0; i < structure->form_count; i++)
        free_form(&structure->forms[i]);
    free(structure->forms);
    *structure = (struct le_structure){0};
}

/* The wanted name of a key inside `outer` (NULL: of the outermost object); NULL if none is wanted. */
static inline const struct name *find_name(const struct le_form *form, const struct name *outer,
                                           struct le_json_span key)
{
    size_t before = outer == NULL ? 0 : outer->length + 1;
    for (size_t i = 0; i < form->name_count; i++) {
        const struct name *name = &form->names[i];
        if (name->length == before + key.length &&
            memcmp(name->text + before, key.text, key.length) == 0 &&
            (outer == NULL || (name->text[before - 1] == '.' &&
                               memcmp(name->text, outer->text, outer->length) == 0)))
            return name;
    }
    return NULL;
}

static bool forget_seen(const struct le_form *form, struct le_opened *opened)
{
    opened->seen.length = 0;
    if (!le_buffer_reserve(&opened->seen, form->name_count + 1))
        return false;
    memset(opened->seen.data, 0, form->name_count + 1);
    return true;
}

/* Keeps the value of a name for all that it is wanted for. */
static void keep(const struct name *name, struct value value, struct value *values)
{
    for (int role = 0; name->roles >> role != 0; role++)
        if ((name->roles >> role & 1) != 0)
            values[role] = value;
}

/* --- escapes ------------------------------------------------------------------------------------ */

static inline bool has_escapes(struct le_json_span span)
{
    return span.length > 0 && memchr(span.text, '\\', span.length) != NULL;
}

static bool unescape_json(struct le_json_span *span, struct le_buffer *out)
{
    out->length = 0;
    if (!has_escapes(*span))
        return true;
    if (!le_json_unescape(*span, out, NULL))
        return false;
    *span = (struct le_json_span){out->data, out->length};
    return true;
}

/* How long the run of \uXXXX at `at` is; those of two surrogates are one character. */
static size_t unicode_run(const char *at, const char *end)
{
    size_t length = 0;
    while ((size_t)(end - at) >= length + 6 && at[length] == '\\' && at[length + 1] == 'u') {
        for (size_t i = 2; i < 6; i++)
            if (memchr("0123456789ABCDEFabcdef", at[length + i], 22) == NULL)
                return length;
        length += 6;
    }
    return length;
}

static bool unescape_logfmt(struct le_json_span *span, struct le_buffer *out)
{
    const char *at = span->text, *end = at + span->length, *slash;
    out->length = 0;
    if (!has_escapes(*span))
        return true;
    while (at < end && (slash = memchr(at, '\\', (size_t)(end - at))) != NULL) {
        struct le_json_span escape = {slash, unicode_run(slash, end)};
        if (escape.length == 0 && memchr("bfnrt", slash[1], 5) != NULL)
            escape.length = 2;
        if (!le_buffer_append(out, at, (size_t)(slash - at)) ||
            !le_json_unescape(escape, out, NULL))
            return false;
        at = slash + escape.length;
        if (escape.length == 0) { /* the character after the backslash is text, even a backslash */
            if (!le_buffer_append(out, slash + 1, 1))
                return false;
            at = slash + 2;
        }
    }
    if (!le_buffer_append(out, at, (size_t)(end - at)))
        return false;
    *span = (struct le_json_span){out->data, out->length};
    return true;
}

/* --- values ------------------------------------------------------------------------------------- */

/* The text of a value without its escapes: where it stands, or in `out`. */
static bool read_text(struct value value, struct le_buffer *out, const char **text, size_t *length)
{
    if ((value.kind == ESCAPED && !unescape_json(&value.span, out)) ||
        (value.kind == QUOTED && !unescape_logfmt(&value.span, out)))
        return false;
    *text = value.span.text;
    *length = value.span.length;
    return true;
}

/* A value as a field's. NULL: null. */
static bool read_field(struct value value, struct le_buffer *out, const char **text, size_t *length)
{
    if (value.kind == NOTHING || value.kind == ARRAY || value.kind == OBJECT)
        value.span = (struct le_json_span){NULL, 0};
    return read_text(value, out, text, length);
}

/* The byte that a number is; -1 if it is another one. */
static int byte_of(struct le_json_span number)
{
    int byte = 0;
    if (number.length > 3)
        return -1;
    for (size_t i = 0; i < number.length; i++) {
        if (number.text[i] < '0' || number.text[i] > '9')
            return -1;
        byte = byte * 10 + (number.text[i] - '0');
    }
    return byte <= 255 ? byte : -1;
}

/* Takes the bytes of an array, which is known to be well-formed. UNFIT: it holds something else, or
 * nothing. */
static enum fit read_bytes(struct le_json_span array, struct le_buffer *out)
{
    struct le_json_cursor cursor;
    struct le_json_span item;
    out->length = 0;
    le_json_begin(&cursor, array.text, array.length);
    le_json_take(&cursor, &item);
    while (le_json_next_item(&cursor) == 1) {
        int number = le_json_take(&cursor, &item) == LE_JSON_NUMBER ? byte_of(item) : -1;
        if (number < 0)
            return UNFIT;
        char byte = (char)number;
        if (!le_buffer_append(out, &byte, 1))
            return NO_MEMORY;
    }
    return out->length > 0 ? OPENED : UNFIT;
}

/* Takes the message out of its value. UNFIT: it is none. */
static enum fit read_message(struct value value, bool docker, struct le_opened *opened)
{
    enum fit fit = UNFIT;
    bool done = true;
    if (value.kind == TEXT || value.kind == ESCAPED || value.kind == QUOTED) {
        fit = OPENED;
        done = read_text(value, &opened->message_text, &opened->message, &opened->message_length);
    } else if (value.kind == ARRAY && !docker) {
        fit = read_bytes(value.span, &opened->spare);
        if (fit == OPENED)
            done = le_utf8_decode(opened->spare.data, opened->spare.length, &opened->message_text,
                                  &opened->message, &opened->message_length);
    }
    return done ? fit : NO_MEMORY;
}

/* Cuts the message to its first line that is not blank, and drops the escape sequences of that. */
static bool cut_message(struct le_opened *opened)
{
    const char *text = opened->message, *end = text + opened->message_length;
    bool is_spare = text == opened->spare.data;
    opened->stands_alone = opened->source < 0;
    if (opened->message_length == 0)
        return true;
    const char *first = text;
    while (first < end && (*first == '\n' || le_is_space(*first)))
        first++;
    while (first < end && first > text && first[-1] != '\n')
        first--;
    opened->message = first < end ? first : text;
    const char *rest = le_line_end(opened->message, end, &opened->message_length);
    while (rest < end && (*rest == '\n' || le_is_space(*rest)))
        rest++;
    if (!le_strip_escapes(&opened->message, &opened->message_length,
                          is_spare ? &opened->message_text : &opened->spare))
        return false;
    opened->stands_alone =
        opened->source < 0 && (rest < end || le_is_blank(opened->message, opened->message_length));
    return true;
}

static bool read_fields(const struct le_form *form, const struct value *values,
                        struct le_opened *opened)
{
    for (int i = 0; i < form->roles - FIELD; i++)
        if (!read_field(values[FIELD + i], &opened->field_texts[i], &opened->fields[i].data,
                        &opened->fields[i].length))
            return false;
    return read_field(values[BY], &opened->by_text, &opened->by, &opened->by_length) &&
           read_field(values[STREAM], &opened->stream_text, &opened->stream,
                      &opened->stream_length);
}

/* --- JSON --------------------------------------------------------------------------------------- */

/* Takes a value; an object, if it is to be entered, only to its bracket. False: malformed. */
static inline bool take_value(struct le_json_cursor *cursor, bool enter, struct value *value)
{
    const char *begin = cursor->at;
    char first = begin < cursor->end ? *begin : '\0';
    if (first == '[' || (first == '{' && !enter)) {
        value->kind = first == '[' ? ARRAY : OBJECT;
        bool done = le_json_skip(cursor);
        value->span = (struct le_json_span){begin, (size_t)(cursor->at - begin)};
        return done;
    }
    enum le_json_kind kind = le_json_take(cursor, &value->span);
    value->kind = kind == LE_JSON_STRING   ? ESCAPED
                  : kind == LE_JSON_OBJECT ? OBJECT
                  : kind == LE_JSON_NULL   ? NOTHING
                                           : WORD;
    return kind != LE_JSON_BAD;
}

/* Takes a member whose key is wanted, inside `outer`, or goes over it. Sets *entered: the name whose
 * object was entered. */
static inline enum fit take_member(const struct le_form *form, const struct name *outer,
                                   struct le_json_span key, struct le_json_cursor *cursor,
                                   struct le_opened *opened, struct value *values,
                                   const struct name **entered)
{
    *entered = NULL;
    if (!unescape_json(&key, &opened->spare))
        return NO_MEMORY;
    const struct name *name = find_name(form, outer, key);
    if (name == NULL || opened->seen.data[name - form->names] != 0)
        return le_json_skip(cursor) ? OPENED : MALFORMED;
    opened->seen.data[name - form->names] = 1;
    struct value value;
    if (!take_value(cursor, name->outer, &value))
        return MALFORMED;
    keep(name, value, values);
    if (value.kind == OBJECT && name->outer)
        *entered = name;
    return OPENED;
}

static inline bool is_json_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where an object may begin: after white space, and "@cee:", with which syslog announces it. */
static const char *object_begin(const char *text, size_t length)
{
    const char *end = text + length;
    while (text < end && is_json_space(*text))
        text++;
    if (end - text < 5 || memcmp(text, "@cee:", 5) != 0)
        return text;
    text += 5;
    while (text < end && is_json_space(*text))
        text++;
    return text;
}

static enum fit open_json(const struct le_form *form, const char *text, size_t length,
                          struct le_opened *opened, struct value *values)
{
    const char *begin = object_begin(text, length);
    const struct name *outer[LE_JSON_MAX_DEPTH] = {NULL}, *entered;
    int depth = 0, more;
    struct le_json_cursor cursor;
    struct le_json_span key;
    le_json_begin(&cursor, begin, (size_t)(text + length - begin));
    if (le_json_take(&cursor, &key) != LE_JSON_OBJECT)
        return MALFORMED;
    while ((more = le_json_next_key(&cursor, &key)) == 1 || (more == 0 && depth > 0)) {
        if (more == 0) {
            depth--;
            continue;
        }
        enum fit fit = take_member(form, outer[depth], key, &cursor, opened, values, &entered);
        if (fit != OPENED)
            return fit;
        if (entered != NULL)
            outer[++depth] = entered;
    }
    return more == 0 && le_json_at_end(&cursor) ? OPENED : MALFORMED;
}

/* --- CRI ---------------------------------------------------------------------------------------- */

/* Goes over what has the same characters as `shape`, in which 0 is any digit. */
static bool take_shape(const char **text, const char *end, const char *shape)
{
    size_t length = strlen(shape);
    if ((size_t)(end - *text) < length)
        return false;
    for (size_t i = 0; i < length; i++) {
        char c = (*text)[i];
        if (shape[i] == '0' ? c < '0' || c > '9' : c != shape[i])
            return false;
    }
    *text += length;
    return true;
}

static bool take_time(const char **text, const char *end)
{
    if (!take_shape(text, end, "0000-00-00T00:00:00"))
        return false;
    if (take_shape(text, end, ".0"))
        for (int more = 8; more > 0 && take_shape(text, end, "0"); more--)
            ;
    return take_shape(text, end, "Z") || take_shape(text, end, "+00:00") ||
           take_shape(text, end, "-00:00");
}

static void keep_text(const struct le_form *form, const char *key, const char *text, size_t length,
                      struct value *values)
{
    const struct name *name = find_name(form, NULL, (struct le_json_span){key, strlen(key)});
    if (name != NULL)
        keep(name, (struct value){TEXT, {text, length}}, values);
}

static enum fit open_cri(const struct le_form *form, const char *text, size_t length,
                         struct le_opened *opened, struct value *values)
{
    const char *at = text, *end = text + length;
    if (!take_time(&at, end))
        return UNFIT;
    const char *time_end = at, *stream = at + 1;
    if (!take_shape(&at, end, " stdout ") && !take_shape(&at, end, " stderr "))
        return UNFIT;
    if (at == end || (*at != 'F' && *at != 'P'))
        return UNFIT;
    opened->piece = *at++ == 'P';
    if (at < end && *at == ':') {
        const char *space = memchr(at, ' ', (size_t)(end - at));
        at = space == NULL ? end : space;
    }
    if (at < end && *at++ != ' ')
        return UNFIT;
    keep_text(form, "time", text, (size_t)(time_end - text), values);
    keep_text(form, "stream", stream, 6, values);
    values[STREAM] = (struct value){TEXT, {stream, 6}};
    values[MESSAGE] = (struct value){TEXT, {at, (size_t)(end - at)}};
    return OPENED;
}

/* --- logfmt ------------------------------------------------------------------------------------- */

/* Where the bare value or key at `at` ends. */
static inline const char *bare_end(const char *at, const char *end, char stop)
{
    while (at < end && !le_is_space(*at) && *at != '"' && *at != stop)
        at++;
    return at;
}

/* Goes over a value, with its quotes. False: malformed. */
static bool take_logfmt_value(const char **text, const char *end, struct value *value)
{
    const char *at = *text;
    bool quoted = at < end && *at == '"';
    const char *begin = quoted ? at + 1 : at;
    at = begin;
    if (!quoted)
        at = bare_end(at, end, '"');
    while (quoted && at < end && *at != '"')
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    if (quoted && at == end)
        return false;
    *value = (struct value){quoted ? QUOTED : TEXT, {begin, (size_t)(at - begin)}};
    *text = at += quoted;
    return at == end || le_is_space(*at);
}

static enum fit open_logfmt(const struct le_form *form, const char *text, size_t length,
                            struct le_opened *opened, struct value *values)
{
    const char *at = text, *end = text + length;
    while (end > text && le_is_space(end[-1]))
        end--;
    while (at < end) {
        while (le_is_space(*at)) /* ends before the end, which is not white */
            at++;
        struct le_json_span key = {at, 0};
        struct value value;
        at = bare_end(at, end, '=');
        key.length = (size_t)(at - key.text);
        if (key.length == 0 || at == end || *at++ != '=' || !take_logfmt_value(&at, end, &value))
            return UNFIT;
        const struct name *name = find_name(form, NULL, key);
        if (name == NULL || opened->seen.data[name - form->names] != 0)
            continue;
        opened->seen.data[name - form->names] = 1;
        keep(name, value, values);
    }
    return OPENED;
}

/* --- all forms ---------------------------------------------------------------------------------- */

static enum fit find_values(const struct le_form *form, const char *text, size_t length,
                            struct le_opened *opened, struct value *values)
{
    if (form->kind == LE_FORM_CRI)
        return open_cri(form, text, length, opened, values);
    if (!forget_seen(form, opened))
        return NO_MEMORY;
    return form->kind == LE_FORM_LOGFMT ? open_logfmt(form, text, length, opened, values)
                                        : open_json(form, text, length, opened, values);
}

static enum fit open_form(const struct le_form *form, const char *text, size_t length,
                          struct le_opened *opened)
{
    struct value values[ROLES];
    bool docker = form->kind == LE_FORM_DOCKER, cri = form->kind == LE_FORM_CRI;
    for (int role = 0; role < form->roles; role++)
        values[role].kind = NOTHING;
    opened->piece = opened->stands_alone = false;
    opened->source = docker || cri ? (int)form->kind : -1;
    enum fit fit = find_values(form, text, length, opened, values);
    if (fit == OPENED)
        fit = read_message(values[MESSAGE], docker, opened);
    if (fit != OPENED)
        return fit;
    if (docker)
        opened->piece =
            opened->message_length == 0 || opened->message[opened->message_length - 1] != '\n';
    return (cri || cut_message(opened)) && read_fields(form, values, opened) ? OPENED : NO_MEMORY;
}

int le_structure_open(const struct le_structure *structure, const char *text, size_t length,
                      struct le_opened *opened)
{
    const char *begin = object_begin(text, length);
    bool may_be_json = begin < text + length && *begin == '{';
    for (int i = 0; i < structure->form_count; i++) {
        const struct le_form *form = &structure->forms[i];
        bool is_json = form->kind == LE_FORM_JSON || form->kind == LE_FORM_DOCKER;
        if (is_json && !may_be_json)
            continue;
        enum fit fit = open_form(form, text, length, opened);
        if (fit == OPENED || fit == NO_MEMORY)
            return fit == OPENED ? 1 : -1;
        if (fit == MALFORMED)
            may_be_json = false;
    }
    return 0;
}

void le_opened_free(struct le_opened *opened)
{
    struct le_buffer *buffers[] = {&opened->message_text, &opened->by_text, &opened->stream_text,
                                   &opened->spare, &opened->seen};
    for (int i = 0; i < LE_MAX_FIELDS; i++)
        le_buffer_free(&opened->field_texts[i]);
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        le_buffer_free(buffers[i]);
    *opened = (struct le_opened){0};
}
