/* logexport-bench BUNDLE LOG [RUNS]: the engine's parts on one core, the best of several runs, as JSON.
 * Not installed; benchmarks/detection.py runs it beside the Python reference. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"
#include "detector.h"
#include "loaded.h"

struct kept {
    int64_t line;
    struct le_event event; /* its session lies in `sessions` */
    size_t session;        /* where it begins there */
};

struct bench {
    struct le_loaded loaded;
    struct le_buffer log, sessions;
    struct kept *events;
    size_t event_count;
    uint64_t lines, records;
};

static double cpu_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int count_record(void *user, const struct logexport_record *record)
{
    (void)record;
    ++*(uint64_t *)user;
    return 0;
}

static bool read_log(struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "rb");
    size_t got;
    if (file == NULL)
        return false;
    do {
        if (!le_buffer_reserve(&bench->log, 1 << 20))
            break;
        got = fread(bench->log.data + bench->log.length, 1, 1 << 20, file);
        bench->log.length += got;
    } while (got > 0);
    fclose(file);
    return bench->log.length > 0;
}

/* Bytes to event ids. With `keep` the events are kept for what follows. */
static enum logexport_status read_events(struct bench *bench, struct le_scratch *scratch, bool keep,
                                         struct logexport_error *error)
{
    const char *at = bench->log.data, *end = at + bench->log.length;
    bench->lines = 0;
    while (at < end) {
        size_t length;
        const char *next = le_line_end(at, end, &length);
        struct kept kept = {.line = (int64_t)++bench->lines};
        enum logexport_status status =
            le_event_read(&bench->loaded.reader, scratch, at, length, &kept.event, error);
        if (status != LOGEXPORT_OK)
            return status;
        at = next;
        if (!keep || kept.event.kind == LE_BLANK)
            continue;
        if ((bench->event_count & (bench->event_count - 1)) == 0) {
            size_t room = bench->event_count == 0 ? 1 : bench->event_count * 2;
            struct kept *events = realloc(bench->events, room * sizeof *events);
            if (events == NULL)
                return le_out_of_memory(error);
            bench->events = events;
        }
        struct le_text session = kept.event.session;
        if (session.data != NULL) {
            kept.session = bench->sessions.length;
            if (!le_buffer_append(&bench->sessions, session.data, session.length))
                return le_out_of_memory(error);
        }
        bench->events[bench->event_count++] = kept;
    }
    return LOGEXPORT_OK;
}

/* Event ids to records. */
static enum logexport_status score_events(struct bench *bench,
                                          const struct logexport_options *options,
                                          struct logexport_error *error)
{
    struct le_detector detector;
    const struct le_log_files files = {0};
    bench->records = 0;
    enum logexport_status status = le_detector_init(&detector, &bench->loaded, NULL, 1, options,
                                                    &files, count_record, &bench->records, error);
    if (status != LOGEXPORT_OK)
        return status;
    for (size_t i = 0; i < bench->event_count && status == LOGEXPORT_OK; i++)
        status = le_detector_take_event(&detector, bench->events[i].line, &bench->events[i].event,
                                        error);
    if (status == LOGEXPORT_OK)
        status = le_detector_finish(&detector, (int64_t)bench->lines, error);
    le_detector_free(&detector);
    return status;
}

/* Bytes to records, as a caller of the library has it. */
static enum logexport_status run_engine(struct bench *bench, const char *path,
                                        const struct logexport_options *options, double *seconds,
                                        struct logexport_stats *stats,
                                        struct logexport_error *error)
{
    logexport_engine *engine;
    enum logexport_status status =
        logexport_open(path, options, count_record, &bench->records, &engine, error);
    if (status != LOGEXPORT_OK)
        return status;
    double began = cpu_seconds();
    for (size_t at = 0; at < bench->log.length && status == LOGEXPORT_OK; at += 1 << 17) {
        size_t left = bench->log.length - at;
        status =
            logexport_push(engine, bench->log.data + at, left < 1 << 17 ? left : 1 << 17, error);
    }
    if (status == LOGEXPORT_OK)
        status = logexport_finish(engine, error);
    *seconds = cpu_seconds() - began;
    logexport_get_stats(engine, stats);
    stats->model = stats->proof = stats->runtime_version = stats->runtime_library = NULL;
    logexport_close(engine);
    return status;
}

static enum logexport_status run_bench(struct bench *bench, const char *path, int runs,
                                       struct logexport_error *error)
{
    struct logexport_options options;
    struct logexport_stats stats = {.size = sizeof stats};
    struct le_scratch scratch;
    enum logexport_status status;
    double best[3] = {1e9, 1e9, 1e9};
    logexport_options_init(&options, sizeof options);
    if ((status = le_load(&bench->loaded, path, &options, error)))
        return status;
    if (!le_scratch_init(&scratch, &bench->loaded.rules))
        return le_out_of_memory(error);
    if ((status = read_events(bench, &scratch, true, error)))
        return status;
    for (size_t i = 0; i < bench->event_count; i++)
        if (bench->events[i].event.session.data != NULL)
            bench->events[i].event.session.data = bench->sessions.data + bench->events[i].session;
    for (int i = 0; i < runs; i++) {
        double began = cpu_seconds(), seconds;
        if ((status = read_events(bench, &scratch, false, error)))
            return status;
        double read = cpu_seconds();
        if ((status = score_events(bench, &options, error)))
            return status;
        double scored = cpu_seconds();
        if ((status = run_engine(bench, path, &options, &seconds, &stats, error)))
            return status;
        best[0] = read - began < best[0] ? read - began : best[0];
        best[1] = scored - read < best[1] ? scored - read : best[1];
        best[2] = seconds < best[2] ? seconds : best[2];
    }
    printf("{\"lines\": %llu, \"bytes\": %zu, \"text_seconds\": %.6f, \"score_seconds\": %.6f, "
           "\"both_seconds\": %.6f, \"unseen\": %llu, \"scored\": %llu, \"remembered\": %llu}\n",
           (unsigned long long)bench->lines, bench->log.length, best[0], best[1], best[2],
           (unsigned long long)stats.unseen, (unsigned long long)stats.scored,
           (unsigned long long)stats.remembered);
    le_scratch_free(&scratch);
    return LOGEXPORT_OK;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct logexport_error error;
    if (argc < 3 || argc > 4 || !read_log(&bench, argv[2])) {
        fprintf(stderr, "usage: logexport-bench BUNDLE LOG [RUNS]\n");
        return EXIT_BAD;
    }
    enum logexport_status status =
        run_bench(&bench, argv[1], argc == 4 ? atoi(argv[3]) : 3, &error);
    if (status != LOGEXPORT_OK)
        fprintf(stderr, "logexport-bench: %s\n", error.text);
    le_loaded_free(&bench.loaded);
    le_buffer_free(&bench.log);
    le_buffer_free(&bench.sessions);
    free(bench.events);
    return status == LOGEXPORT_OK ? EXIT_DONE : EXIT_BAD;
}
