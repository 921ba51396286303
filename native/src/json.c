#include "json.h"

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "hash.h"
#include "utf8.h"

enum logexport_status le_json_malformed(struct logexport_error *error, struct le_place place,
                                        const char *format, ...)
{
    char what[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    bool inside = place.inside != NULL && place.inside[0] != '\0';
    return le_fail(error, LOGEXPORT_BUNDLE, "%.300s/%s is malformed%s%.100s: %s.", place.directory,
                   place.file, inside ? " at " : "", inside ? place.inside : "", what);
}

/* --- building the tree -------------------------------------------------------------------------- */

/* What is needed all along the way through the text. A step that returns false has found something
 * malformed (`why`), or the memory does not suffice. */
struct builder {
    struct le_json_cursor cursor;
    const char *text;
    struct le_json_value *values;
    size_t count, capacity;
    /* What a string of the text means is not longer than the string, and lies at the same place. */
    char *strings;
    const char *why, *at;
    const char *twice; /* the key that stands twice, if that is why */
};

/* An array or object that is not at its end. */
struct level {
    size_t parent, last; /* `last`: its last member so far */
};

static bool refuse(struct builder *builder, const char *at, const char *why)
{
    builder->at = at;
    builder->why = why;
    return false;
}

static bool refuse_at_cursor(struct builder *builder)
{
    return refuse(builder, builder->cursor.at, builder->cursor.why);
}

static struct le_json_value *add_value(struct builder *builder)
{
    if (builder->count == builder->capacity) {
        size_t capacity = builder->capacity == 0 ? 64 : builder->capacity * 2;
        if (capacity > SIZE_MAX / sizeof *builder->values)
            return NULL;
        struct le_json_value *values = realloc(builder->values, capacity * sizeof *values);
        if (values == NULL)
            return NULL;
        builder->values = values;
        builder->capacity = capacity;
    }
    struct le_json_value *value = &builder->values[builder->count++];
    *value = (struct le_json_value){.kind = LE_JSON_BAD};
    return value;
}

/* Keeps what a string means, ended by NUL in the place of its quote. */
static bool keep_string(struct builder *builder, struct le_json_span span, const char **text,
                        uint32_t *length)
{
    char *place = builder->strings + (span.text - builder->text);
    struct le_buffer room = {place, 0, span.length + 1};
    bool lone;
    if (!le_json_unescape(span, &room, &lone))
        return false;
    if (lone)
        return refuse(builder, span.text, "half of a surrogate pair");
    place[room.length] = '\0';
    *text = place;
    *length = (uint32_t)room.length;
    return true;
}

static bool read_integer(struct builder *builder, struct le_json_span span, int64_t *integer)
{
    bool negative = span.text[0] == '-';
    uint64_t most = (uint64_t)INT64_MAX + negative, sum = 0;
    for (size_t i = negative; i < span.length; i++) {
        unsigned digit = (unsigned)(span.text[i] - '0');
        if (sum > (most - digit) / 10)
            return refuse(builder, span.text, "too big an integer");
        sum = sum * 10 + digit;
    }
    *integer = negative && sum > 0 ? -(int64_t)(sum - 1) - 1 : (int64_t)sum;
    return true;
}

static bool read_real(struct builder *builder, struct le_json_span span, double *real)
{
    /* strtod() needs an end. It is put where the text has none of a string. */
    char *place = builder->strings + (span.text - builder->text);
    memcpy(place, span.text, span.length);
    place[span.length] = '\0';
    *real = strtod(place, NULL);
    return isfinite(*real) || refuse(builder, span.text, "too big a number");
}

static bool take_value(struct builder *builder, struct le_json_value *value)
{
    struct le_json_span span;
    value->kind = (uint8_t)le_json_take(&builder->cursor, &span);
    switch (value->kind) {
    case LE_JSON_BAD:
        return refuse_at_cursor(builder);
    case LE_JSON_STRING:
        return keep_string(builder, span, &value->text, &value->length);
    case LE_JSON_NUMBER:
        value->is_integer = true;
        for (size_t i = 0; i < span.length && value->is_integer; i++)
            value->is_integer = memchr(".eE", span.text[i], 3) == NULL;
        return value->is_integer ? read_integer(builder, span, &value->integer)
                                 : read_real(builder, span, &value->real);
    default:
        return true;
    }
}

/* Adds the next member of an array or object, up to its value. 1: there is one; 0: the array or object
 * ended; -1: a step that returned false. */
static int add_member(struct builder *builder, struct level *level)
{
    struct le_json_span key = {NULL, 0};
    bool in_object = builder->values[level->parent].kind == LE_JSON_OBJECT;
    int more =
        in_object ? le_json_next_key(&builder->cursor, &key) : le_json_next_item(&builder->cursor);
    if (more < 0)
        refuse_at_cursor(builder);
    if (more != 1)
        return more;
    struct le_json_value *value = add_value(builder);
    if (value == NULL)
        return -1;
    size_t index = builder->count - 1;
    struct le_json_value *parent = &builder->values[level->parent];
    if (parent->length++ > 0)
        builder->values[level->last].next = (uint32_t)(index - level->last);
    level->last = index;
    if (!in_object)
        return 1;
    if (!keep_string(builder, key, &value->key, &value->key_length))
        return -1;
    if (memchr(value->key, '\0', value->key_length) != NULL) {
        refuse(builder, key.text,
               "NUL in a key"); /* to the rest it would be another, shorter one */
        return -1;
    }
    return 1;
}

static bool build(struct builder *builder)
{
    struct level levels[LE_JSON_MAX_DEPTH];
    size_t depth = 0;
    if (add_value(builder) == NULL)
        return false;
    do {
        struct le_json_value *value = &builder->values[builder->count - 1];
        if (!take_value(builder, value))
            return false;
        if (value->kind == LE_JSON_ARRAY || value->kind == LE_JSON_OBJECT)
            levels[depth++] = (struct level){builder->count - 1, 0};
        int more = 0;
        while (depth > 0 && (more = add_member(builder, &levels[depth - 1])) == 0)
            depth--;
        if (more < 0)
            return false;
    } while (depth > 0);
    return le_json_at_end(&builder->cursor) ||
           refuse(builder, builder->cursor.at, "something after the end of the object");
}

/* --- keys that stand twice ---------------------------------------------------------------------- */

/* By length first: an index comes after those with fewer digits, so vocabularies are mostly sorted. */
static int compare_keys(const struct le_json_value *a, const struct le_json_value *b)
{
    if (a->key_length != b->key_length)
        return a->key_length < b->key_length ? -1 : 1;
    return memcmp(a->key, b->key, a->key_length);
}

static bool is_sorted(const struct le_json_value *object)
{
    const struct le_json_value *member = le_json_first(object), *next;
    for (; member != NULL && (next = le_json_next(member)) != NULL; member = next)
        if (compare_keys(member, next) >= 0)
            return false;
    return true;
}

/* A member and the hash of its key, which tells most keys apart without a look at them. */
struct hashed {
    uint64_t hash;
    const struct le_json_value *member;
};

static int compare_hashed(const struct hashed *a, const struct hashed *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return compare_keys(a->member, b->member);
}

/* Merges two neighbouring runs of `from`, the second one from `middle` on. */
static void merge(const struct hashed *from, size_t begin, size_t middle, size_t end,
                  struct hashed *to)
{
    size_t left = begin, right = middle;
    for (size_t i = begin; i < end; i++) {
        bool take_left =
            right == end || (left < middle && compare_hashed(&from[left], &from[right]) <= 0);
        to[i] = from[take_left ? left++ : right++];
    }
}

/* Sorts; `members` has room for as many again. Whatever the keys are it takes n log n steps, which
 * neither a table by hashes nor qsort() promises. */
static const struct hashed *sort(struct hashed *members, size_t count)
{
    struct hashed *from = members, *to = members + count;
    for (size_t run = 1; run < count; run *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * run) {
            size_t middle = begin + run < count ? begin + run : count;
            merge(from, begin, middle, middle + run < count ? middle + run : count, to);
        }
        struct hashed *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

/* Whether the keys of an object differ; `room` is for twice its members. */
static bool keys_differ(struct builder *builder, const struct le_json_value *object,
                        struct hashed *room)
{
    size_t count = 0;
    for (const struct le_json_value *m = le_json_first(object); m != NULL; m = le_json_next(m))
        room[count++] = (struct hashed){le_hash(m->key, m->key_length), m};
    const struct hashed *sorted = sort(room, count);
    for (size_t i = 1; i < count; i++)
        if (compare_hashed(&sorted[i - 1], &sorted[i]) == 0) {
            builder->twice = sorted[i].member->key;
            return refuse(builder, builder->text + (builder->twice - builder->strings), "");
        }
    return true;
}

static bool all_keys_differ(struct builder *builder)
{
    size_t most = 0;
    struct hashed *room = NULL;
    for (size_t i = 0; i < builder->count; i++)
        if (builder->values[i].kind == LE_JSON_OBJECT && builder->values[i].length > most)
            most = builder->values[i].length;
    bool ok = true;
    for (size_t i = 0; i < builder->count && ok; i++) {
        const struct le_json_value *object = &builder->values[i];
        if (object->kind != LE_JSON_OBJECT || is_sorted(object))
            continue;
        if (room == NULL)
            room = malloc(2 * most * sizeof *room);
        ok = room != NULL && keys_differ(builder, object, room);
    }
    free(room);
    return ok;
}

/* --- a document --------------------------------------------------------------------------------- */

static size_t line_of(const char *text, const char *at)
{
    size_t line = 1;
    while ((text = memchr(text, '\n', (size_t)(at - text))) != NULL) {
        text++;
        line++;
    }
    return line;
}

static bool begins_an_object(const struct le_json_cursor *cursor)
{
    struct le_json_cursor ahead = *cursor;
    struct le_json_span span;
    enum le_json_kind kind = le_json_take(&ahead, &span);
    return kind == LE_JSON_OBJECT || kind == LE_JSON_BAD;
}

/* Numbers are read in the C locale, whatever the process's is. */
static bool build_in_c_locale(struct builder *builder)
{
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (c_locale == (locale_t)0)
        return false;
    locale_t before = uselocale(c_locale); /* of this thread only */
    bool ok = build(builder);
    uselocale(before);
    freelocale(c_locale);
    return ok;
}

enum logexport_status le_json_parse(const char *bytes, size_t length, struct le_place place,
                                    struct le_json_document *document,
                                    struct logexport_error *error)
{
    struct builder builder = {.text = length > 0 ? bytes : ""};
    bytes = builder.text;
    *document = (struct le_json_document){NULL, NULL};
    if (length > UINT32_MAX)
        return le_json_malformed(error, place, "more than 4 GiB long");
    size_t valid = le_utf8_valid_prefix(bytes, length);
    if (valid < length)
        return le_json_malformed(error, place, "not valid JSON, line %zu: not UTF-8",
                                 line_of(bytes, bytes + valid));
    le_json_begin(&builder.cursor, bytes, length);
    if (!begins_an_object(&builder.cursor))
        return le_json_malformed(error, place, "not an object");
    builder.strings = malloc(length + 1);
    if (builder.strings == NULL)
        return le_out_of_memory(error);
    bool ok = build_in_c_locale(&builder) && all_keys_differ(&builder);
    *document = (struct le_json_document){builder.values, builder.strings};
    if (ok)
        return LOGEXPORT_OK;
    enum logexport_status status;
    if (builder.why == NULL)
        status = le_out_of_memory(error);
    else if (builder.twice != NULL)
        status = le_json_malformed(error, place,
                                   "not valid JSON, line %zu: the key \"%.100s\" stands twice",
                                   line_of(bytes, builder.at), builder.twice);
    else
        status = le_json_malformed(error, place, "not valid JSON, line %zu: %s",
                                   line_of(bytes, builder.at), builder.why);
    le_json_free(document);
    return status;
}

void le_json_free(struct le_json_document *document)
{
    free(document->object);
    free(document->strings);
    *document = (struct le_json_document){NULL, NULL};
}

const struct le_json_value *le_json_get(const struct le_json_value *object, const char *key)
{
    if (!le_json_is(object, LE_JSON_OBJECT))
        return NULL;
    size_t length = strlen(key);
    const struct le_json_value *member = le_json_first(object);
    while (member != NULL &&
           (member->key_length != length || memcmp(member->key, key, length) != 0))
        member = le_json_next(member);
    return member;
}

/* --- members ------------------------------------------------------------------------------------ */

static enum logexport_status refuse_member(struct logexport_error *error, struct le_place place,
                                           const struct le_json_value *member, const char *key,
                                           const char *wanted)
{
    if (member == NULL)
        return le_json_malformed(error, place, "\"%s\" is missing", key);
    return le_json_malformed(error, place, "\"%s\" is not %s", key, wanted);
}

enum logexport_status le_json_object(const struct le_json_value *object, const char *key,
                                     struct le_place place, const struct le_json_value **out,
                                     struct logexport_error *error)
{
    *out = le_json_get(object, key);
    return le_json_is(*out, LE_JSON_OBJECT) ? LOGEXPORT_OK
                                            : refuse_member(error, place, *out, key, "an object");
}

enum logexport_status le_json_array(const struct le_json_value *object, const char *key,
                                    struct le_place place, const struct le_json_value **out,
                                    struct logexport_error *error)
{
    *out = le_json_get(object, key);
    return le_json_is(*out, LE_JSON_ARRAY) ? LOGEXPORT_OK
                                           : refuse_member(error, place, *out, key, "an array");
}

enum logexport_status le_json_string(const struct le_json_value *object, const char *key,
                                     struct le_place place, const char **out, size_t *length,
                                     struct logexport_error *error)
{
    const struct le_json_value *value = le_json_get(object, key);
    if (!le_json_is(value, LE_JSON_STRING))
        return refuse_member(error, place, value, key, "a string");
    *out = value->text;
    *length = value->length;
    return LOGEXPORT_OK;
}

enum logexport_status le_json_as_integer(const struct le_json_value *member, int64_t low,
                                         int64_t high, struct le_place place, int64_t *out,
                                         struct logexport_error *error)
{
    if (!le_json_is(member, LE_JSON_NUMBER) || !member->is_integer)
        return refuse_member(error, place, member, member->key, "an integer");
    *out = member->integer;
    if (*out < low || *out > high)
        return le_json_malformed(error, place, "\"%s\" is %lld, not %lld to %lld", member->key,
                                 (long long)*out, (long long)low, (long long)high);
    return LOGEXPORT_OK;
}

enum logexport_status le_json_integer(const struct le_json_value *object, const char *key,
                                      int64_t low, int64_t high, struct le_place place,
                                      int64_t *out, struct logexport_error *error)
{
    const struct le_json_value *member = le_json_get(object, key);
    return member == NULL ? refuse_member(error, place, NULL, key, "an integer")
                          : le_json_as_integer(member, low, high, place, out, error);
}

enum logexport_status le_json_real(const struct le_json_value *object, const char *key,
                                   struct le_place place, double *out,
                                   struct logexport_error *error)
{
    const struct le_json_value *value = le_json_get(object, key);
    if (!le_json_is(value, LE_JSON_NUMBER))
        return refuse_member(error, place, value, key, "a number");
    *out = le_json_number(value);
    return LOGEXPORT_OK;
}

enum logexport_status le_json_as_file_name(const struct le_json_value *member,
                                           struct le_place place, const char **out,
                                           struct logexport_error *error)
{
    if (!le_json_is(member, LE_JSON_STRING))
        return refuse_member(error, place, member, member->key, "a string");
    *out = member->text;
    if (!le_file_name_is_plain(member->text, member->length))
        return le_json_malformed(error, place, "\"%s\" is no plain file name: \"%.100s\"",
                                 member->key, member->text);
    return LOGEXPORT_OK;
}

enum logexport_status le_json_file_name(const struct le_json_value *object, const char *key,
                                        struct le_place place, const char **out,
                                        struct logexport_error *error)
{
    const struct le_json_value *member = le_json_get(object, key);
    return member == NULL ? refuse_member(error, place, NULL, key, "a string")
                          : le_json_as_file_name(member, place, out, error);
}

enum logexport_status le_json_name(const struct le_json_value *object, const char *key,
                                   struct le_place place, const char **out,
                                   struct logexport_error *error)
{
    size_t length = 0;
    enum logexport_status status = le_json_string(object, key, place, out, &length, error);
    if (status == LOGEXPORT_OK && (length == 0 || strlen(*out) != length))
        return le_json_malformed(error, place, "\"%s\" is empty or holds NUL", key);
    return status;
}
