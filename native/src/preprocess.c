#include "preprocess.h"

#include <stdio.h>
#include <string.h>

#include "syntax.h"
#include "utf8.h"

enum {
    MAX_RULES = 100,
    MAX_NAME = 256,
    MAX_IDLE_LINES = 10000000,
    MAX_IDLE_SECONDS = 1000000000,
    DEFAULT_IDLE_LINES = 100000 /* of sessions that an option makes where the file makes none */
};
enum { TIMESTAMP, LEVEL, LOGGER, HOST, PROCESS, PID, FIELD_COUNT };
static const char *const field_names[FIELD_COUNT] = {[TIMESTAMP] = "timestamp", [LEVEL] = "level",
                                                     [LOGGER] = "logger",       [HOST] = "host",
                                                     [PROCESS] = "process",     [PID] = "pid"};
#define MAX_RULES_BYTES (UINT64_C(4) << 20)

/* What is needed all along the way through the file. */
struct reader {
    struct le_preprocess *rules;
    const struct le_task *task;
    struct le_place place;
    char where[700]; /* the file's path, for errors about patterns */
    bool jit, times;
    int64_t version;
    struct logexport_error *error;
};

/* Refuses an object with a key that is none of these: the reference's schema has no others, and what
 * nobody reads may have been meant. */
static enum logexport_status refuse_other_keys(struct reader *reader, struct le_place place,
                                               const struct le_json_value *object,
                                               const char *const *keys, size_t count)
{
    const struct le_json_value *member = le_json_first(object);
    for (; member != NULL; member = le_json_next(member)) {
        size_t i = 0;
        while (i < count && strcmp(keys[i], member->key) != 0)
            i++;
        if (i == count)
            return le_json_malformed(reader->error, place, "there is no key \"%.100s\"",
                                     member->key);
    }
    return LOGEXPORT_OK;
}

#define REFUSE_OTHER_KEYS(reader, place, object, ...)                                              \
    refuse_other_keys(reader, place, object, (const char *const[]){__VA_ARGS__},                   \
                      sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static bool is_rule_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = strlen(name);
    return length >= 1 && length <= 64 && strspn(name, letters) > 0 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               length;
}

static enum logexport_status compile_pattern(struct reader *reader, struct le_pattern *pattern,
                                             const char *text, size_t length, bool anchored,
                                             const char *where, const char *what)
{
    if (le_utf8_valid_prefix(text, length) != length) /* an option's may not be; JSON's is */
        return le_fail(reader->error, LOGEXPORT_BUNDLE,
                       "%.300s: the pattern of %.100s is not UTF-8.", where, what);
    const char *refusal = le_syntax_refusal(text, length);
    if (refusal != NULL)
        return le_fail(reader->error, LOGEXPORT_BUNDLE,
                       "%.300s: the pattern of %.100s is not portable: %s.", where, what, refusal);
    enum logexport_status status = le_pattern_compile(pattern, text, length, anchored, reader->jit,
                                                      where, what, reader->error);
    if (status == LOGEXPORT_OK && pattern->groups > reader->rules->max_groups)
        reader->rules->max_groups = pattern->groups;
    return status;
}

/* The array `key` of at most MAX_RULES objects, each with a name of its own and a pattern. */
static enum logexport_status read_rule_array(struct reader *reader,
                                             const struct le_json_value *document, const char *key,
                                             const struct le_json_value **array)
{
    enum logexport_status status =
        le_json_array(document, key, reader->place, array, reader->error);
    if (status != LOGEXPORT_OK)
        return status;
    if ((*array)->length > MAX_RULES)
        return le_json_malformed(reader->error, reader->place, "\"%s\" has more than %d entries",
                                 key, MAX_RULES);
    struct le_place place = reader->place;
    place.inside = key;
    const struct le_json_value *entry = le_json_first(*array), *before;
    for (; entry != NULL; entry = le_json_next(entry)) {
        const char *name;
        if (!le_json_is(entry, LE_JSON_OBJECT))
            return le_json_malformed(reader->error, place, "an entry is not an object");
        if ((status = le_json_name(entry, "name", place, &name, reader->error)))
            return status;
        if (!is_rule_name(name))
            return le_json_malformed(reader->error, place, "\"%.100s\" is no name", name);
        for (before = le_json_first(*array); before != entry; before = le_json_next(before))
            if (strcmp(le_json_text(le_json_get(before, "name")), name) == 0)
                return le_json_malformed(reader->error, place, "two entries are named \"%s\"",
                                         name);
    }
    return LOGEXPORT_OK;
}

