/* A way through JSON that tests and fuzz targets share. */
#ifndef WALK_JSON_H
#define WALK_JSON_H

#include "json_cursor.h"

/* Goes through a value by taking it apart; `see` is given each string that is not a key. */
static inline bool walk_json(struct le_json_cursor *cursor,
                             void (*see)(struct le_json_span span, void *context), void *context)
{
    struct le_json_span span;
    bool in_object[LE_JSON_MAX_DEPTH];
    size_t depth = 0;
    do {
        enum le_json_kind kind = le_json_take(cursor, &span);
        if (kind == LE_JSON_BAD)
            return false;
        if (kind == LE_JSON_STRING && see != NULL)
            see(span, context);
        if (kind == LE_JSON_OBJECT || kind == LE_JSON_ARRAY)
            in_object[depth++] = kind == LE_JSON_OBJECT;
        int more = 0;
        while (depth > 0 && more == 0) {
            more =
                in_object[depth - 1] ? le_json_next_key(cursor, &span) : le_json_next_item(cursor);
            if (more < 0)
                return false;
            depth -= more == 0;
        }
    } while (depth > 0);
    return true;
}

#endif
