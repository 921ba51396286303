/* The way of one line from bytes to its event and session: opened if it is structured, header, masks,
 * tokens, template. What belongs to several lines together is left to joining.c. */
#ifndef LE_EVENTS_H
#define LE_EVENTS_H

#include "continuation.h"
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
    struct le_opened levels[LE_MAX_LEVELS]; /* what was opened, the outermost first */
    struct le_buffer decoded, stripped, kept, hashes;
    struct le_masking masking[2];
    struct le_tokens tokens;
};

enum le_line_kind {
    LE_BLANK,    /* white space only: nothing else is said of it */
    LE_OVERSIZE, /* nothing else is said of it but that it is unseen */
    LE_PIECE,    /* the next line may hold more of the message */
    LE_LINE
};

/* What a line is alone. All texts are valid until the next line is read. */
struct le_event {
    enum le_line_kind kind;
    bool empty;             /* the message is white space only */
    bool headed, next_line; /* a header matched, whose message goes on in the next line */
    bool opened;            /* it is a structured record */
    bool closes;            /* the rules' close_pattern is found in it */
    bool stands_alone;      /* it cannot be a continuation line */
    bool of_pieces;         /* its innermost form is one with pieces */
    struct le_look look;    /* of a line without a header, if continuation lines are looked for */
    uint8_t opens;          /* enum le_trace_state: the one that the message begins as an event */
    int32_t template_index; /* LE_UNSEEN, or an index; not of a piece */
    struct le_written time; /* what its timestamp says, if times are wanted; not of a piece */
    struct le_text session; /* of a piece what the pattern finds */
    struct le_text text;    /* the message of a header with next_line; the text without a header */
    /* What its header says of records that belong together, if the rules ask by_pid. */
    struct le_text pid; /* le_pid()'s */
    bool field;         /* the level is that of a field */
    size_t bytes;       /* of the line */
    /* What pieces are joined by: of a piece, and of a line that may be the last one. */
    int source; /* le_opened's; -1: it is neither */
    struct le_text message, stream;
    /* What was found, of a piece outside of its message: the key that sessions are by, and the fields
     * that the rules want. */
    struct le_text by, fields[LE_MAX_FIELDS];
};

bool le_scratch_init(struct le_scratch *scratch, const struct le_preprocess *rules);
void le_scratch_free(struct le_scratch *scratch);

/* `line` has no LF and no CR that was dropped; it may be longer than max_line_bytes. On failure the
 * error's text says what stopped it, and the caller adds which line it was. */
enum logexport_status le_event_read(const struct le_event_reader *reader,
                                    struct le_scratch *scratch, const char *line, size_t length,
                                    struct le_event *event, struct logexport_error *error);

/* The same of pieces that were joined: `event` is the first one's, its `message` that of all. Its
 * texts are valid until the next call. */
enum logexport_status le_event_read_joined(const struct le_event_reader *reader,
                                           struct le_scratch *scratch, struct le_event *event,
                                           struct logexport_error *error);

/* The template of a message and the kept ones of the wanted fields. */
enum logexport_status le_event_match(const struct le_event_reader *reader,
                                     struct le_scratch *scratch, struct le_text message,
                                     const struct le_text *fields, int32_t *template_index,
                                     struct logexport_error *error);

#endif
