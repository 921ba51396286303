/* A cursor over JSON text (RFC 8259). It allocates nothing and recurses nowhere. */
#ifndef LE_JSON_CURSOR_H
#define LE_JSON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

/* Arrays and objects that may be open at once, the outermost included. */
#define LE_JSON_MAX_DEPTH 64

/* After a malformed place every call fails, `at` stands there and `why` says what is wrong. UTF-8 is
 * not checked, nor whether an object has a key twice. */
struct le_json_cursor {
    const char *at, *end;
    const char *why; /* NULL: nothing was malformed so far */
    /* Of the cursor itself: */
    uint64_t objects; /* a bit for each open array (0) or object (1), the innermost is the lowest */
    unsigned depth;
    bool fresh; /* the innermost has had no member yet */
};

/* A part of the text. */
struct le_json_span {
    const char *text;
    size_t length;
};

enum le_json_kind {
    LE_JSON_BAD,
    LE_JSON_NULL,
    LE_JSON_FALSE,
    LE_JSON_TRUE,
    LE_JSON_NUMBER,
    LE_JSON_STRING,
    LE_JSON_ARRAY,
    LE_JSON_OBJECT
};

/* `text` is not NULL, stays the caller's and needs no NUL at its end. */
void le_json_begin(struct le_json_cursor *cursor, const char *text, size_t length);

/* Takes the value at the cursor. For a scalar all of it: `span` is the number's text, or the string's
 * inside, still escaped. For an array or object its bracket only. */
enum le_json_kind le_json_take(struct le_json_cursor *cursor, struct le_json_span *span);

/* In an object: the next key (its inside, still escaped), the cursor then at its value. 1: there is
 * one; 0: the object ended, its bracket is taken; -1: malformed. */
int le_json_next_key(struct le_json_cursor *cursor, struct le_json_span *key);

/* The same for arrays, the cursor at the item. */
int le_json_next_item(struct le_json_cursor *cursor);

/* Takes the whole value at the cursor and checks it. False: malformed. */
bool le_json_skip(struct le_json_cursor *cursor);

/* Whether only white space is left, after a value that was taken to its end. */
bool le_json_at_end(struct le_json_cursor *cursor);

/* Appends what a string's inside or a key means, as UTF-8: at most span.length bytes. A surrogate
 * without its partner becomes U+FFFD; `lone` (may be NULL) says whether there was one. False: out of
 * memory. */
bool le_json_unescape(struct le_json_span span, struct le_buffer *out, bool *lone);

#endif