/* Whether a text, which is UTF-8, has 1 to MAX_NAME characters. */
static bool is_name(const char *text, size_t length)
{
    size_t characters = 0;
    for (size_t i = 0; i < length; i++)
        characters += ((unsigned char)text[i] & 0xc0) != 0x80;
    return characters >= 1 && characters <= MAX_NAME;
}

static enum logexport_status
read_next_line(struct reader *reader, const struct le_json_value *entry, struct le_header *header)
{
    const struct le_json_value *value = le_json_get(entry, "message");
    struct le_place place = reader->place;
    place.inside = "headers";
    if (value == NULL)
        return LOGEXPORT_OK;
    if (reader->version == 1)
        return le_json_malformed(reader->error, place, "\"message\" belongs to version 2 only");
    if (!le_json_is(value, LE_JSON_STRING) || strcmp(value->text, "next_line") != 0)
        return le_json_malformed(reader->error, place, "\"message\" is not next_line");
    header->next_line = reader->rules->holds = true;
    return LOGEXPORT_OK;
}

static enum logexport_status read_headers(struct reader *reader,
                                          const struct le_json_value *document)
{
    struct le_preprocess *rules = reader->rules;
    const struct le_json_value *array;
    enum logexport_status status = read_rule_array(reader, document, "headers", &array);
    if (status != LOGEXPORT_OK)
        return status;
    struct le_place place = reader->place;
    place.inside = "headers";
    rules->headers = calloc(array->length + 1, sizeof *rules->headers);
    if (rules->headers == NULL)
        return le_out_of_memory(reader->error);
    const struct le_json_value *entry = le_json_first(array);
    for (; entry != NULL; entry = le_json_next(entry)) {
        struct le_header *header = &rules->headers[rules->header_count++];
        char what[100];
        const char *text;
        size_t length;
        snprintf(what, sizeof what, "header \"%s\"", le_json_text(le_json_get(entry, "name")));
        if ((status = REFUSE_OTHER_KEYS(reader, place, entry, "name", "pattern", "message")))
            return status;
        if ((status = le_json_string(entry, "pattern", place, &text, &length, reader->error)) ||
            (status = compile_pattern(reader, &header->pattern, text, length, true, reader->where,
                                      what)))
            return status;
        if ((status = read_next_line(reader, entry, header)))
            return status;
        if (!le_header_find_groups(header, reader->version == 1))
            return le_fail(reader->error, LOGEXPORT_BUNDLE,
                           "%s: the pattern of %s has no group \"message\", one beside it that "
                           "is not a field by rules of version %d, or groups of time without "
                           "\"timestamp\".",
                           reader->where, what, (int)reader->version);
    }
    return LOGEXPORT_OK;
}

