/* However a log is cut into pieces, whatever it holds and however many threads read it, the engine
 * says the same, by rules of either version and by sessions that end. To open an engine takes longer than to read an input,
 * so they stay open: what one remembers of earlier inputs must not show either. */
#include "buffer.h"
#include "fuzz.h"
#include "logexport/engine.h"
#include "make_bundle.h"

enum { WHOLE, PIECES, THREADED, WAYS };
enum {
    PLAIN,
    BOUNDED,
    COUNTED,
    BUNDLES
}; /* by rules of version 1, then twice by those of version 2 */
enum { ENGINES = BUNDLES * WAYS };

static logexport_engine *engines[ENGINES];
static struct le_buffer said[ENGINES];

static int keep_record(void *user, const struct logexport_record *record)
{
    return !le_buffer_append(user, record->text, record->text_length);
}

static void close_engines(void)
{
    for (int i = 0; i < ENGINES; i++) {
        logexport_close(engines[i]);
        le_buffer_free(&said[i]);
    }
}

static void open_engines(void)
{
    /* By UTF-16: a file that looks like it is an error if the rules say UTF-8. */
    char bundles[BUNDLES][64];
    make_bundle(bundles[PLAIN], "events 6 wild", events_topk, session_rules);
    make_bundle(bundles[BOUNDED], "events 8 wild", bounded_topk, utf16_rules);
    make_bundle(bundles[COUNTED], "sessions 8 wild", session_counts, utf16_rules);
    for (int i = 0; i < ENGINES; i++) {
        struct logexport_options options;
        struct logexport_error error;
        logexport_options_init(&options, sizeof options);
        options.ort_library = FAKE_ORT;
        options.threads = i % WAYS == THREADED ? 2 : 1;
        options.session_summary = 1;
        options.no_verify = 1;
        HOLDS(logexport_open(bundles[i / WAYS], &options, keep_record, &said[i], &engines[i],
                             &error) == LOGEXPORT_OK);
    }
    for (int i = 0; i < BUNDLES; i++)
        remove_bundle(bundles[i]);
    atexit(close_engines);
}

/* With `mark` the log is UTF-8 by rules of version 2: it begins with a byte order mark. */
static const struct le_buffer *run_log(int which, bool mark, const uint8_t *bytes, size_t length,
                                       size_t piece)
{
    struct logexport_error error;
    logexport_engine *engine = engines[which];
    said[which].length = 0;
    if (mark)
        HOLDS(logexport_push(engine, "\xef\xbb\xbf", 3, &error) == LOGEXPORT_OK);
    for (size_t at = 0; at < length; at += piece) {
        size_t take = piece < length - at ? piece : length - at;
        HOLDS(logexport_push(engine, bytes + at, take, &error) == LOGEXPORT_OK);
        if (at % 3 == 1)
            HOLDS(logexport_flush(engine, &error) == LOGEXPORT_OK);
    }
    HOLDS(logexport_finish(engine, &error) == LOGEXPORT_OK);
    return &said[which];
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (engines[0] == NULL)
        open_engines();
    if (length < 1)
        return 0;
    int first = (bytes[0] / 64 % 2 == 0 ? PLAIN : bytes[0] % 2 == 0 ? BOUNDED : COUNTED) * WAYS;
    bool mark = bytes[0] / 32 % 2 == 1;
    const struct le_buffer *whole = run_log(first + WHOLE, mark, bytes + 1, length - 1, length);
    const struct le_buffer *pieces = run_log(first + (bytes[0] < 128 ? PIECES : THREADED), mark,
                                             bytes + 1, length - 1, (size_t)bytes[0] % 32 + 1);
    HOLDS(whole->length == pieces->length &&
          (whole->length == 0 || memcmp(whole->data, pieces->data, whole->length) == 0));
    return 0;
}
