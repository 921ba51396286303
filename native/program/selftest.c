/* logexport-engine BUNDLE: whether this machine says what the bundle's maker saw. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "common.h"
#include "loaded.h"

#define MAX_SELFTEST_BYTES (UINT64_C(1) << 20)

struct replay {
    const char *expected, *end; /* the verdicts not compared yet */
    uint64_t same, close, different;
    char first[2][400]; /* the first that differ: as recorded, as given here */
};

/* --- comparing two verdicts --------------------------------------------------------------------- */

/* Another processor, or another ONNX Runtime, may round a model's numbers otherwise. Scores and
 * shares that are this close are the same for every check of logexport; verdicts, ranks and templates
 * must be equal. */
static bool numbers_close(double a, double b)
{
    return fabs(a - b) <= 1e-5 + 1e-4 * fabs(b);
}

static bool values_close(const struct le_json_value *a, const struct le_json_value *b);

static bool items_close(const struct le_json_value *a, const struct le_json_value *b)
{
    if (a->length != b->length)
        return false;
    a = le_json_first(a);
    b = le_json_first(b);
    for (; a != NULL; a = le_json_next(a), b = le_json_next(b))
        if (!values_close(a, b))
            return false;
    return true;
}

/* In any order. */
static bool members_close(const struct le_json_value *a, const struct le_json_value *b)
{
    if (a->length != b->length)
        return false;
    for (a = le_json_first(a); a != NULL; a = le_json_next(a)) {
        const struct le_json_value *other = le_json_get(b, a->key);
        if (other == NULL || !values_close(a, other))
            return false;
    }
    return true;
}

/* Recurses as deep as a document may be, LE_JSON_MAX_DEPTH. */
static bool values_close(const struct le_json_value *a, const struct le_json_value *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case LE_JSON_NUMBER:
        return a->is_integer && b->is_integer ? a->integer == b->integer
                                              : numbers_close(le_json_number(a), le_json_number(b));
    case LE_JSON_STRING:
        return a->length == b->length && memcmp(a->text, b->text, a->length) == 0;
    case LE_JSON_ARRAY:
        return items_close(a, b);
    case LE_JSON_OBJECT:
        return members_close(a, b);
    default:
        return true;
    }
}

static bool lines_close(const char *expected, size_t expected_length, const char *given,
                        size_t given_length)
{
    static const struct le_place nowhere = {"", "", ""};
    struct le_json_document a, b = {NULL, NULL};
    bool close = le_json_parse(expected, expected_length, nowhere, &a, NULL) == LOGEXPORT_OK &&
                 le_json_parse(given, given_length, nowhere, &b, NULL) == LOGEXPORT_OK &&
                 values_close(a.object, b.object);
    le_json_free(&a);
    le_json_free(&b);
    return close;
}