static enum logexport_status read_masks(struct reader *reader, const struct le_json_value *document)
{
    struct le_preprocess *rules = reader->rules;
    const struct le_json_value *array;
    enum logexport_status status = read_rule_array(reader, document, "masks", &array);
    if (status != LOGEXPORT_OK)
        return status;
    struct le_place place = reader->place;
    place.inside = "masks";
    rules->masks = calloc(array->length + 1, sizeof *rules->masks);
    rules->mask_names = calloc(array->length + 1, sizeof *rules->mask_names);
    if (rules->masks == NULL || rules->mask_names == NULL)
        return le_out_of_memory(reader->error);
    const struct le_json_value *entry = le_json_first(array);
    for (; entry != NULL; entry = le_json_next(entry)) {
        const char *name = le_json_text(le_json_get(entry, "name"));
        struct le_mask *mask = &rules->masks[rules->mask_count];
        snprintf(rules->mask_names[rules->mask_count], sizeof *rules->mask_names, "%s", name);
        rules->mask_count++;
        char what[100];
        const char *text;
        size_t length;
        snprintf(what, sizeof what, "mask \"%s\"", name);
        if ((status = REFUSE_OTHER_KEYS(reader, place, entry, "name", "pattern", "replacement")))
            return status;
        if ((status = le_json_string(entry, "pattern", place, &text, &length, reader->error)) ||
            (status = compile_pattern(reader, &mask->pattern, text, length, false, reader->where,
                                      what)) ||
            (status = le_json_string(entry, "replacement", place, &text, &length, reader->error)) ||
            (status = le_mask_replacement(mask, text, length, reader->where, what, reader->error)))
            return status;
    }
    return LOGEXPORT_OK;
}

static enum logexport_status compile_session(struct reader *reader, const char *text, size_t length,
                                             const char *where, const char *what)
{
    struct le_preprocess *rules = reader->rules;
    rules->by = LE_BY_PATTERN;
    enum logexport_status status =
        compile_pattern(reader, &rules->session, text, length, false, where, what);
    rules->session_group = rules->session.groups > 0 ? 1 : 0;
    return status;
}

static enum logexport_status set_session_key(struct reader *reader, const char *name, size_t length,
                                             const char *where, enum logexport_status bad)
{
    reader->rules->by = LE_BY_FIELD;
    if (le_utf8_valid_prefix(name, length) != length || !is_name(name, length))
        return le_fail(reader->error, bad,
                       "%.300s: the field of the sessions is not a name of 1 to %d characters.",
                       where, MAX_NAME);
    return le_buffer_append(&reader->rules->session_key, name, length)
               ? LOGEXPORT_OK
               : le_out_of_memory(reader->error);
}

/* What the option says in place of the file. */
static enum logexport_status use_session_option(struct reader *reader, const char *value)
{
    static const char where[] = "the option session-by", prefix[] = "field:";
    struct le_preprocess *rules = reader->rules;
    le_pattern_free(&rules->session); /* the file's rule */
    rules->session_group = 0;
    rules->session_key.length = 0;
    if (strcmp(value, "none") == 0 || strcmp(value, "host") == 0) {
        if (le_task_needs_sessions(reader->task))
            return le_fail(reader->error, LOGEXPORT_USAGE,
                           "--session-by %s does not apply: the model judges sessions that begin "
                           "and end, so use a pattern, or field:NAME.",
                           value);
        rules->by = value[0] == 'n' ? LE_BY_NONE : LE_BY_HOST;
        return LOGEXPORT_OK;
    }
    if (reader->version > 1 && strncmp(value, prefix, sizeof prefix - 1) == 0)
        return set_session_key(reader, value + sizeof prefix - 1,
                               strlen(value) - (sizeof prefix - 1), where, LOGEXPORT_USAGE);
    enum logexport_status status =
        compile_session(reader, value, strlen(value), where, "the sessions");
    if (status == LOGEXPORT_BUNDLE && reader->error != NULL)
        reader->error->status = LOGEXPORT_USAGE;
    return status == LOGEXPORT_BUNDLE ? LOGEXPORT_USAGE : status;
}

