/* logexport: from raw log lines to verdicts.
 *
 * An engine reads the bytes of a log and gives one verdict a line (or a window of lines, or a session)
 * of a model that `logexport run` exported to a bundle. It says what the Python reference says, byte for
 * byte; docs/verdicts.md defines what a verdict is. This header is the manual of the library.
 *
 * The life of an engine
 *
 *     struct logexport_options options;
 *     struct logexport_error error;
 *     logexport_engine *engine;
 *
 *     logexport_options_init(&options, sizeof options);
 *     if (logexport_open("bundle", &options, print_record, NULL, &engine, &error) != LOGEXPORT_OK)
 *         ...error.text says what is wrong, in one sentence...
 *     while (there are bytes)
 *         logexport_push(engine, bytes, length, &error);
 *     logexport_finish(engine, &error);
 *     logexport_close(engine);
 *
 * Bytes are pushed as they come, in pieces of any size: pieces need not end at a line's end, and how
 * the bytes are cut changes nothing in what is said. Records come through the sink in the order of
 * the log. They may come late, because windows are scored in batches: logexport_flush() gives all
 * that the lines so far allow, and is what a program calls when its input has gone quiet.
 *
 * Ownership
 *
 *   The engine belongs to the caller from logexport_open() to logexport_close(). What is passed in
 *   (paths, options, bytes) is copied where it is kept. What the sink is shown belongs to the engine
 *   and is valid until the sink returns. Memory does not grow with the log: it is bounded by the
 *   bundle (sessions, max_line_bytes, the size of a window) and by fixed buffers.
 *
 * Sessions
 *
 *   Where the bundle's rules tell sessions apart, a window or a count is one session's. Rules of
 *   version 2 say when a session ends: after idle_lines lines of the log without one of its own, before
 *   a line that comes more than idle_seconds after its latest one, with a line that matches
 *   close_pattern, and at the end of the log, unless `leave_at_end` is set. All of it follows from the
 *   lines, never from the clock. What comes of its name later is a new session. When one closes, its
 *   closing records come: that of its end, that of its counts, its summary, as far as the model has them
 *   and the options ask for them; `closed` and `closed_by` say when and why. Rules of version 1 hold
 *   max_sessions sessions and drop the least recently touched one.
 *
 *   At most idle_lines + 1 sessions with a name are held at once, or max_sessions. One takes some 250
 *   bytes, its name twice (as text and as JSON), and what the model needs: for event_window 64 bytes,
 *   growing to at most twice the window's events of 4 bytes; for session_counts 64 bytes, or at most 16
 *   for each template that occurs in it. The row of counts that the model is shown is made when the
 *   session closes. Such rows take at most 64 MB in all while they wait or are remembered, or twice the
 *   room of those that are being scored, if that is more. What is scored at once has at most 16 MB of
 *   input, or two windows.
 *
 * Threads
 *
 *   One engine is used by one thread at a time; different engines are independent of each other.
 *   With `threads` above 1 the engine has workers of its own, but the sink is only ever called on
 *   the thread that called push, flush or finish, and verdicts are the same for any number. The
 *   workers block all signals. logexport_get_activity() alone may be called from any other thread at
 *   the same time. There is no global state but one environment variable (below); ONNX
 *   Runtime itself keeps some.
 *
 * Telemetry
 *
 *   ONNX Runtime 1.29 and later reports home, in its official builds: its first environment starts a
 *   thread, writes a database and a device id under the user's cache folder and a file into the
 *   temporary directory, and seconds later looks for its vendor's event collector. The events name
 *   the machine (system, processor, memory), the program's path, and of a graph its file and its
 *   operator sets. It does none of this where the environment says ORT_DISABLE_TELEMETRY=1 before.
 *   So the first logexport_open() that comes as far as the runtime sets the variable, unless it is
 *   set, before it opens the runtime's library. The variable stays set, for child processes too.
 *
 *   - A host with threads sets the variable itself, before it starts them: setenv() must not run
 *     beside another thread's getenv(). The library then only reads it.
 *   - A host that wants the telemetry sets ORT_DISABLE_TELEMETRY=0; the library leaves any value.
 *   - Where something else in the process used ONNX Runtime before, the library comes too late: the
 *     runtime reads the variable once a process.
 *
 * Errors
 *
 *   Every function that can fail returns LOGEXPORT_OK or another enum logexport_status, and fills
 *   `error` (which may be NULL) with one sentence. The library never prints, exits, sets the locale
 *   or handles a signal. After a failed push, flush or finish the engine gives the same error again
 *   and can only be closed; records given before are right.
 *
 * The engine trusts nothing that it reads: the bundle's sums are checked before a file is used,
 * sizes are bounded, and no path leaves the bundle.
 */

