/* The way of one line from bytes to its event and session: header, masks, tokens, template. */
#ifndef LE_EVENTS_H
#define LE_EVENTS_H

#include "matching.h"
#include "preprocess.h"

/* What turns lines into events: read only, shared by threads. */
struct le_event_reader {
    const struct le_preprocess *rules;
    const struct le_matcher *matcher;
};

/* What it writes to: one a thread, reused from line to line. */
struct le_scratch {
    struct le_match match;
    struct le_buffer decoded, stripped, masked[2], hashes;
    struct le_tokens tokens;
};

struct le_event {
    bool blank;             /* the line is white space only: nothing else is said of it */
    int32_t template_index; /* LE_UNSEEN, or an index */
    const char *session;    /* NULL: the session null. Valid until the next line. */
    size_t session_length;
};

bool le_scratch_init(struct le_scratch *scratch, const struct le_preprocess *rules);
void le_scratch_free(struct le_scratch *scratch);

/* `line` has no LF and no CR that was dropped; it may be longer than max_line_bytes. On failure the
 * error's text says what stopped it, and the caller adds which line it was. */
enum logexport_status le_event_read(const struct le_event_reader *reader,
                                    struct le_scratch *scratch, const char *line, size_t length,
                                    struct le_event *event, struct logexport_error *error);

#endif