/* By what a line's session is told. */
static enum logexport_status read_session_by(struct reader *reader, struct le_place place,
                                             const struct le_json_value *session)
{
    struct le_preprocess *rules = reader->rules;
    const char *by, *text;
    size_t length;
    enum logexport_status status;
    if ((status = le_json_name(session, "by", place, &by, reader->error)))
        return status;
    if (reader->version > 1 && strcmp(by, "field") == 0) {
        if (le_json_get(session, "pattern") != NULL)
            return le_json_malformed(reader->error, place, "\"pattern\" belongs to regex only");
        if ((status = le_json_string(session, "field", place, &text, &length, reader->error)))
            return status;
        return set_session_key(reader, text, length, reader->where, LOGEXPORT_BUNDLE);
    }
    if (le_json_get(session, "field") != NULL)
        return le_json_malformed(reader->error, place, "\"field\" belongs to field only");
    if (strcmp(by, "regex") == 0) {
        if ((status = le_json_string(session, "pattern", place, &text, &length, reader->error)))
            return status;
        return compile_session(reader, text, length, reader->where, "the sessions");
    }
    if (strcmp(by, "none") != 0 && strcmp(by, "host") != 0)
        return le_json_malformed(reader->error, place, "\"by\" is not none, host%s or regex",
                                 reader->version > 1 ? ", field" : "");
    rules->by = by[0] == 'n' ? LE_BY_NONE : LE_BY_HOST;
    if (!le_json_is(le_json_get(session, "pattern"), LE_JSON_NULL))
        return le_json_malformed(reader->error, place, "\"pattern\" belongs to regex only");
    return LOGEXPORT_OK;
}

/* When a session ends. */
static enum logexport_status read_ends(struct reader *reader, struct le_place place,
                                       const struct le_json_value *session)
{
    static const char *const keys[] = {"idle_lines", "idle_seconds", "close_pattern"};
    struct le_preprocess *rules = reader->rules;
    const char *text;
    size_t length;
    enum logexport_status status;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (le_json_get(session, keys[i]) == NULL)
            continue;
        if (reader->version == 1)
            return le_json_malformed(reader->error, place, "\"%s\" belongs to version 2 only",
                                     keys[i]);
        if (rules->by == LE_BY_NONE)
            return le_json_malformed(reader->error, place, "\"%s\" does not belong to none",
                                     keys[i]);
    }
    if (reader->version == 1 || rules->by == LE_BY_NONE)
        return LOGEXPORT_OK;
    if ((status = le_json_integer(session, "idle_lines", 1, MAX_IDLE_LINES, place,
                                  &rules->idle_lines, reader->error)) ||
        (le_json_get(session, "idle_seconds") != NULL &&
         (status = le_json_integer(session, "idle_seconds", 1, MAX_IDLE_SECONDS, place,
                                   &rules->idle_seconds, reader->error))))
        return status;
    rules->closes = le_json_get(session, "close_pattern") != NULL;
    if (!rules->closes)
        return LOGEXPORT_OK;
    if ((status = le_json_string(session, "close_pattern", place, &text, &length, reader->error)))
        return status;
    return compile_pattern(reader, &rules->close_pattern, text, length, false, reader->where,
                           "the sessions' ends");
}

static enum logexport_status read_session(struct reader *reader,
                                          const struct le_json_value *document)
{
    const struct le_json_value *session;
    struct le_place place = reader->place;
    enum logexport_status status =
        le_json_object(document, "session", place, &session, reader->error);
    if (status != LOGEXPORT_OK)
        return status;
    place.inside = "session";
    if ((status = REFUSE_OTHER_KEYS(reader, place, session, "by", "pattern", "field", "idle_lines",
                                    "idle_seconds", "close_pattern")) ||
        (status = read_session_by(reader, place, session)))
        return status;
    return read_ends(reader, place, session);
}

/* Settles the ends once it is known what sessions are by, and refuses what does not fit the task. */
static enum logexport_status settle_ends(struct reader *reader)
{
    struct le_preprocess *rules = reader->rules;
    bool begin_and_end =
        reader->version > 1 && (rules->by == LE_BY_PATTERN || rules->by == LE_BY_FIELD);
    struct le_place place = reader->place;
    place.inside = "session";
    if (le_task_needs_sessions(reader->task) && !begin_and_end)
        return le_json_malformed(reader->error, place,
                                 "the model judges sessions that begin and end, which are by regex "
                                 "or field and of version 2");
    if (reader->task->input == LE_COUNT_MATRIX)
        rules->by = LE_BY_NONE; /* it counts over the whole log */
    if (rules->by == LE_BY_NONE) {
        rules->idle_lines = rules->idle_seconds = 0;
        rules->closes = false;
    } else if (reader->version > 1 && rules->idle_lines == 0) {
        rules->idle_lines = DEFAULT_IDLE_LINES;
    }
    reader->times = reader->times || rules->idle_seconds > 0;
    return LOGEXPORT_OK;
}

