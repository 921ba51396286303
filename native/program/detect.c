/* logexport-engine detect: a log in, verdicts out. */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bundle.h"
#include "commands.h"
#include "common.h"
#include "input.h"
#include "logexport/engine.h"
#include "output.h"
#include "signals.h"

enum {
    READ_SIZE = 1 << 17,
    FLUSH_AFTER_MS = 40 /* a verdict follows its line sooner than that and what scoring takes */
};

enum {
    OPTION_MODEL = 256,
    OPTION_VARIANT,
    OPTION_TOP_K,
    OPTION_THRESHOLD,
    OPTION_SESSION_BY,
    OPTION_SESSION_SUMMARY,
    OPTION_ANOMALIES_ONLY,
    OPTION_THREADS,
    OPTION_REQUIRE_PROOF,
    OPTION_ALLOW_WARNINGS,
    OPTION_NO_VERIFY,
    OPTION_NO_JIT,
    OPTION_ORT_LIB,
    OPTION_WITH,
    OPTION_ENCODING,
    OPTION_AT_END
};

static const struct option long_options[] = {
    {"model", required_argument, NULL, OPTION_MODEL},
    {"variant", required_argument, NULL, OPTION_VARIANT},
    {"top-k", required_argument, NULL, OPTION_TOP_K},
    {"threshold", required_argument, NULL, OPTION_THRESHOLD},
    {"session-by", required_argument, NULL, OPTION_SESSION_BY},
    {"session-summary", no_argument, NULL, OPTION_SESSION_SUMMARY},
    {"anomalies-only", no_argument, NULL, OPTION_ANOMALIES_ONLY},
    {"threads", required_argument, NULL, OPTION_THREADS},
    {"require-proof", no_argument, NULL, OPTION_REQUIRE_PROOF},
    {"allow-warnings", no_argument, NULL, OPTION_ALLOW_WARNINGS},
    {"no-verify", no_argument, NULL, OPTION_NO_VERIFY},
    {"no-jit", no_argument, NULL, OPTION_NO_JIT},
    {"ort-lib", required_argument, NULL, OPTION_ORT_LIB},
    {"with", required_argument, NULL, OPTION_WITH},
    {"encoding", required_argument, NULL, OPTION_ENCODING},
    {"at-end", required_argument, NULL, OPTION_AT_END},
    {NULL, 0, NULL, 0}};

/* A name of the metadata's, else a decimal number: the library knows the names, so it gets both. */
static void read_threshold(const char *text, struct logexport_options *options)
{
    char *end;
    double value = strtod(text, &end);
    options->threshold_name = text;
    options->set_threshold = end != text && *end == '\0' &&
                             strspn(text, "+-.0123456789eE") == strlen(text) && isfinite(value);
    options->threshold = value;
}

/* What is read: the logs in their order, all of them one. */
struct logs {
    char **paths;
    int count;
};

/* False, with a complaint, if the arguments are not understood. */
static bool read_options(int argc, char **argv, struct logexport_options *options,
                         const char **bundle, struct logs *logs)
{
    long long number;
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case OPTION_MODEL:
            options->model = optarg;
            break;
        case OPTION_VARIANT:
            options->variant = optarg;
            break;
        case OPTION_TOP_K:
            if (!read_integer("--top-k", optarg, 1, 1000000000, &number))
                return false;
            options->top_k = number;
            break;
        case OPTION_THRESHOLD:
            read_threshold(optarg, options);
            break;
        case OPTION_SESSION_BY:
            options->session_by = optarg;
            break;
        case OPTION_SESSION_SUMMARY:
            options->session_summary = 1;
            break;
        case OPTION_ANOMALIES_ONLY:
            options->anomalies_only = 1;
            break;
        case OPTION_THREADS:
            if (!read_integer("--threads", optarg, 1, 1024, &number))
                return false;
            options->threads = (int)number;
            break;
        case OPTION_REQUIRE_PROOF:
            options->require_proof = 1;
            break;
        case OPTION_ALLOW_WARNINGS:
            options->allow_warnings = 1;
            break;
        case OPTION_NO_VERIFY:
            options->no_verify = 1;
            break;
        case OPTION_NO_JIT:
            options->no_jit = 1;
            break;
        case OPTION_ORT_LIB:
            options->ort_library = optarg;
            break;
        case OPTION_WITH:
            options->with_keys = optarg;
            break;
        case OPTION_ENCODING:
            options->encoding = optarg;
            break;
        case OPTION_AT_END:
            options->leave_at_end = strcmp(optarg, "leave") == 0;
            if (!options->leave_at_end && strcmp(optarg, "close") != 0) {
                complain("--at-end takes close or leave, not %.100s.", optarg);
                return false;
            }
            break;
        default:
            return false; /* getopt_long has said why */
        }
    }
    if (argc - optind < 1) {
        complain("detect takes a bundle and the logs to read; see --help.");
        return false;
    }
    static char dash[] = "-", *standard_input[] = {dash};
    *bundle = argv[optind];
    *logs = (struct logs){argv + optind + 1, argc - optind - 1};
    if (logs->count == 0)
        *logs = (struct logs){standard_input, 1};
    return true;
}

