/* JSON of a bundle, read with suspicion: a tree that is only looked at, and sentences for what is
 * missing in it. */
#ifndef LE_JSON_H
#define LE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "errors.h"
#include "json_cursor.h"

/* Where a value stands, for errors: the file, and the place in it (may be ""). */
struct le_place {
    const char *directory, *file, *inside;
};

/* A value. Keys and strings are valid UTF-8, ended by a NUL; a key holds no other one. */
struct le_json_value {
    const char *key; /* NULL if it is not a member of an object */
    union {
        const char *text; /* of a string */
        int64_t integer;  /* of a number that is_integer */
        double real;      /* of any other number; finite */
    };
    uint32_t key_length;
    uint32_t length; /* the bytes of a string, the items of an array, the members of an object */
    uint32_t next;   /* how many values later the next one of the same parent stands; 0: the last */
    uint8_t kind;    /* enum le_json_kind */
    bool is_integer; /* written without a fraction and an exponent */
};

/* Every value lies before its items or members, in the file's order. */
struct le_json_document {
    struct le_json_value *object; /* the outermost value, and with it all others */
    char *strings;
};

/* Parses an object (RFC 8259, UTF-8). Refused are: a key twice in one object, NUL in a key, half of a
 * surrogate pair, an integer beyond 64 bits, a real beyond a double, and more than LE_JSON_MAX_DEPTH
 * arrays and objects in each other. `bytes` are not needed any more afterwards. */
enum logexport_status le_json_parse(const char *bytes, size_t length, struct le_place place,
                                    struct le_json_document *document,
                                    struct logexport_error *error);
void le_json_free(struct le_json_document *document);

/* "PLACE is malformed: WHAT." */
__attribute__((format(printf, 3, 4))) enum logexport_status
le_json_malformed(struct logexport_error *error, struct le_place place, const char *format, ...);

/* --- looking at it: NULL is a value that is missing, and so of no kind --- */

static inline bool le_json_is(const struct le_json_value *value, enum le_json_kind kind)
{
    return value != NULL && value->kind == kind;
}

/* The first item or member; NULL if there is none. */
static inline const struct le_json_value *le_json_first(const struct le_json_value *parent)
{
    bool holds = le_json_is(parent, LE_JSON_ARRAY) || le_json_is(parent, LE_JSON_OBJECT);
    return holds && parent->length > 0 ? parent + 1 : NULL;
}

/* The item or member after this one; NULL if it is the last. */
static inline const struct le_json_value *le_json_next(const struct le_json_value *value)
{
    return value->next > 0 ? value + value->next : NULL;
}

/* The member of that name, or NULL. Goes through them all: a loop goes by le_json_next(). */
const struct le_json_value *le_json_get(const struct le_json_value *object, const char *key);

/* The text of a string; NULL for anything else. */
static inline const char *le_json_text(const struct le_json_value *value)
{
    return le_json_is(value, LE_JSON_STRING) ? value->text : NULL;
}

/* Any number. */
static inline double le_json_number(const struct le_json_value *number)
{
    return number->is_integer ? (double)number->integer : number->real;
}

/* --- members of an object, required and of the type that the name says --- */

enum logexport_status le_json_object(const struct le_json_value *object, const char *key,
                                     struct le_place place, const struct le_json_value **out,
                                     struct logexport_error *error);
enum logexport_status le_json_array(const struct le_json_value *object, const char *key,
                                    struct le_place place, const struct le_json_value **out,
                                    struct logexport_error *error);
enum logexport_status le_json_string(const struct le_json_value *object, const char *key,
                                     struct le_place place, const char **out, size_t *length,
                                     struct logexport_error *error);
enum logexport_status le_json_integer(const struct le_json_value *object, const char *key,
                                      int64_t low, int64_t high, struct le_place place,
                                      int64_t *out, struct logexport_error *error);
enum logexport_status le_json_real(const struct le_json_value *object, const char *key,
                                   struct le_place place, double *out,
                                   struct logexport_error *error);

/* A string that is a plain file name (files.h). */
enum logexport_status le_json_file_name(const struct le_json_value *object, const char *key,
                                        struct le_place place, const char **out,
                                        struct logexport_error *error);

/* A string without NUL, not empty. */
enum logexport_status le_json_name(const struct le_json_value *object, const char *key,
                                   struct le_place place, const char **out,
                                   struct logexport_error *error);

/* The same of a member that a loop has come to. */
enum logexport_status le_json_as_integer(const struct le_json_value *member, int64_t low,
                                         int64_t high, struct le_place place, int64_t *out,
                                         struct logexport_error *error);
enum logexport_status le_json_as_file_name(const struct le_json_value *member,
                                           struct le_place place, const char **out,
                                           struct logexport_error *error);

#endif