/* --- what version 2 adds --- */

/* A member that is a name of 1 to MAX_NAME characters; an empty span if there is none. */
static enum logexport_status read_key(struct reader *reader, struct le_place place,
                                      const struct le_json_value *form, const char *key,
                                      struct le_json_span *out)
{
    const struct le_json_value *value = le_json_get(form, key);
    *out = (struct le_json_span){NULL, 0};
    if (value == NULL)
        return LOGEXPORT_OK;
    if (!le_json_is(value, LE_JSON_STRING) || !is_name(value->text, value->length))
        return le_json_malformed(reader->error, place, "\"%s\" is not a name of 1 to %d characters",
                                 key, MAX_NAME);
    *out = (struct le_json_span){value->text, value->length};
    return LOGEXPORT_OK;
}

/* Takes the key of a field wherever that field is wanted. */
static void want_field(const struct le_preprocess *rules, const char *field,
                       struct le_json_span key, struct le_form_names *names)
{
    for (int i = 0; i < rules->field_count; i++)
        if (rules->fields[i] != NULL && strcmp(rules->fields[i], field) == 0)
            names->fields[i] = key;
}

static enum logexport_status read_form(struct reader *reader, struct le_place place,
                                       const struct le_json_value *form)
{
    static const char *const kinds[] = {"json", "docker", "cri", "logfmt"};
    struct le_preprocess *rules = reader->rules;
    const char *name;
    enum logexport_status status;
    int kind = 0;
    if (!le_json_is(form, LE_JSON_OBJECT))
        return le_json_malformed(reader->error, place, "an entry is not an object");
    if ((status = REFUSE_OTHER_KEYS(reader, place, form, "form", "message", "timestamp", "level",
                                    "logger", "host", "process", "pid")) ||
        (status = le_json_name(form, "form", place, &name, reader->error)))
        return status;
    while (kind < 4 && strcmp(kinds[kind], name) != 0)
        kind++;
    if (kind == 4)
        return le_json_malformed(reader->error, place, "there is no form \"%.100s\"", name);
    bool fixed = kind == LE_FORM_DOCKER || kind == LE_FORM_CRI;
    struct le_json_span each;
    struct le_form_names wanted = {
        .session_key = {rules->session_key.data, rules->session_key.length},
        .field_count = rules->field_count};
    if ((status = read_key(reader, place, form, "message", &wanted.message)))
        return status;
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        if ((status = read_key(reader, place, form, field_names[i], &each)))
            return status;
        if (each.text != NULL && fixed)
            return le_json_malformed(reader->error, place, "the keys of %s are fixed", name);
        if (fixed && i == TIMESTAMP)
            each = (struct le_json_span){"time", 4};
        want_field(rules, field_names[i], each, &wanted);
    }
    if (fixed == (wanted.message.text != NULL))
        return le_json_malformed(reader->error, place,
                                 fixed ? "the keys of %s are fixed" : "%s has no \"message\"",
                                 name);
    rules->holds = rules->holds || fixed;
    return le_structure_add(&rules->structure, (enum le_form_kind)kind, &wanted)
               ? LOGEXPORT_OK
               : le_out_of_memory(reader->error);
}

