#include "json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "files.h"

enum { MAX_DEPTH = 64 };

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

/* Jansson allows 2,048 levels; ours need fewer than ten, and recursion over values stays shallow. */
static bool too_deep(const json_t *value, int level)
{
    if (level > MAX_DEPTH)
        return true;
    if (json_is_object(value)) {
        const char *key;
        json_t *member;
        json_object_foreach((json_t *)(uintptr_t)value, key, member)
        {
            if (too_deep(member, level + 1))
                return true;
        }
    } else if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++)
            if (too_deep(json_array_get(value, i), level + 1))
                return true;
    }
    return false;
}

enum logexport_status le_json_parse(const char *bytes, size_t length, struct le_place place,
                                    json_t **object, struct logexport_error *error)
{
    json_error_t why;
    *object = json_loadb(bytes, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);
    if (*object == NULL) {
        if (json_error_code(&why) == json_error_out_of_memory)
            return le_out_of_memory(error);
        return le_json_malformed(error, place, "not valid JSON, line %d: %s", why.line, why.text);
    }
    if (!json_is_object(*object) || too_deep(*object, 0)) {
        bool object_too_deep = json_is_object(*object);
        json_decref(*object);
        *object = NULL;
        return le_json_malformed(error, place,
                                 object_too_deep ? "nested too deeply" : "not an object");
    }
    return LOGEXPORT_OK;
}

static enum logexport_status refuse_member(struct logexport_error *error, struct le_place place,
                                           const json_t *object, const char *key,
                                           const char *wanted)
{
    if (json_object_get(object, key) == NULL)
        return le_json_malformed(error, place, "\"%s\" is missing", key);
    return le_json_malformed(error, place, "\"%s\" is not %s", key, wanted);
}

enum logexport_status le_json_object(const json_t *object, const char *key, struct le_place place,
                                     json_t **out, struct logexport_error *error)
{
    *out = json_object_get(object, key);
    return json_is_object(*out) ? LOGEXPORT_OK
                                : refuse_member(error, place, object, key, "an object");
}

enum logexport_status le_json_array(const json_t *object, const char *key, struct le_place place,
                                    json_t **out, struct logexport_error *error)
{
    *out = json_object_get(object, key);
    return json_is_array(*out) ? LOGEXPORT_OK
                               : refuse_member(error, place, object, key, "an array");
}

enum logexport_status le_json_string(const json_t *object, const char *key, struct le_place place,
                                     const char **out, size_t *length,
                                     struct logexport_error *error)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return refuse_member(error, place, object, key, "a string");
    *out = json_string_value(value);
    *length = json_string_length(value);
    return LOGEXPORT_OK;
}

enum logexport_status le_json_integer(const json_t *object, const char *key, int64_t low,
                                      int64_t high, struct le_place place, int64_t *out,
                                      struct logexport_error *error)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        return refuse_member(error, place, object, key, "an integer");
    *out = json_integer_value(value);
    if (*out < low || *out > high)
        return le_json_malformed(error, place, "\"%s\" is %lld, not %lld to %lld", key,
                                 (long long)*out, (long long)low, (long long)high);
    return LOGEXPORT_OK;
}

enum logexport_status le_json_real(const json_t *object, const char *key, struct le_place place,
                                   double *out, struct logexport_error *error)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        return refuse_member(error, place, object, key, "a number");
    *out = json_number_value(value);
    return LOGEXPORT_OK;
}

enum logexport_status le_json_file_name(const json_t *object, const char *key,
                                        struct le_place place, const char **out,
                                        struct logexport_error *error)
{
    size_t length = 0;
    enum logexport_status status = le_json_string(object, key, place, out, &length, error);
    if (status == LOGEXPORT_OK && !le_file_name_is_plain(*out, length))
        return le_json_malformed(error, place, "\"%s\" is no plain file name: \"%.100s\"", key,
                                 *out);
    return status;
}

enum logexport_status le_json_name(const json_t *object, const char *key, struct le_place place,
                                   const char **out, struct logexport_error *error)
{
    size_t length = 0;
    enum logexport_status status = le_json_string(object, key, place, out, &length, error);
    if (status == LOGEXPORT_OK && (length == 0 || strlen(*out) != length))
        return le_json_malformed(error, place, "\"%s\" is empty or holds NUL", key);
    return status;
}