#ifndef LOGEXPORT_ENGINE_H
#define LOGEXPORT_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(LOGEXPORT_BUILDING_SHARED)
#define LOGEXPORT_API __attribute__((visibility("default")))
#else
#define LOGEXPORT_API
#endif

#define LOGEXPORT_VERSION "0.1.0"

enum logexport_status {
    LOGEXPORT_OK = 0,
    LOGEXPORT_USAGE = 1,  /* options or calls that do not fit each other or the model */
    LOGEXPORT_BUNDLE = 2, /* a bundle that is malformed, incomplete or not what its manifest says */
    LOGEXPORT_RUNTIME = 3, /* no ONNX Runtime, one too old, or one that refuses the model */
    LOGEXPORT_TEXT = 4,    /* a line on which a pattern of the bundle cannot be run to its end */
    LOGEXPORT_MEMORY = 5,  /* out of memory or threads */
    LOGEXPORT_STOPPED = 6  /* the sink asked to stop */
};

#define LOGEXPORT_ERROR_SIZE 1024

struct logexport_error {
    enum logexport_status status;
    char text[LOGEXPORT_ERROR_SIZE]; /* one sentence, UTF-8, no control characters, always ended */
};

typedef struct logexport_engine logexport_engine;

/* What to open, and how. Filled by logexport_options_init(); then set what differs. */
struct logexport_options {
    size_t size;                /* sizeof (struct logexport_options) of the caller */
    const char *model;          /* model type's name; NULL: the only one in the bundle */
    const char *variant;        /* "portable" or "optimized" graph; NULL: the graph itself */
    const char *ort_library;    /* libonnxruntime.so; NULL: LOGEXPORT_ORT_LIB, then the system's */
    const char *session_by;     /* "none", "host" or a pattern; NULL: as the bundle says */
    const char *threshold_name; /* one of the metadata's named thresholds; wins over a number */
    double threshold;           /* used if set_threshold; without either, as the bundle says */
    int set_threshold;
    int64_t top_k;         /* 0: as the bundle says */
    int threads;           /* 1 to 1024 */
    int anomalies_only;    /* give only records whose verdict is anomaly (and summaries) */
    int session_summary;   /* a record for each session, when it closes */
    int require_proof;     /* refuse a bundle whose proof is not full, or has warnings */
    int no_verify;         /* do not check the sums of the manifest */
    int no_jit;            /* interpret patterns: for systems that forbid executable memory */
    const char *with_keys; /* keys of records after the fixed ones: "file,file_line", one of them,
                              or NULL. They say where the record's (last) line stands. */
    const char *encoding;  /* what a file without a byte order mark is: "utf-8", "utf-16le" or
                              "utf-16be"; NULL: as the bundle says */
    int allow_warnings;    /* with require_proof: take a bundle with warnings */
    int leave_at_end;      /* sessions that live when the log ends are not closed: nothing is said
                              of them */
};

enum logexport_kind {
    LOGEXPORT_LINE,    /* verdict on a line: `line`, `session`, `template_index`; with `closed` on
                          the end of a session after that line */
    LOGEXPORT_WINDOW,  /* verdict on a sample of windows: `window`, `first_line`, `last_line` */
    LOGEXPORT_SESSION, /* summary of a session: `session`, `lines`, `judged`, `anomalies` */
    LOGEXPORT_SESSION_SCORE /* verdict on the counts of a session: `session`, `first_line`,
                               `last_line`, `lines` */
};

enum logexport_verdict {
    LOGEXPORT_WARMUP,
    LOGEXPORT_NORMAL,
    LOGEXPORT_ANOMALY,
    LOGEXPORT_SHORT /* of a session in which nothing could be judged */
};

enum logexport_reason {
    LOGEXPORT_NO_REASON,
    LOGEXPORT_TOPK,
    LOGEXPORT_THRESHOLD,
    LOGEXPORT_UNSEEN,
    LOGEXPORT_NOT_FINITE
};

/* What ended a session. */
enum logexport_closed_by {
    LOGEXPORT_NOT_CLOSED,
    LOGEXPORT_IDLE_LINES, /* "idle": lines of others */
    LOGEXPORT_GAP,        /* "gap": the time to its next line */
    LOGEXPORT_PATTERN,    /* "pattern": its last line */
    LOGEXPORT_END_OF_LOG  /* "end" */
};