static enum logexport_status read_structured(struct reader *reader,
                                             const struct le_json_value *document)
{
    const struct le_json_value *array, *form;
    enum logexport_status status =
        le_json_array(document, "structured", reader->place, &array, reader->error);
    struct le_place place = reader->place;
    place.inside = "structured";
    if (status == LOGEXPORT_OK && array->length > LE_MAX_FORMS)
        return le_json_malformed(reader->error, reader->place,
                                 "\"structured\" has more than %d entries", LE_MAX_FORMS);
    for (form = status == LOGEXPORT_OK ? le_json_first(array) : NULL;
         form != NULL && status == LOGEXPORT_OK; form = le_json_next(form))
        status = read_form(reader, place, form);
    return status;
}

static enum logexport_status read_continuation(struct reader *reader,
                                               const struct le_json_value *document)
{
    const struct le_json_value *value = le_json_get(document, "continuation");
    if (!le_json_is(value, LE_JSON_TRUE) && !le_json_is(value, LE_JSON_FALSE))
        return le_json_malformed(reader->error, reader->place,
                                 "\"continuation\" is not true or false");
    reader->rules->continuation = le_json_is(value, LE_JSON_TRUE);
    return LOGEXPORT_OK;
}

static enum logexport_status read_tokens(struct reader *reader,
                                         const struct le_json_value *document)
{
    struct le_place place = reader->place;
    const struct le_json_value *tokens;
    const char *after;
    size_t length;
    enum logexport_status status =
        le_json_object(document, "tokens", place, &tokens, reader->error);
    if (status != LOGEXPORT_OK)
        return status;
    place.inside = "tokens";
    if ((status = REFUSE_OTHER_KEYS(reader, place, tokens, "split_after", "collapse")) ||
        (status = le_json_string(tokens, "split_after", place, &after, &length, reader->error)))
        return status;
    const struct le_json_value *collapse = le_json_get(tokens, "collapse");
    if (!le_json_is(collapse, LE_JSON_TRUE) && !le_json_is(collapse, LE_JSON_FALSE))
        return le_json_malformed(reader->error, place, "\"collapse\" is not true or false");
    if (!le_token_rule_init(&reader->rules->tokens, after, length,
                            le_json_is(collapse, LE_JSON_TRUE)))
        return le_json_malformed(reader->error, place,
                                 "\"split_after\" is not at most %d different characters of ASCII "
                                 "punctuation",
                                 LE_MAX_SPLIT_AFTER);
    return LOGEXPORT_OK;
}

static enum logexport_status read_matching(struct reader *reader,
                                           const struct le_json_value *document)
{
    struct le_place place = reader->place;
    struct le_matching *matching = &reader->rules->matching;
    const struct le_json_value *object;
    const char *prefer;
    enum logexport_status status =
        le_json_object(document, "matching", place, &object, reader->error);
    if (status != LOGEXPORT_OK)
        return status;
    place.inside = "matching";
    if ((status = REFUSE_OTHER_KEYS(reader, place, object, "prefer", "inner")) ||
        (status = le_json_name(object, "prefer", place, &prefer, reader->error)))
        return status;
    matching->general = strcmp(prefer, "general") == 0;
    if (!matching->general && strcmp(prefer, "specific") != 0)
        return le_json_malformed(reader->error, place, "\"prefer\" is not specific or general");
    const struct le_json_value *inner = le_json_get(object, "inner");
    if (reader->version == 1)
        return inner == NULL
                   ? LOGEXPORT_OK
                   : le_json_malformed(reader->error, place, "\"inner\" belongs to version 2 only");
    if (!le_json_is(inner, LE_JSON_TRUE) && !le_json_is(inner, LE_JSON_FALSE))
        return le_json_malformed(reader->error, place, "\"inner\" is not true or false");
    matching->inner = le_json_is(inner, LE_JSON_TRUE);
    matching->typed = true;
    return LOGEXPORT_OK;
}

static enum logexport_status read_encoding(struct reader *reader,
                                           const struct le_json_value *document)
{
    const char *name;
    enum logexport_status status =
        le_json_name(document, "encoding", reader->place, &name, reader->error);
    if (status != LOGEXPORT_OK)
        return status;
    reader->rules->encoding = le_encoding_of(name);
    if (reader->rules->encoding == LE_BYTES)
        return le_json_malformed(reader->error, reader->place,
                                 "\"encoding\" is not utf-8, utf-16le or utf-16be");
    return LOGEXPORT_OK;
}

