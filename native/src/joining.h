/* Lines to records: what belongs to the line before, or has to wait for the next one. Works on lines
 * that events.c has read, in their order. */
#ifndef LE_JOINING_H
#define LE_JOINING_H

#include "detector.h"
#include "events.h"
#include "pids.h"

/* A text of an earlier line. */
struct le_saved {
    struct le_buffer text;
    bool null;
};

/* Lines of one record so far. */
struct le_held {
    bool holds;
    int64_t line; /* the number of the first */
    size_t bytes; /* of all of them */
    bool oversize;
    bool closes;              /* the first is its session's last */
    struct le_buffer message; /* of all of them */
    struct le_saved session;
};

/* Zero is a good beginning but for what le_joiner_init() sets. */
struct le_joiner {
    const struct le_event_reader *reader;
    struct le_detector *detector;
    struct le_scratch scratch; /* for texts that were joined */
    enum le_trace_state trace;
    /* The record before: the last one that was an event and named no exception. */
    bool any_before, before_headed, before_opened;
    struct le_saved before_session;
    struct le_held pieces;
    int source; /* of the pieces */
    struct le_saved by, stream, fields[LE_MAX_FIELDS];
    struct le_held headed; /* a header whose message goes on in the next line */
    struct le_saved headed_fields[LE_MAX_FIELDS];
    bool headed_opened, headed_field;
    struct le_saved headed_pid;
    struct le_pids *pids; /* NULL: the rules do not ask by_pid */
    struct le_written headed_time;
};

bool le_joiner_init(struct le_joiner *joiner, const struct le_event_reader *reader,
                    struct le_detector *detector);
void le_joiner_free(struct le_joiner *joiner);

/* Takes the next line that is not blank; hands on the events that are complete with it. */
enum logexport_status le_joiner_take(struct le_joiner *joiner, int64_t line, struct le_event *event,
                                     struct logexport_error *error);

/* The end of the log: hands on the event that was held, if there is one; then as new. */
enum logexport_status le_joiner_finish(struct le_joiner *joiner, struct logexport_error *error);

#endif