/* Sees that all logs are there before the first is read. False, with a complaint, if one is not. */
static bool check_logs(const struct logs *logs)
{
    bool standard_input = false;
    for (int i = 0; i < logs->count; i++) {
        struct stat file;
        const char *path = logs->paths[i];
        if (strcmp(path, "-") == 0) {
            if (standard_input) {
                complain("Standard input is named twice as a log. Name - once.");
                return false;
            }
            standard_input = true;
        } else if (stat(path, &file) != 0) {
            complain("The log %.300s cannot be read: %s.", path, strerror(errno));
            return false;
        } else if (S_ISDIR(file.st_mode)) {
            complain("%.300s is a directory, not a log. Name the log files themselves.", path);
            return false;
        }
    }
    return true;
}

static int write_record(void *user, const struct logexport_record *record)
{
    return output_add(user, record->text, record->text_length) ? 0 : 1;
}

static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void print_summary(const logexport_engine *engine, double milliseconds)
{
    struct logexport_stats stats = {.size = sizeof stats};
    logexport_get_stats(engine, &stats);
    uint64_t judged = stats.records[LOGEXPORT_WARMUP] + stats.records[LOGEXPORT_NORMAL] +
                      stats.records[LOGEXPORT_ANOMALY];
    fprintf(stderr,
            "logexport-engine: %llu lines (%llu blank, %llu unseen), %llu verdicts: %llu normal, "
            "%llu anomalies, %llu warm-up; %llu windows scored, %llu remembered; %.2f s, %.0f "
            "lines/s\n",
            (unsigned long long)stats.lines, (unsigned long long)stats.blank,
            (unsigned long long)stats.unseen, (unsigned long long)judged,
            (unsigned long long)stats.records[LOGEXPORT_NORMAL],
            (unsigned long long)stats.records[LOGEXPORT_ANOMALY],
            (unsigned long long)stats.records[LOGEXPORT_WARMUP], (unsigned long long)stats.scored,
            (unsigned long long)stats.remembered, milliseconds / 1e3,
            milliseconds > 0 ? (double)stats.lines / milliseconds * 1e3 : 0.0);
}

/* Gives what can be said by now, and writes it. */
static enum logexport_status write_ready(logexport_engine *engine, struct output *output,
                                         struct logexport_error *error)
{
    enum logexport_status status = logexport_flush(engine, error);
    if (status == LOGEXPORT_OK && !output_flush(output))
        status = LOGEXPORT_STOPPED;
    return status;
}