static enum logexport_status read_kept(struct reader *reader, struct le_place place,
                                       const struct le_json_value *entry)
{
    static const char *const forms[] = {"text", "severity", "class"};
    struct le_preprocess *rules = reader->rules;
    const char *field, *as;
    enum logexport_status status;
    int form = 0;
    if (!le_json_is(entry, LE_JSON_OBJECT))
        return le_json_malformed(reader->error, place, "an entry is not an object");
    if ((status = REFUSE_OTHER_KEYS(reader, place, entry, "field", "as")) ||
        (status = le_json_name(entry, "field", place, &field, reader->error)) ||
        (status = le_json_name(entry, "as", place, &as, reader->error)))
        return status;
    const char *known = le_field_name(field, strlen(field));
    if (known == NULL)
        return le_json_malformed(reader->error, place, "there is no field \"%.100s\"", field);
    while (form < 3 && strcmp(forms[form], as) != 0)
        form++;
    if (form == 3)
        return le_json_malformed(reader->error, place, "\"as\" is not text, severity or class");
    rules->keep[rules->keep_count++] = (enum le_kept_form)form;
    rules->fields[rules->field_count++] = known;
    return LOGEXPORT_OK;
}

static enum logexport_status read_keep(struct reader *reader, const struct le_json_value *document)
{
    const struct le_json_value *array, *entry;
    enum logexport_status status =
        le_json_array(document, "keep", reader->place, &array, reader->error);
    struct le_place place = reader->place;
    place.inside = "keep";
    if (status == LOGEXPORT_OK && array->length > LE_MAX_KEPT)
        return le_json_malformed(reader->error, reader->place, "\"keep\" has more than %d entries",
                                 LE_MAX_KEPT);
    for (entry = status == LOGEXPORT_OK ? le_json_first(array) : NULL;
         entry != NULL && status == LOGEXPORT_OK; entry = le_json_next(entry))
        status = read_kept(reader, place, entry);
    return status;
}

/* Notes which field the sessions are by: the first of those that are wanted. */
static void want_session_field(struct le_preprocess *rules)
{
    const struct le_buffer *key = &rules->session_key;
    if (rules->by == LE_BY_HOST)
        rules->fields[0] = "host";
    else if (rules->by == LE_BY_FIELD)
        rules->fields[0] = le_field_name(key->data, key->length);
    rules->field_count = 1;
}

/* Notes that times are wanted, and what is needed for them. */
static enum logexport_status want_times(struct reader *reader)
{
    struct le_preprocess *rules = reader->rules;
    rules->times = true;
    rules->fields[rules->field_count++] = "timestamp";
    if (rules->max_groups < LE_TIME_GROUPS)
        rules->max_groups = LE_TIME_GROUPS;
    return le_time_forms_compile(&rules->time_forms, reader->jit, reader->error);
}

/* How records are formed: what rules of version 1 do not have. The sessions are read already. */
static enum logexport_status read_reading(struct reader *reader,
                                          const struct le_json_value *document)
{
    static const char *const keys[] = {"encoding", "structured", "continuation", "keep", "tokens"};
    enum logexport_status status;
    for (size_t i = 0; reader->version == 1 && i < sizeof keys / sizeof keys[0]; i++)
        if (le_json_get(document, keys[i]) != NULL)
            return le_json_malformed(reader->error, reader->place,
                                     "\"%s\" belongs to version 2 only", keys[i]);
    if (reader->version == 1)
        return reader->times ? want_times(reader) : LOGEXPORT_OK;
    if ((status = read_encoding(reader, document)) || (status = read_keep(reader, document)) ||
        (reader->times && (status = want_times(reader))) ||
        (status = read_structured(reader, document)))
        return status;
    if ((status = read_continuation(reader, document)))
        return status;
    return read_tokens(reader, document);
}

