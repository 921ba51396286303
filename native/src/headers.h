/* Headers: the fields that begin a line, of which the engine needs the message and those that sessions
 * are by or that are kept. */
#ifndef LE_HEADERS_H
#define LE_HEADERS_H

#include "instants.h"
#include "kept.h"
#include "patterns.h"

struct le_header {
    struct le_pattern pattern;      /* anchored at the start of the line */
    uint32_t message;               /* the number of its group */
    uint32_t pid, level;            /* of theirs; 0: it has none */
    uint32_t fields[LE_MAX_FIELDS]; /* of those of the wanted fields; 0: it has none */
    int field_count;
    bool next_line; /* the message goes on in the next line */
    bool timed;     /* groups of time say its timestamp */
    uint32_t times[LE_TIME_GROUPS];
};

/* What a header found in a line; all of it lies in the line. */
struct le_fields {
    const char *message;
    size_t message_length;
    const struct le_header *header;      /* NULL: none matched */
    struct le_text pid, level;           /* of the header */
    struct le_text texts[LE_MAX_FIELDS]; /* of a header's field_count */
};

/* The name of a field that a header or a form of version 2 may have beside its message; NULL: this is
 * not one. */
const char *le_field_name(const char *name, size_t length);

/* Looks up the groups of a header whose pattern is compiled. False: there is none for the message, one
 * of a name that no header has by rules of this version, or groups of time without a timestamp. */
bool le_header_find_groups(struct le_header *header, bool version_1);

/* Says which fields are wanted beside the message; NULL is none. */
void le_header_want(struct le_header *header, const char *const *wanted, int count);

/* The fields by the first header that matches; where none does, the whole line is the message. */
enum le_search le_headers_find(const struct le_header *headers, int count, struct le_match *match,
                               const char *line, size_t length, struct le_fields *fields);

#endif
