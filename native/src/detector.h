/* Events, in the order of their lines, to records in that order.
 *
 * A record that waits for its window to be scored holds back the ones behind it, so that whatever is
 * scored together, by however many threads, the output is the same. Python has the ways in, by
 * session and by count, in verdicts/tasks.py. */
#ifndef LE_DETECTOR_H
#define LE_DETECTOR_H

#include "in_flight.h"
#include "loaded.h"
#include "records.h"
#include "windows.h"

struct le_pending;

struct le_detector {
    const struct le_loaded *loaded;
    bool anomalies_only, session_summary, leave_at_end;
    logexport_sink sink;
    void *user;

    struct le_sessions sessions;    /* event_window and session_counts */
    struct le_instants instants;    /* of the lines, if a session may end by them */
    int32_t *padded;                /* event_window with a start: a window, where it is not full */
    float *row;                     /* session_counts: of a session that closes */
    struct le_count_windows counts; /* count_matrix */
    struct le_count_sample before;  /* count_matrix with next_event_topk: waits for its next line */
    bool has_before;

    struct le_memo memo;
    struct le_in_flight batches; /* of struct le_batch */
    struct le_pending *pending;  /* a ring of records that were not given yet */
    size_t pending_first, pending_count;

    int64_t line; /* the last one that was taken */
    struct le_record_format format;
    struct le_buffer text;
    struct logexport_stats stats;
};

enum logexport_status le_detector_init(struct le_detector *detector, const struct le_loaded *loaded,
                                       struct le_pool *pool, int threads,
                                       const struct logexport_options *options,
                                       const struct le_log_files *files, logexport_sink sink,
                                       void *user, struct logexport_error *error);

/* The pool must have been freed before, so that no batch is being scored. */
void le_detector_free(struct le_detector *detector);

/* Takes the next event; its line was counted as blank until now. */
enum logexport_status le_detector_take_event(struct le_detector *detector, int64_t line,
                                             const struct le_event *event,
                                             struct logexport_error *error);

/* Gives the records that are ready, without waiting. */
enum logexport_status le_detector_hand_on_ready(struct le_detector *detector,
                                                struct logexport_error *error);

/* Scores what waits and gives all records. */
enum logexport_status le_detector_flush(struct le_detector *detector,
                                        struct logexport_error *error);

/* Whether the model is running, and since which line, for any thread that looks. */
bool le_detector_is_scoring(const struct le_detector *detector,
                            struct logexport_activity *activity);

/* The end of the log, which has so many lines: closes the sessions and gives all records; then as
 * new. */
enum logexport_status le_detector_finish(struct le_detector *detector, int64_t lines,
                                         struct logexport_error *error);

#endif
