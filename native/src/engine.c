#include "logexport/engine.h"

#include <stdlib.h>
#include <string.h>

#include "stream.h"

enum { MAX_THREADS = 1024 };

struct logexport_engine {
    struct le_loaded loaded;
    struct le_log_files files;
    struct le_decoding decoding;
    struct le_pool *pool; /* NULL with one thread */
    struct le_detector detector;
    struct le_stream stream;
    bool failed;
    struct logexport_error failure;
};

const char *logexport_version(void)
{
    return LOGEXPORT_VERSION;
}

void logexport_options_init(struct logexport_options *options, size_t size)
{
    memset(options, 0, size);
    struct logexport_options defaults = {.size = size, .threads = 1};
    memcpy(options, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

enum logexport_status logexport_open(const char *path, const struct logexport_options *options,
                                     logexport_sink sink, void *user, logexport_engine **out,
                                     struct logexport_error *error)
{
    /* A caller that was compiled against another version has a struct of another size: what it does
     * not have has its default, what we do not know is not looked at. */
    struct logexport_options own;
    logexport_options_init(&own, sizeof own);
    *out = NULL;
    if (options != NULL)
        memcpy(&own, options, options->size < sizeof own ? options->size : sizeof own);
    if (own.threads < 1 || own.threads > MAX_THREADS)
        return le_fail(error, LOGEXPORT_USAGE, "The number of threads is %d, not 1 to %d.",
                       own.threads, MAX_THREADS);
    if (own.top_k < 0)
        return le_fail(error, LOGEXPORT_USAGE, "Top k must be at least 1.");

    struct logexport_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL)
        return le_out_of_memory(error);
    enum logexport_status status = le_log_files_init(&engine->files, own.with_keys, error);
    if (status == LOGEXPORT_OK)
        status = le_load(&engine->loaded, path, &own, error);
    if (status != LOGEXPORT_OK) {
        free(engine);
        return status;
    }
    if (own.threads > 1)
        status = le_pool_new(&engine->pool, own.threads, error);
    if (status == LOGEXPORT_OK)
        status = le_detector_init(&engine->detector, &engine->loaded, engine->pool, own.threads,
                                  &own, &engine->files, sink, user, error);
    if (status == LOGEXPORT_OK)
        status = le_stream_init(&engine->stream, &engine->loaded.reader, engine->pool, own.threads,
                                &engine->detector, error);
    if (status != LOGEXPORT_OK) {
        logexport_close(engine);
        return status;
    }
    le_decoding_init(&engine->decoding, engine->loaded.rules.encoding);
    *out = engine;
    return LOGEXPORT_OK;
}

void logexport_close(logexport_engine *engine)
{
    if (engine == NULL)
        return;
    le_pool_free(engine->pool); /* first: its jobs work on what follows */
    le_stream_free(&engine->stream);
    le_detector_free(&engine->detector);
    le_log_files_free(&engine->files);
    le_decoding_free(&engine->decoding);
    le_loaded_free(&engine->loaded);
    free(engine);
}

/* Keeps a failure, so that every later call gives it again. */
static enum logexport_status keep_failure(logexport_engine *engine, enum logexport_status status,
                                          struct logexport_error *error)
{
    if (status != LOGEXPORT_OK)
        engine->failed = true;
    if (engine->failed && error != NULL)
        *error = engine->failure;
    return engine->failed ? engine->failure.status : LOGEXPORT_OK;
}

/* Reads decoded text, or gives the records so far if it could not be decoded. */
static enum logexport_status read_text(logexport_engine *engine, enum logexport_status status,
                                       const char *text, size_t length)
{
    if (status == LOGEXPORT_OK)
        return le_stream_push(&engine->stream, text, length, &engine->failure);
    if (status != LOGEXPORT_TEXT)
        return status;
    struct logexport_error ignored, clause = engine->failure;
    if (le_stream_flush(&engine->stream, LE_UNTIL_LAST_LF, &ignored) == LOGEXPORT_OK)
        le_detector_flush(&engine->detector, &ignored);
    const char *name = le_log_files_last(&engine->files);
    return le_fail(&engine->failure, LOGEXPORT_TEXT, "%.300s %s", name != NULL ? name : "The log",
                   clause.text);
}

/* The end of a file: what is left of its text. */
static enum logexport_status end_text(logexport_engine *engine)
{
    const char *text;
    size_t length;
    enum logexport_status status =
        le_decoding_end(&engine->decoding, &text, &length, &engine->failure);
    return read_text(engine, status, text, length);
}

enum logexport_status logexport_push(logexport_engine *engine, const void *bytes, size_t length,
                                     struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    if (!engine->failed) {
        const char *text;
        status =
            le_decoding_push(&engine->decoding, bytes, length, &text, &length, &engine->failure);
        status = read_text(engine, status, text, length);
    }
    return keep_failure(engine, status, error);
}

enum logexport_status logexport_flush(logexport_engine *engine, struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    if (!engine->failed)
        status = le_stream_flush(&engine->stream, LE_UNTIL_LAST_LF, &engine->failure);
    if (!engine->failed && status == LOGEXPORT_OK)
        status = le_detector_flush(&engine->detector, &engine->failure);
    return keep_failure(engine, status, error);
}

enum logexport_status logexport_next_file(logexport_engine *engine, const char *name,
                                          struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    if (!engine->failed)
        status = end_text(engine);
    if (!engine->failed && status == LOGEXPORT_OK)
        status = le_stream_flush(&engine->stream, LE_UNTIL_FILE_END, &engine->failure);
    if (!engine->failed && status == LOGEXPORT_OK &&
        !le_log_files_begin(&engine->files, name, engine->stream.line + 1))
        status = le_out_of_memory(&engine->failure);
    return keep_failure(engine, status, error);
}

enum logexport_status logexport_finish(logexport_engine *engine, struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    if (!engine->failed)
        status = end_text(engine);
    if (!engine->failed && status == LOGEXPORT_OK)
        status = le_stream_flush(&engine->stream, LE_UNTIL_LOG_END, &engine->failure);
    if (!engine->failed && status == LOGEXPORT_OK)
        le_log_files_forget(&engine->files);
    return keep_failure(engine, status, error);
}

void logexport_get_activity(const logexport_engine *engine, struct logexport_activity *activity)
{
    struct logexport_activity own = {.size = activity->size};
    if (!le_stream_is_reading(&engine->stream, &own) &&
        !le_detector_is_scoring(&engine->detector, &own))
        le_stream_is_joining(&engine->stream, &own);
    memcpy(activity, &own, activity->size < sizeof own ? activity->size : sizeof own);
}

void logexport_get_stats(const logexport_engine *engine, struct logexport_stats *stats)
{
    struct logexport_stats own = engine->detector.stats;
    own.size = stats->size;
    own.model = engine->loaded.metadata.model;
    own.proof = engine->loaded.metadata.proof;
    own.runtime_version = le_ort_version(engine->loaded.ort);
    own.runtime_library = le_ort_library(engine->loaded.ort);
    own.warnings = engine->loaded.metadata.warnings;
    memcpy(stats, &own, stats->size < sizeof own ? stats->size : sizeof own);
}
