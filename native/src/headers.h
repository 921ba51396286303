/* Headers: the fields that begin a line, of which the engine needs the message and the one that
 * sessions are by. */
#ifndef LE_HEADERS_H
#define LE_HEADERS_H

#include "patterns.h"

struct le_header {
    struct le_pattern pattern; /* anchored at the start of the line */
    uint32_t message, field;   /* numbers of groups; field 0: it has none */
    bool next_line;            /* the message goes on in the next line */
};

/* What a header found in a line; both lie in the line. */
struct le_fields {
    const char *message;
    size_t message_length;
    const char *field; /* NULL: none */
    size_t field_length;
    const struct le_header *header; /* NULL: none matched */
};

/* Looks up the message of a header whose pattern is compiled. False: there is no group for it, or one
 * of a name that no header has. */
bool le_header_find_groups(struct le_header *header);

/* Says which field is wanted beside the message. */
void le_header_want(struct le_header *header, const char *field);

/* The fields by the first header that matches; where none does, the whole line is the message. */
enum le_search le_headers_find(const struct le_header *headers, int count, struct le_match *match,
                               const char *line, size_t length, struct le_fields *fields);

#endif