/* A record, twice: as fields, and as the line of JSON that docs/verdicts.md fixes. */
struct logexport_record {
    enum logexport_kind kind;
    enum logexport_verdict verdict;
    enum logexport_reason reason;
    int64_t line;   /* from 1 */
    int64_t window; /* from 0 */
    int64_t first_line, last_line;
    const char *session; /* UTF-8, not ended; NULL: the session null */
    size_t session_length;
    int64_t template_index; /* -1: null */
    int64_t rank;           /* -1: null */
    double score;           /* NaN: null */
    uint64_t lines, judged, anomalies;
    const char *text;   /* the JSON object and an LF */
    size_t text_length; /* with the LF */
    int64_t closed;     /* the line at which the session was closed; 0: not of a closed session */
    enum logexport_closed_by closed_by;
};

/* Takes a record. Returns 0 to go on; anything else makes the call that gave it return
 * LOGEXPORT_STOPPED. It must not call into the engine. */
typedef int (*logexport_sink)(void *user, const struct logexport_record *record);

/* Sets the defaults; `size` is sizeof (struct logexport_options). */
LOGEXPORT_API void logexport_options_init(struct logexport_options *options, size_t size);

/* Opens the bundle in directory `path` and makes an engine at the beginning of a log. `options` may
 * be NULL. On failure *engine is NULL. */
LOGEXPORT_API enum logexport_status
logexport_open(const char *path, const struct logexport_options *options, logexport_sink sink,
               void *user, logexport_engine **engine, struct logexport_error *error);

/* The next bytes of the log. */
LOGEXPORT_API enum logexport_status logexport_push(logexport_engine *engine, const void *bytes,
                                                   size_t length, struct logexport_error *error);

/* Gives every record that the complete lines so far allow. */
LOGEXPORT_API enum logexport_status logexport_flush(logexport_engine *engine,
                                                    struct logexport_error *error);

/* A file of the log begins: bytes after the last LF were the last line of the file before. Lines are
 * numbered on. Called before the first byte of each file, if records shall say their file; `name` is
 * what they say, each byte that is not UTF-8 as U+FFFD. */
LOGEXPORT_API enum logexport_status logexport_next_file(logexport_engine *engine, const char *name,
                                                        struct logexport_error *error);

/* The end of the log: bytes after the last LF are its last line. Gives all records, then those of the
 * sessions that the end closes. Afterwards the engine stands at the beginning of another log. */
LOGEXPORT_API enum logexport_status logexport_finish(logexport_engine *engine,
                                                     struct logexport_error *error);

/* Frees the engine; records that were not given are lost. NULL is allowed. */
LOGEXPORT_API void logexport_close(logexport_engine *engine);

/* What an engine has done since it was opened, and what it is. Strings belong to the engine. */
struct logexport_stats {
    size_t size;    /* sizeof (struct logexport_stats) of the caller: set it first */
    uint64_t lines; /* read, blank ones included */
    uint64_t blank; /* lines without an event of their own: blank, or of another's record */
    uint64_t unseen;
    uint64_t records[3]; /* by enum logexport_verdict: warm-up, normal, anomaly */
    uint64_t scored;     /* windows that the model was asked about */
    uint64_t remembered; /* windows that were looked up instead */
    const char *model;
    const char *proof;           /* "full", "no_native" or "none" */
    const char *runtime_version; /* ONNX Runtime's */
    const char *runtime_library; /* where it was found */
    int64_t warnings; /* that count beside the proof; -1: nobody counted them (an older bundle) */
};

LOGEXPORT_API void logexport_get_stats(const logexport_engine *engine,
                                       struct logexport_stats *stats);

enum logexport_doing {
    LOGEXPORT_IDLE,     /* nothing that can take long */
    LOGEXPORT_MATCHING, /* a pattern of the bundle runs on a line */
    LOGEXPORT_SCORING   /* ONNX Runtime runs the model */
};

/* What an engine is doing. */
struct logexport_activity {
    size_t size; /* sizeof (struct logexport_activity) of the caller: set it first */
    enum logexport_doing doing;
    int64_t line; /* of MATCHING the line, of SCORING the last line whose window is scored; 0: it
                            is not known */
    const char *pattern; /* of MATCHING, what the pattern is of, such as mask "ip"; NULL: it is not
                            known. It belongs to the engine. */
};

/* Tells what the engine is doing, from any thread, while another is in push, flush or finish: so that a
 * program which waits too long can say for what. What it tells is of that moment. */
LOGEXPORT_API void logexport_get_activity(const logexport_engine *engine,
                                          struct logexport_activity *activity);

/* LOGEXPORT_VERSION of the library that was linked or loaded. */
LOGEXPORT_API const char *logexport_version(void);

#ifdef __cplusplus
}
#endif

#endif
