/* JSON read with suspicion: jansson does the parsing, this adds limits and sentences. */
#ifndef LE_JSON_H
#define LE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "errors.h"

/* Where a value stands, for errors: the file, and the place in it (may be ""). */
struct le_place {
    const char *directory, *file, *inside;
};

/* Parses an object (RFC 8259): no key twice, no text after it, not nested deeper than 64. */
enum logexport_status le_json_parse(const char *bytes, size_t length, struct le_place place,
                                    json_t **object, struct logexport_error *error);

/* "PLACE is malformed: WHAT." */
__attribute__((format(printf, 3, 4))) enum logexport_status
le_json_malformed(struct logexport_error *error, struct le_place place, const char *format, ...);

/* Members of an object, required and of the type that the name says. */
enum logexport_status le_json_object(const json_t *object, const char *key, struct le_place place,
                                     json_t **out, struct logexport_error *error);
enum logexport_status le_json_array(const json_t *object, const char *key, struct le_place place,
                                    json_t **out, struct logexport_error *error);
enum logexport_status le_json_string(const json_t *object, const char *key, struct le_place place,
                                     const char **out, size_t *length,
                                     struct logexport_error *error);
enum logexport_status le_json_integer(const json_t *object, const char *key, int64_t low,
                                      int64_t high, struct le_place place, int64_t *out,
                                      struct logexport_error *error);
enum logexport_status le_json_real(const json_t *object, const char *key, struct le_place place,
                                   double *out, struct logexport_error *error);

/* A string that is a plain file name (file.h). */
enum logexport_status le_json_file_name(const json_t *object, const char *key,
                                        struct le_place place, const char **out,
                                        struct logexport_error *error);

/* A string without NUL, not empty. */
enum logexport_status le_json_name(const json_t *object, const char *key, struct le_place place,
                                   const char **out, struct logexport_error *error);

#endif
