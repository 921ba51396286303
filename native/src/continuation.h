/* Continuation lines: what belongs to the record before it, decided line by line. The rules stand in
 * core/logexport/logs/continuation.py. */
#ifndef LE_CONTINUATION_H
#define LE_CONTINUATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the next lines may be part of. */
enum le_trace_state {
    LE_TRACE_NONE,
    LE_TRACE_PYTHON,
    LE_TRACE_GO,
    LE_TRACE_NODE_SOURCE,
    LE_TRACE_NODE_CARET,
    LE_TRACE_NODE_NAME,
    LE_TRACE_NODE_OBJECT,
    LE_TRACE_RUST_NAME,
    LE_TRACE_RUST,
    LE_TRACE_PHP,
    LE_TRACE_POSTGRES,
    LE_TRACE_PYTHON_GROUP,
    LE_TRACE_RUBY
};

/* What a text looks like. */
struct le_look {
    bool nothing;      /* a frame, an opener or a closing word, whatever came before */
    bool names;        /* it names an exception */
    bool bars;         /* a bar of an exception group stands before its text */
    bool indented;     /* it begins with white space */
    bool tab;          /* it begins with TAB */
    bool caret;        /* nothing but ^ and white space */
    bool closing;      /* } or "} */
    bool call;         /* what stands in Go's traces without indentation */
    bool brace;        /* its last character is { */
    bool stands_alone; /* in its message, so that it cannot be a continuation line */
    uint8_t opens;     /* the state after it, if it is nothing or names an exception */
};

/* What a line is. */
enum le_answer { LE_NOTHING, LE_NAMES, LE_PERHAPS_NAMES, LE_EVENT };

/* What a text that is not blank looks like. */
void le_look_at(const char *text, size_t length, struct le_look *look);

/* The state after an event whose message is this. */
enum le_trace_state le_trace_opens(const char *text, size_t length);

/* What a line without a head is, after lines that left `state`, which becomes the state after it.
 * `opens` is le_trace_opens() of the text; `joins_indented`: an indented line belongs to the record
 * before. */
enum le_answer le_trace_take(enum le_trace_state *state, const struct le_look *look,
                             enum le_trace_state opens, bool joins_indented);

#endif