static void copy_shown(char out[400], const char *line, size_t length)
{
    while (length > 0 && line[length - 1] == '\n')
        length--;
    snprintf(out, 400, "%.*s", (int)(length < 380 ? length : 380), line);
    for (char *c = out; *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
}

static void compare_line(struct replay *replay, const char *given, size_t length)
{
    size_t left = (size_t)(replay->end - replay->expected);
    const char *feed = left == 0 ? NULL : memchr(replay->expected, '\n', left);
    size_t expected_length = feed == NULL ? left : (size_t)(feed + 1 - replay->expected);
    const char *expected = replay->expected;
    replay->expected += expected_length;
    if (expected_length == length && memcmp(expected, given, length) == 0) {
        replay->same++;
    } else if (expected_length > 0 && length > 0 &&
               lines_close(expected, expected_length, given, length)) {
        replay->close++;
    } else if (replay->different++ == 0) {
        copy_shown(replay->first[0], expected, expected_length);
        copy_shown(replay->first[1], given, length);
    }
}

static int compare_record(void *user, const struct logexport_record *record)
{
    compare_line(user, record->text, record->text_length);
    return 0;
}

/* --- one model ---------------------------------------------------------------------------------- */

static enum logexport_status replay_model(const struct le_bundle *bundle,
                                          const struct logexport_options *options,
                                          struct replay *replay, struct le_buffer *log,
                                          struct le_buffer *verdicts, struct logexport_error *error)
{
    char name[128];
    enum logexport_status status;
    snprintf(name, sizeof name, "%s.selftest.log", options->model);
    if ((status = le_bundle_read(bundle, name, MAX_SELFTEST_BYTES, log, error)))
        return status;
    snprintf(name, sizeof name, "%s.selftest.jsonl", options->model);
    if ((status = le_bundle_read(bundle, name, MAX_SELFTEST_BYTES * 16, verdicts, error)))
        return status;
    *replay = (struct replay){.expected = verdicts->data, .end = verdicts->data + verdicts->length};

    logexport_engine *engine;
    if ((status = logexport_open(bundle->path, options, compare_record, replay, &engine, error)))
        return status;
    if ((status = logexport_push(engine, log->data, log->length, error)) == LOGEXPORT_OK)
        status = logexport_finish(engine, error);
    logexport_close(engine);
    while (status == LOGEXPORT_OK && replay->expected < replay->end)
        compare_line(replay, "", 0); /* recorded, but not given */
    return status;
}

static int report_model(const char *model, const struct replay *replay, bool exact)
{
    uint64_t total = replay->same + replay->close + replay->different;
    bool good = replay->different == 0 && (replay->close == 0 || !exact);
    printf("%s: %s: %llu verdicts, %llu as recorded", model, good ? "passed" : "FAILED",
           (unsigned long long)total, (unsigned long long)replay->same);
    if (replay->close > 0)
        printf(", %llu with numbers that another processor or runtime rounds otherwise",
               (unsigned long long)replay->close);
    if (replay->different > 0)
        printf(", %llu different; the first:\n  recorded: %s\n  here:     %s",
               (unsigned long long)replay->different, replay->first[0], replay->first[1]);
    printf("\n");
    return good ? EXIT_DONE : EXIT_DIFFERS;
}

/* Loads the variants of the graph, too: they are not replayed, their numbers may differ. */
static enum logexport_status load_graphs(struct le_loaded *loaded,
                                         const struct logexport_options *options,
                                         struct logexport_error *error)
{
    struct logexport_options each = *options;
    each.variant = NULL;
    enum logexport_status status = le_load_model(loaded, &each, error);
    const struct le_json_value *variant = le_json_first(loaded->metadata.variants);
    for (; variant != NULL && status == LOGEXPORT_OK; variant = le_json_next(variant)) {
        le_model_free(loaded->model);
        loaded->model = NULL;
        le_ort_close(loaded->ort);
        loaded->ort = NULL;
        each.variant = variant->key;
        status = le_load_model(loaded, &each, error);
    }
    return status;
}

static int test_model(const struct le_bundle *bundle, const struct logexport_options *options,
                      bool exact)
{
    struct logexport_error error;
    struct le_loaded loaded = {.bundle.fd = -1};
    struct le_buffer log = {0}, verdicts = {0};
    struct replay replay;
    int exit_status = EXIT_DONE;
    enum logexport_status status = le_load_metadata(&loaded, bundle->path, options, &error);
    if (status == LOGEXPORT_OK)
        status = load_graphs(&loaded, options, &error);
    if (status == LOGEXPORT_OK && !le_task_is_known(&loaded.metadata.task)) {
        printf("%s: skipped: task unknown to the engine (its graph loads)\n", options->model);
    } else if (status == LOGEXPORT_OK) {
        status = replay_model(bundle, options, &replay, &log, &verdicts, &error);
        if (status == LOGEXPORT_OK)
            exit_status = report_model(options->model, &replay, exact);
    }
    le_loaded_free(&loaded);
    le_buffer_free(&log);
    le_buffer_free(&verdicts);
    return status == LOGEXPORT_OK ? exit_status : complain("%s", error.text);
}

int command_selftest(int argc, char **argv)
{
    static const struct option long_options[] = {{"model", required_argument, NULL, 'm'},
                                                 {"threads", required_argument, NULL, 't'},
                                                 {"exact", no_argument, NULL, 'e'},
                                                 {"ort-lib", required_argument, NULL, 'l'},
                                                 {NULL, 0, NULL, 0}};
    struct logexport_options options;
    struct logexport_error error;
    bool exact = false;
    long long number;
    int option;
    logexport_options_init(&options, sizeof options);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'm')
            options.model = optarg;
        else if (option == 'l')
            options.ort_library = optarg;
        else if (option == 'e')
            exact = true;
        else if (option != 't' || !read_integer("--threads", optarg, 1, 1024, &number))
            return EXIT_BAD;
        else
            options.threads = (int)number;
    }
    if (argc - optind != 1)
        return complain("the self-test takes one bundle; see --help.");

    struct le_bundle bundle;
    if (le_bundle_open(&bundle, argv[optind], true, &error) != LOGEXPORT_OK)
        return complain("%s", error.text);
    int exit_status = EXIT_DONE;
    if (le_bundle_verify(&bundle, &error) != LOGEXPORT_OK) {
        exit_status = complain("%s", error.text);
    } else if (options.model != NULL) {
        exit_status = test_model(&bundle, &options, exact);
    } else {
        const struct le_json_value *model = le_json_first(bundle.models);
        for (; model != NULL; model = le_json_next(model)) {
            options.model = model->key;
            int one = test_model(&bundle, &options, exact);
            if (one > exit_status)
                exit_status = one;
        }
    }
    le_bundle_close(&bundle);
    if (fflush(stdout) != 0 || ferror(stdout))
        return complain("The report cannot be written.");
    return exit_status;
}