static enum logexport_status read_rules(struct reader *reader, const struct le_json_value *document,
                                        const char *session_by)
{
    struct le_preprocess *rules = reader->rules;
    struct le_place place = reader->place;
    int64_t max_sessions = INT64_MAX, max_line_bytes;
    enum logexport_status status;
    if ((status = le_json_integer(document, "schema_version", 1, 2, place, &reader->version,
                                  reader->error)) ||
        (status =
             REFUSE_OTHER_KEYS(reader, place, document, "schema_version", "encoding", "structured",
                               "continuation", "keep", "headers", "masks", "tokens", "matching",
                               "session", "max_sessions", "max_line_bytes")) ||
        (status = read_headers(reader, document)) || (status = read_masks(reader, document)) ||
        (status = read_session(reader, document)) ||
        (status = session_by == NULL ? LOGEXPORT_OK : use_session_option(reader, session_by)) ||
        (status = settle_ends(reader)))
        return status;
    want_session_field(rules);
    if (reader->version > 1 && le_json_get(document, "max_sessions") != NULL)
        return le_json_malformed(reader->error, place,
                                 "\"max_sessions\" belongs to version 1 only");
    if ((status = read_reading(reader, document)) ||
        (reader->version == 1 && (status = le_json_integer(document, "max_sessions", 1, 1000000000,
                                                           place, &max_sessions, reader->error))) ||
        (status = le_json_integer(document, "max_line_bytes", 1, 1 << 30, place, &max_line_bytes,
                                  reader->error)) ||
        (status = read_matching(reader, document)))
        return status;
    for (int i = 0; i < rules->header_count; i++) {
        const struct le_header *header = &rules->headers[i];
        le_header_want(&rules->headers[i], rules->fields, rules->field_count);
        if (rules->continuation && header->pid != 0 && header->level != 0)
            rules->by_pid = true;
    }
    rules->max_sessions = (size_t)max_sessions;
    rules->max_line_bytes = (size_t)max_line_bytes;
    return LOGEXPORT_OK;
}

enum logexport_status le_preprocess_load(struct le_preprocess *rules,
                                         const struct le_bundle *bundle,
                                         const struct le_metadata *metadata, const char *session_by,
                                         bool jit, bool times, struct logexport_error *error)
{
    *rules = (struct le_preprocess){0};
    struct reader reader = {.rules = rules,
                            .task = &metadata->task,
                            .place = {bundle->path, metadata->preprocess_file, ""},
                            .jit = jit,
                            .times = times,
                            .error = error};
    snprintf(reader.where, sizeof reader.where, "%.300s/%.130s", bundle->path,
             metadata->preprocess_file);
    struct le_buffer bytes = {0};
    struct le_json_document document = {NULL, NULL};
    enum logexport_status status =
        le_bundle_read(bundle, metadata->preprocess_file, MAX_RULES_BYTES, &bytes, error);
    if (status == LOGEXPORT_OK)
        status = le_json_parse(bytes.data, bytes.length, reader.place, &document, error);
    if (status == LOGEXPORT_OK)
        status = read_rules(&reader, document.object, session_by);
    le_json_free(&document);
    le_buffer_free(&bytes);
    if (status != LOGEXPORT_OK)
        le_preprocess_free(rules);
    return status;
}

void le_preprocess_free(struct le_preprocess *rules)
{
    for (int i = 0; i < rules->header_count; i++)
        le_pattern_free(&rules->headers[i].pattern);
    for (int i = 0; i < rules->mask_count; i++)
        le_mask_free(&rules->masks[i]);
    free(rules->headers);
    free(rules->masks);
    free(rules->mask_names);
    le_pattern_free(&rules->session);
    le_pattern_free(&rules->close_pattern);
    le_time_forms_free(&rules->time_forms);
    le_structure_free(&rules->structure);
    le_buffer_free(&rules->session_key);
    *rules = (struct le_preprocess){0};
}