/* Reads until the file ends, a signal comes (*stopped) or something fails. */
static enum logexport_status read_file(logexport_engine *engine, struct input *input,
                                       struct output *output, bool *stopped,
                                       struct logexport_error *error)
{
    static char bytes[READ_SIZE];
    enum logexport_status status = LOGEXPORT_OK;
    struct stat file;
    bool live = fstat(input->fd, &file) != 0 || !S_ISREG(file.st_mode);
    double settled = now_ms();
    while (status == LOGEXPORT_OK) {
        size_t length;
        enum input_state state = input_read(input, false, bytes, sizeof bytes, &length);
        if (state == INPUT_QUIET) {
            if ((status = write_ready(engine, output, error)) != LOGEXPORT_OK)
                break;
            state = input_read(input, true, bytes, sizeof bytes, &length);
            settled = now_ms();
        }
        if (state == INPUT_END || state == INPUT_STOP) {
            *stopped = state == INPUT_STOP;
            return LOGEXPORT_OK;
        }
        if (state == INPUT_ERROR) {
            status = logexport_flush(engine, error); /* the verdicts so far */
            break;
        }
        status = logexport_push(engine, bytes, length, error);
        /* Input that never goes quiet must not hold back what was said. */
        if (status == LOGEXPORT_OK && live && now_ms() - settled > FLUSH_AFTER_MS) {
            status = write_ready(engine, output, error);
            settled = now_ms();
        }
    }
    return status;
}

/* Reads all logs as one. What is wrong with a log itself stands in input->error. */
static enum logexport_status read_logs(logexport_engine *engine, const struct logs *logs,
                                       struct input *input, struct output *output,
                                       struct logexport_error *error)
{
    enum logexport_status status = LOGEXPORT_OK;
    bool stopped = false;
    for (int i = 0; i < logs->count && !stopped; i++) {
        if ((status = logexport_next_file(engine, logs->paths[i], error)))
            return status;
        if (!input_open(input, logs->paths[i]))
            return logexport_flush(engine, error); /* the verdicts so far */
        status = read_file(engine, input, output, &stopped, error);
        input_close(input);
        if (status != LOGEXPORT_OK || input->error[0] != '\0')
            return status;
    }
    return logexport_finish(engine, error);
}

static int end_run(const logexport_engine *engine, enum logexport_status status,
                   const struct logexport_error *error, const struct input *input,
                   struct output *output, double began)
{
    output_flush(output);
    int failed = output_error(output);
    if (failed == EPIPE)
        return EXIT_DONE; /* the reader has had enough */
    if (failed != 0)
        return complain("The verdicts cannot be written: %s.", strerror(failed));
    if (status != LOGEXPORT_OK)
        return complain("%s", error->text);
    if (input->error[0] != '\0')
        return complain("%s", input->error);
    print_summary(engine, now_ms() - began);
    return EXIT_DONE;
}

/* Says what the proof lacks, if it lacks something. */
static void say_proof(const logexport_engine *engine, const char *bundle)
{
    struct logexport_stats stats = {.size = sizeof stats};
    logexport_get_stats(engine, &stats);
    if (strcmp(stats.proof, "full") == 0 && stats.warnings <= 0)
        return;
    char text[LE_PROOF_TEXT];
    le_bundle_proof_text(stats.proof, stats.warnings, text);
    fprintf(stderr, "logexport-engine: %s of %s is not fully proven: proof %s.\n", stats.model,
            bundle, text);
}

int command_detect(int argc, char **argv)
{
    static struct input input;
    static struct output output;
    struct logexport_options options;
    struct logexport_error error;
    const char *bundle;
    struct logs logs;
    logexport_engine *engine;

    logexport_options_init(&options, sizeof options);
    if (!read_options(argc, argv, &options, &bundle, &logs) || !check_logs(&logs))
        return EXIT_BAD;
    signal(SIGPIPE, SIG_IGN); /* a write that fails says so itself */
    if (!output_init(&output, STDOUT_FILENO))
        return complain("Out of memory.");
    if (logexport_open(bundle, &options, write_record, &output, &engine, &error) != LOGEXPORT_OK)
        return complain("%s", error.text);

    say_proof(engine, bundle);
    int exit_status;
    bool watched = signals_watch(engine, &output);
    if (!watched) {
        exit_status = complain("Signals cannot be watched: %s.", strerror(errno));
    } else {
        double began = now_ms();
        enum logexport_status status = read_logs(engine, &logs, &input, &output, &error);
        exit_status = end_run(engine, status, &error, &input, &output, began);
    }
    signals_forget_engine();
    logexport_close(engine);
    if (watched) /* until now: after an error a worker may still be inside a pattern */
        signals_unwatch();
    output_free(&output);
    return exit_status;
}
