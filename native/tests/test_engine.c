/* The library from outside: streams, threads, options, and everything that a bundle can get wrong.
 * The runtime is a stand-in (fake_ort.c); what the verdicts are is compared with Python elsewhere. */
#include <sys/stat.h>
#include <unistd.h>

#include "buffer.h"
#include "logexport/engine.h"
#include "make_bundle.h"
#include "test.h"

static int keep_record(void *user, const struct logexport_record *record)
{
    CHECK(record->text[record->text_length - 1] == '\n');
    return !le_buffer_append(user, record->text, record->text_length);
}

static struct logexport_options options_of(int threads)
{
    struct logexport_options options;
    logexport_options_init(&options, sizeof options);
    options.ort_library = FAKE_ORT;
    options.threads = threads;
    return options;
}

/* What is said of a log that is pushed in random pieces, with flushes between. */
static void run_log(const char *path, const struct logexport_options *options, const char *log,
                    size_t length, unsigned piece, struct le_buffer *out)
{
    struct logexport_error error = {0};
    logexport_engine *engine;
    out->length = 0;
    if (logexport_open(path, options, keep_record, out, &engine, &error) != LOGEXPORT_OK)
        fprintf(stderr, "%s\n", error.text);
    NEED(engine != NULL);
    for (size_t at = 0; at < length;) {
        size_t take = piece == 0 ? length : below(piece + 1);
        if (take > length - at)
            take = length - at;
        CHECK(logexport_push(engine, log + at, take, &error) == LOGEXPORT_OK);
        if (piece > 0 && below(4) == 0)
            CHECK(logexport_flush(engine, &error) == LOGEXPORT_OK);
        at += take;
    }
    CHECK(logexport_finish(engine, &error) == LOGEXPORT_OK);
    logexport_close(engine);
}

static size_t draw_log(char *log, size_t size)
{
    static const char *const lines[] = {
        "a b\n",
        "a c\n",
        "x\n",
        "n 12\r\n",
        "\n",
        " \t\n",
        "y z c\n",
        "nothing\n",
        "x\r\r\n",
        "a \xff\n",
        "s=1 s=2\n",
        "h1: a b\n",
        "h2: x\n",
        "s=q a\n",
        "\033[1mx\033[0m\n",
        "a\033[ b\n",
        "s=3 n 4\n",
        "{\"m\": {\"s\": \"a b\"}, \"id\": \"s=4\", \"t\": \"2024-01-01 00:00:09\"}\n",
        "{\"m\": {\"s\": \"x\"}, \"id\": \"s=4\", \"t\": \"2024-01-01 00:00:03\"}\n",
        "{\"m\": {\"s\": \"x\"}, \"id\": \"s=5\", \"t\": \"2024-01-01 00:00:01\"}\n"};
    size_t length = 0;
    for (;;) {
        if (below(60) == 0 && length + 300 < size) {
            size_t count = 90 + below(20); /* about max_line_bytes */
            memset(log + length, 'a', count);
            length += count;
            log[length++] = '\r';
            log[length++] = '\n';
        }
        if (below(40) == 0 && length + 400 < size) { /* as after copytruncate */
            size_t count = below(300);
            memset(log + length, 0, count);
            length += count;
        }
        const char *line = lines[below(sizeof lines / sizeof lines[0])];
        if (length + strlen(line) > size)
            return length;
        memcpy(log + length, line, strlen(line));
        length += strlen(line);
    }
}

static void threads_and_pieces_change_nothing(void)
{
    static const struct {
        const char *graph, *task, *rules;
    } kinds[] = {{"events 6 wild", events_topk, session_rules},
                 {"events 6", events_score, plain_rules},
                 {"events 6 wild", events_topk, utf8_rules},
                 {"events 8 wild", bounded_topk, bounded_rules},
                 {"events 8", bounded_score, bounded_rules},
                 {"sessions 8", session_counts, bounded_rules},
                 {"counts 6", counts_topk, plain_rules},
                 {"counts 6", counts_score, session_rules}};
    enum { SIZE = 160000 };
    char *log = malloc(SIZE);
    NEED(log != NULL);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        char path[64];
        struct le_buffer expected = {0}, said = {0};
        make_bundle(path, kinds[k].graph, kinds[k].task, kinds[k].rules);
        struct logexport_options options = options_of(1);
        options.session_summary = strncmp(kinds[k].graph, "counts", 6) != 0 && k != 2;
        size_t length = draw_log(log, SIZE);
        run_log(path, &options, log, length, 0, &expected);
        CHECK(expected.length > 60000);
        static const unsigned pieces[] = {0, 3000, 200000};
        for (options.threads = 1; options.threads <= 4; options.threads *= 2)
            for (size_t p = 0; p < 3; p++) {
                options.no_jit = options.threads == 2;
                run_log(path, &options, log, length, pieces[p], &said);
                CHECK(said.length == expected.length &&
                      memcmp(said.data, expected.data, said.length) == 0);
            }
        /* A few bytes at a time, of a part of it. */
        options.threads = 2;
        run_log(path, &options, log, 3000, 0, &expected);
        run_log(path, &options, log, 3000, 7, &said);
        CHECK(said.length == expected.length && memcmp(said.data, expected.data, said.length) == 0);
        le_buffer_free(&expected);
        le_buffer_free(&said);
        remove_bundle(path);
    }
    free(log);
}

static void verdicts_follow_their_lines_at_a_flush(void)
{
    char path[64];
    struct le_buffer said = {0};
    struct logexport_error error;
    logexport_engine *engine;
    make_bundle(path, "events 6", events_topk, plain_rules);
    for (int threads = 1; threads <= 3; threads++) {
        struct logexport_options options = options_of(threads);
        said.length = 0;
        NEED(logexport_open(path, &options, keep_record, &said, &engine, &error) == LOGEXPORT_OK);
        size_t before = 0;
        for (int i = 0; i < 20; i++) {
            CHECK(logexport_push(engine, "a b\nx", 5, &error) == LOGEXPORT_OK);
            CHECK(logexport_flush(engine, &error) == LOGEXPORT_OK);
            CHECK(said.length > before);
            before = said.length;
        }
        logexport_close(engine); /* with a line that was not finished */
    }
    le_buffer_free(&said);
    remove_bundle(path);
}

static void an_engine_can_read_one_log_after_another(void)
{
    char path[64];
    struct le_buffer first = {0}, both = {0};
    struct logexport_error error;
    logexport_engine *engine;
    make_bundle(path, "events 6", events_topk, plain_rules);
    struct logexport_options options = options_of(2);
    options.session_summary = 1;
    static const char log[] = "a b\nx\na b\nx\na b\nn 1";
    run_log(path, &options, log, sizeof log - 1, 0, &first);
    NEED(logexport_open(path, &options, keep_record, &both, &engine, &error) == LOGEXPORT_OK);
    for (int i = 0; i < 2; i++) {
        CHECK(logexport_push(engine, log, sizeof log - 1, &error) == LOGEXPORT_OK);
        CHECK(logexport_finish(engine, &error) == LOGEXPORT_OK);
    }
    CHECK(both.length == 2 * first.length && memcmp(both.data, first.data, first.length) == 0 &&
          memcmp(both.data + first.length, first.data, first.length) == 0);
    struct logexport_stats stats = {.size = sizeof stats};
    logexport_get_stats(engine, &stats);
    CHECK(stats.lines == 12 && stats.blank == 0);
    CHECK_TEXT(stats.model, "tiny");
    CHECK_TEXT(stats.runtime_version, "0.0-fake");
    logexport_close(engine);
    le_buffer_free(&first);
    le_buffer_free(&both);
    remove_bundle(path);
}

/* Says in short what a record is of: its kind, session, lines, and how the session was closed. */
static int say_in_short(void *user, const struct logexport_record *record)
{
    static const char kinds[] = "LWSC", ways[] = ".igpe";
    char text[120];
    int length = snprintf(text, sizeof text, "%c%.*s", kinds[record->kind],
                          record->session == NULL ? 1 : (int)record->session_length,
                          record->session == NULL ? "-" : record->session);
    if (record->kind == LOGEXPORT_LINE)
        length += snprintf(text + length, 40, "/%d", (int)record->line);
    if (record->kind == LOGEXPORT_SESSION)
        length += snprintf(text + length, 40, "/%dof%d", (int)record->judged, (int)record->lines);
    if (record->kind == LOGEXPORT_SESSION_SCORE)
        length += snprintf(text + length, 40, "/%d-%d,%d", (int)record->first_line,
                           (int)record->last_line, (int)record->lines);
    if (record->closed_by != LOGEXPORT_NOT_CLOSED)
        length +=
            snprintf(text + length, 40, "@%d%c", (int)record->closed, ways[record->closed_by]);
    CHECK((record->closed == 0) == (record->closed_by == LOGEXPORT_NOT_CLOSED));
    char keys[80] = "}\n";
    if (record->closed > 0)
        snprintf(keys, sizeof keys, ", \"closed\": %d, \"closed_by\": \"%s\"}\n",
                 (int)record->closed,
                 (const char *[]){"", "idle", "gap", "pattern", "end"}[record->closed_by]);
    size_t end = strlen(keys);
    CHECK(record->text_length > end &&
          memcmp(record->text + record->text_length - end, keys, end) == 0);
    text[length++] = ' ';
    return !le_buffer_append(user, text, (size_t)length);
}

static void sessions_end_by_every_rule_in_one_order(void)
{
#define JSON_LINE(session, second)                                                                 \
    "{\"m\": {\"s\": \"a b\"}, \"id\": \"s=" session "\", \"t\": \"2024-01-01 00:00:" second "\"}\n"
    static const char log[] = "s=1 a b\ns=2 x\n\n\n\nx\ns=3 n 4\n" JSON_LINE("4", "01")
        JSON_LINE("4", "09") JSON_LINE("4", "03") JSON_LINE("5", "01") "s=6 x\n\n";
    char rules[1500];
    const char *idle = strstr(bounded_rules, "\"idle_lines\": 40");
    snprintf(rules, sizeof rules, "%.*s\"idle_lines\": 3%s", (int)(idle - bounded_rules),
             bounded_rules, idle + strlen("\"idle_lines\": 40"));
    static const struct {
        const char *graph, *task, *lines, *ends;
    } cases[] = {
        {"events 8", bounded_topk,
         "L1/1 L2/2 L1/1@5i S1/2of1@5i L2/2@6i S2/2of1@6i L-/6 L3/7 L3/7@7p S3/2of1@7p L4/8 "
         "L4/8@9g S4/2of1@9g L4/9 L4/10 L5/11 L6/12 ",
         "S-/0of1@14e L4/10@14e S4/3of2@14e L5/11@14e S5/2of1@14e L6/12@14e S6/2of1@14e "},
        {"sessions 8", session_counts,
         "C1/1-1,1@5i S1/1of1@5i C2/2-2,1@6i S2/1of1@6i C3/7-7,1@7p S3/1of1@7p "
         "C4/8-8,1@9g S4/1of1@9g ",
         "S-/0of1@14e C4/9-10,2@14e S4/1of2@14e C5/11-11,1@14e S5/1of1@14e C6/12-12,1@14e "
         "S6/1of1@14e "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64], expected[600];
        struct le_buffer said = {0};
        make_bundle(path, cases[i].graph, cases[i].task, rules);
        for (int leave = 0; leave < 2; leave++)
            for (int threads = 1; threads <= 3; threads++) {
                struct logexport_options options = options_of(threads);
                struct logexport_error error;
                logexport_engine *engine;
                options.session_summary = 1;
                options.leave_at_end = leave;
                said.length = 0;
                NEED(logexport_open(path, &options, say_in_short, &said, &engine, &error) ==
                     LOGEXPORT_OK);
                for (int again = 0; again < 2; again++) {
                    CHECK(logexport_push(engine, log, sizeof log - 1, &error) == LOGEXPORT_OK);
                    CHECK(logexport_finish(engine, &error) == LOGEXPORT_OK);
                }
                logexport_close(engine);
                NEED(le_buffer_append(&said, "", 1));
                snprintf(expected, sizeof expected, "%s%s%s%s", cases[i].lines,
                         leave ? "" : cases[i].ends, cases[i].lines, leave ? "" : cases[i].ends);
                CHECK_TEXT(said.data, expected);
            }
        le_buffer_free(&said);
        remove_bundle(path);
    }
}

static void what_is_idle_at_the_last_line_is_closed_there(void)
{
    char path[64];
    struct le_buffer said = {0};
    make_bundle(path, "events 8", bounded_topk, bounded_rules);
    for (int blank = 38; blank <= 40; blank++) {
        struct logexport_options options = options_of(1);
        struct logexport_error error;
        logexport_engine *engine;
        said.length = 0;
        NEED(logexport_open(path, &options, say_in_short, &said, &engine, &error) == LOGEXPORT_OK);
        CHECK(logexport_push(engine, "s=1 x\ns=2 x\n", 12, &error) == LOGEXPORT_OK);
        for (int i = 0; i < blank; i++)
            CHECK(logexport_push(engine, " \n", 2, &error) == LOGEXPORT_OK);
        CHECK(logexport_finish(engine, &error) == LOGEXPORT_OK);
        logexport_close(engine);
        NEED(le_buffer_append(&said, "", 1));
        CHECK_TEXT(said.data, blank == 38   ? "L1/1 L2/2 L1/1@41e L2/2@41e "
                              : blank == 39 ? "L1/1 L2/2 L1/1@42e L2/2@42e "
                                            : "L1/1 L2/2 L1/1@42i L2/2@43e ");
    }
    le_buffer_free(&said);
    remove_bundle(path);
}

static void the_session_null_does_not_keep_others_alive(void)
{
    char path[64];
    struct le_buffer said = {0};
    struct logexport_options options = options_of(2);
    struct logexport_error error;
    logexport_engine *engine;
    make_bundle(path, "events 8", bounded_topk, bounded_rules);
    NEED(logexport_open(path, &options, say_in_short, &said, &engine, &error) == LOGEXPORT_OK);
    CHECK(logexport_push(engine, "x\ns=1 x\n", 8, &error) == LOGEXPORT_OK);
    for (int i = 0; i < 50; i++)
        CHECK(logexport_push(engine, "\n", 1, &error) == LOGEXPORT_OK);
    CHECK(logexport_push(engine, "s=2 n 1\nn 1\n", 12, &error) == LOGEXPORT_OK);
    CHECK(logexport_flush(engine, &error) == LOGEXPORT_OK);
    NEED(le_buffer_append(&said, "", 1));
    CHECK_TEXT(said.data, "L-/1 L1/2 L1/2@43i L2/53 L2/53@53p L-/54 ");
    logexport_close(engine);
    le_buffer_free(&said);
    remove_bundle(path);
}

static int stop_at_third(void *user, const struct logexport_record *record)
{
    (void)record;
    return ++*(int *)user == 3;
}

static void files_are_numbered_through_and_said(void)
{
    char bundle[64];
    make_bundle(bundle, "events 6 wild", events_topk, plain_rules);
    struct logexport_options options = options_of(1);
    options.with_keys = "file,file_line";
    struct logexport_error error = {0};
    struct le_buffer out = {0};
    logexport_engine *engine;
    NEED(logexport_open(bundle, &options, keep_record, &out, &engine, &error) == LOGEXPORT_OK);
    for (int again = 0; again < 2; again++) {
        out.length = 0;
        CHECK(logexport_next_file(engine, "one", &error) == LOGEXPORT_OK);
        CHECK(logexport_push(engine, "x\nx", 3, &error) == LOGEXPORT_OK);
        CHECK(logexport_next_file(engine, "none", &error) == LOGEXPORT_OK);
        CHECK(logexport_next_file(engine, "t\"\xff", &error) == LOGEXPORT_OK);
        CHECK(logexport_push(engine, "x", 1, &error) == LOGEXPORT_OK);
        CHECK(logexport_finish(engine, &error) == LOGEXPORT_OK);
        NEED(le_buffer_append(&out, "", 1));
        CHECK(strstr(out.data, "{\"line\": 2,") != NULL);
        CHECK(strstr(out.data, "\"file\": \"one\", \"file_line\": 2}\n{\"line\": 3,") != NULL);
        CHECK(strstr(out.data, "\"file\": \"t\\\"\xef\xbf\xbd\", \"file_line\": 1}\n") != NULL);
        CHECK(strstr(out.data, "none") == NULL);
    }
    logexport_close(engine);
    le_buffer_free(&out);
    remove_bundle(bundle);
}

static void a_sink_can_stop_the_engine(void)
{
    char path[64];
    struct logexport_error error;
    logexport_engine *engine;
    make_bundle(path, "events 6", events_topk, plain_rules);
    for (int threads = 1; threads <= 3; threads++) {
        int records = 0;
        struct logexport_options options = options_of(threads);
        NEED(logexport_open(path, &options, stop_at_third, &records, &engine, &error) ==
             LOGEXPORT_OK);
        CHECK(logexport_push(engine, "x\nx\nx\nx\nx\n", 10, &error) == LOGEXPORT_OK ||
              error.status == LOGEXPORT_STOPPED);
        CHECK(logexport_finish(engine, &error) == LOGEXPORT_STOPPED);
        CHECK(logexport_push(engine, "x\n", 2, &error) == LOGEXPORT_STOPPED);
        CHECK(records == 3);
        logexport_close(engine);
    }
    remove_bundle(path);
}

static void a_run_that_fails_is_an_error(void)
{
    char path[64];
    struct le_buffer said = {0};
    struct logexport_error error;
    logexport_engine *engine;
    for (int wide = 0; wide < 2; wide++)
        for (int threads = 1; threads <= 3; threads++) {
            make_bundle(path, wide ? "events 6 wide" : "events 6 fail", events_topk, plain_rules);
            struct logexport_options options = options_of(threads);
            NEED(logexport_open(path, &options, keep_record, &said, &engine, &error) ==
                 LOGEXPORT_OK);
            CHECK(logexport_push(engine, "x\nx\nx\nx\n", 8, &error) == LOGEXPORT_OK);
            CHECK(logexport_flush(engine, &error) == (wide ? LOGEXPORT_BUNDLE : LOGEXPORT_RUNTIME));
            CHECK(strstr(error.text, wide ? "another shape" : "says: it was told to fail.") !=
                  NULL);
            CHECK(logexport_finish(engine, NULL) != LOGEXPORT_OK);
            logexport_close(engine);
            remove_bundle(path);
        }
    le_buffer_free(&said);
}

/* --- what cannot be opened ------------------------------------------------------------------------ */

static void cannot_open(const char *path, const struct logexport_options *options,
                        enum logexport_status status, const char *why)
{
    struct logexport_error error = {0};
    logexport_engine *engine = (logexport_engine *)(void *)&error;
    enum logexport_status found = logexport_open(path, options, keep_record, NULL, &engine, &error);
    CHECK(found == status && engine == NULL);
    CHECK(found == LOGEXPORT_OK || error.status == found);
    if (strstr(error.text, why) == NULL) {
        fprintf(stderr, "\"%s\" does not say \"%s\"\n", error.text, why);
        failures++;
    }
    size_t length = strlen(error.text);
    CHECK(length > 0 && error.text[length - 1] == '.' && strchr(error.text, '\n') == NULL);
    logexport_close(engine);
}

static void a_changed_or_misplaced_file_is_noticed(void)
{
    struct logexport_options options = options_of(1);
    char path[64], file[160], other[160];
    cannot_open("/nowhere/at/all", &options, LOGEXPORT_BUNDLE, "is no bundle: No such file");
    cannot_open("/tmp", &options, LOGEXPORT_BUNDLE, "holds no manifest.json");

    make_bundle(path, "events 6", events_topk, plain_rules);
    put_raw(path, "vocab.json", "{\"0\": 1}", 8);
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "but manifest.json says");
    remove_bundle(path);

    make_bundle(path, "events 6", events_topk, plain_rules);
    put_graph(path, "events 7"); /* of the same size */
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "has changed: its sha256");
    options.no_verify = 1; /* then it is the graph that does not fit */
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "another size than the vocabulary");
    options.no_verify = 0;
    remove_bundle(path);

    make_bundle(path, "events 6", events_topk, plain_rules);
    put_file(path, "extra.txt", "x", 1);
    put_raw(path, "extra.txt", "y", 1); /* a file that nobody reads */
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "extra.txt has changed");
    snprintf(file, sizeof file, "%s/extra.txt", path);
    snprintf(other, sizeof other, "%s/vocab.json", path);
    NEED(unlink(file) == 0);
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "extra.txt cannot be opened");
    NEED(symlink(other, file) == 0);
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "extra.txt is a symbolic link");
    NEED(unlink(file) == 0 && mkfifo(file, 0600) == 0);
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "extra.txt is not a regular file");
    remove_bundle(path);
}

static void manifest_says(const char *manifest, const char *why)
{
    struct logexport_options options = options_of(1);
    char path[64];
    make_bundle(path, "events 6", events_topk, plain_rules);
    put_raw(path, "manifest.json", manifest, strlen(manifest));
    cannot_open(path, &options, LOGEXPORT_BUNDLE, why);
    remove_bundle(path);
}

static void a_malformed_manifest_is_refused(void)
{
#define MODELS "\"models\": {\"tiny\": {\"proof\": \"full\"}}"
    manifest_says("", "not valid JSON");
    manifest_says("[]", "not an object");
    manifest_says("{}", "\"schema_version\" is missing");
    manifest_says("{\"schema_version\": 3}", "is 3, not 1 to 2");
    manifest_says("{\"schema_version\": 2, \"proof\": \"full\"}", "\"warnings\" is missing");
    manifest_says("{\"schema_version\": 2, \"proof\": \"full\", \"warnings\": null}",
                  "\"warnings\" is not an integer");
    manifest_says("{\"schema_version\": 2, \"proof\": \"full\", \"warnings\": -1}",
                  "is -1, not 0 to");
    manifest_says("{\"schema_version\": 2, \"proof\": \"full\", \"warnings\": 0, " MODELS
                  ", \"files\": {}}",
                  "\"warnings\" is missing");
    manifest_says("{\"schema_version\": 1, \"proof\": \"maybe\"}", "not full, no_native or none");
    manifest_says("{\"schema_version\": 1, \"proof\": \"full\", \"models\": {}, \"files\": {}}",
                  "\"models\" is empty");
    manifest_says("{\"schema_version\": 1, \"proof\": \"full\", \"models\": {\"../x\": {}}, "
                  "\"files\": {}}",
                  "is no model's name");
    manifest_says("{\"schema_version\": 1, \"proof\": \"full\", " MODELS ", \"files\": "
                  "{\"../../etc/passwd\": {\"sha256\": \"\", \"size\": 1}}}",
                  "is no plain file name");
    manifest_says("{\"schema_version\": 1, \"proof\": \"full\", " MODELS ", \"files\": "
                  "{\"\\u001b[2J\": {\"sha256\": \"\", \"size\": 1}}}",
                  "\"?[2J\" is no plain file name");
    manifest_says("{\"schema_version\": 1, \"proof\": \"full\", " MODELS ", \"files\": "
                  "{\"vocab.json\": {\"sha256\": \"\", \"size\": 1}}}",
                  "not 64 hexadecimal digits");
    manifest_says("{\"schema_version\": 1, \"proof\": \"full\", " MODELS ", \"files\": {}}",
                  "does not list tiny.onnx.meta.json");
}

/* A bundle in which one file was replaced by another that its sums fit. */
static void file_says(const char *name, const char *bytes, const char *why)
{
    struct logexport_options options = options_of(1);
    char path[64];
    make_bundle(path, "events 6", events_topk, plain_rules);
    put_file(path, name, bytes, strlen(bytes));
    options.no_verify = strcmp(name, "tiny.onnx.meta.json") != 0;
    cannot_open(path, &options,
                strcmp(name, "tiny.onnx") == 0 ? LOGEXPORT_RUNTIME : LOGEXPORT_BUNDLE, why);
    remove_bundle(path);
}

static void malformed_files_are_refused(void)
{
    file_says("tiny.onnx.meta.json", "{", "not valid JSON");
    file_says("tiny.onnx.meta.json", "{\"schema_version\": 1, \"model_type\": \"big\"}",
              "\"model_type\" is \"big\", not \"tiny\"");
    file_says("tiny.onnx.meta.json",
              "{\"schema_version\": 1, \"model_type\": \"tiny\", \"vocab_size\": 0}",
              "\"vocab_size\"");
    file_says("tiny.onnx.meta.json",
              "{\"schema_version\": 1, \"model_type\": \"tiny\", \"vocab_size\": 6, \"task\": "
              "{\"input\": \"event_window\", \"length\": 1000000}}",
              "\"length\" is 1000000");
    file_says("tiny.onnx.meta.json",
              "{\"schema_version\": 1, \"model_type\": \"tiny\", \"vocab_size\": 6, \"task\": "
              "{\"input\": \"other\", \"decision\": \"other\"}, \"preprocess\": {\"file\": "
              "\"/etc/passwd\", \"sha256\": \"\"}}",
              "is no plain file name");
}

static void rules_say(const char *rules, const char *why)
{
    struct logexport_options options = options_of(1);
    char path[64];
    make_bundle(path, "events 6", events_topk, rules);
    cannot_open(path, &options, LOGEXPORT_BUNDLE, why);
    remove_bundle(path);
}

static void malformed_rules_are_refused(void)
{
#define BEGIN "{\"schema_version\": 1, \"headers\": "
#define END                                                                                        \
    ", \"matching\": {\"prefer\": \"specific\"}, \"session\": {\"by\": \"none\", \"pattern\": "    \
    "null}, \"max_sessions\": 1, \"max_line_bytes\": 9}"
#define END_2                                                                                      \
    ", \"matching\": {\"prefer\": \"specific\"}, \"session\": {\"by\": \"none\", \"pattern\": "    \
    "null}, \"max_line_bytes\": 9}"
    rules_say("{\"schema_version\": 1}", "\"headers\" is missing");
    rules_say("{\"schema_version\": 1, \"header\": []}", "there is no key \"header\"");
    rules_say(BEGIN "[{\"name\": \"a\", \"pattern\": \"x\", \"massage\": 1}], \"masks\": []" END,
              "at headers: there is no key \"massage\"");
    rules_say(BEGIN "[7], \"masks\": []" END, "an entry is not an object");
    rules_say(BEGIN "[{\"name\": \"a\", \"pattern\": \"(\"}], \"masks\": []" END,
              "header \"a\" is not portable: a ( is never closed.");
    rules_say(BEGIN "[{\"name\": \"a\", \"pattern\": \"x\"}], \"masks\": []" END,
              "has no group \"message\"");
    rules_say(BEGIN "[], \"masks\": [{\"name\": \"a\", \"pattern\": \"x\", \"replacement\": "
                    "\"\\\\1\"}]" END,
              "refers to group 1");
    rules_say(BEGIN "[], \"masks\": [{\"name\": \"a\", \"pattern\": \"x\", \"replacement\": "
                    "\"\"}, {\"name\": \"a\", \"pattern\": \"y\", \"replacement\": \"\"}]" END,
              "two entries are named \"a\"");
    rules_say(BEGIN "[], \"masks\": []"
                    ", \"matching\": {\"prefer\": \"specific\"}, \"session\": {\"by\": \"regex\", "
                    "\"pattern\": null}, \"max_sessions\": 1, \"max_line_bytes\": 9}",
              "\"pattern\" is not a string");
    rules_say(BEGIN "[], \"masks\": []"
                    ", \"matching\": {\"prefer\": \"specific\"}, \"session\": {\"by\": \"none\", "
                    "\"pattern\": null}, \"max_sessions\": 0, \"max_line_bytes\": 9}",
              "\"max_sessions\" is 0");
}

static void malformed_kept_fields_are_refused(void)
{
#define KEEPS(keep)                                                                                 \
    "{\"schema_version\": 2, \"encoding\": \"utf-8\", \"structured\": [], \"continuation\": true, " \
    "\"keep\": " keep ", \"headers\": [], \"masks\": []" END_2
#define KEPT "{\"field\": \"level\", \"as\": \"text\"}"
    rules_say(KEEPS("{}"), "\"keep\" is not an array");
    rules_say(KEEPS("[7]"), "at keep: an entry is not an object");
    rules_say(KEEPS("[{\"field\": \"level\"}]"), "\"as\" is missing");
    rules_say(KEEPS("[{\"as\": \"text\"}]"), "\"field\" is missing");
    rules_say(KEEPS("[{\"field\": \"message\", \"as\": \"text\"}]"), "no field \"message\"");
    rules_say(KEEPS("[{\"field\": \"level\", \"as\": \"word\"}]"), "not text, severity or class");
    rules_say(KEEPS("[{\"field\": \"level\", \"as\": \"text\", \"x\": 1}]"), "no key \"x\"");
    rules_say(KEEPS("[" KEPT ", " KEPT ", " KEPT ", " KEPT ", " KEPT ", " KEPT ", " KEPT ", " KEPT
                    ", " KEPT "]"),
              "\"keep\" has more than 8 entries");
    rules_say("{\"schema_version\": 2, \"encoding\": \"utf-8\", \"structured\": [], "
              "\"continuation\": true, \"headers\": [], \"masks\": []" END_2,
              "\"keep\" is missing");
    rules_say("{\"schema_version\": 1, \"keep\": [], \"headers\": [], \"masks\": []" END,
              "\"keep\" belongs to version 2 only");
    rules_say(BEGIN "[{\"name\": \"a\", \"pattern\": \"(?P<level>x)(?P<message>.*)\"}], "
                    "\"masks\": []" END,
              "not a field by rules of version 1");
}

static void malformed_token_rules_are_refused(void)
{
#define STEP(tokens, matching)                                                                      \
    "{\"schema_version\": 2, \"encoding\": \"utf-8\", \"structured\": [], \"continuation\": true, " \
    "\"keep\": [], \"headers\": [], \"masks\": []" tokens ", \"matching\": " matching               \
    ", \"session\": {\"by\": \"none\", \"pattern\": null}, \"max_line_bytes\": 9}"
#define TOKENS(after, collapse)                                                                    \
    ", \"tokens\": {\"split_after\": " after ", \"collapse\": " collapse "}"
#define MATCHING "{\"prefer\": \"general\", \"inner\": false}"
    static const char not_after[] = "\"split_after\" is not at most 8 different characters";
    rules_say(STEP("", MATCHING), "\"tokens\" is missing");
    rules_say(STEP(", \"tokens\": []", MATCHING), "\"tokens\" is not an object");
    rules_say(STEP(", \"tokens\": {\"split_after\": \"\"}", MATCHING), "\"collapse\" is not true");
    rules_say(STEP(TOKENS("\"=\"", "1"), MATCHING), "\"collapse\" is not true or false");
    rules_say(STEP(TOKENS("7", "true"), MATCHING), "\"split_after\" is not a string");
    rules_say(STEP(TOKENS("\"=:=\"", "true"), MATCHING), not_after);
    rules_say(STEP(TOKENS("\"a\"", "true"), MATCHING), not_after);
    rules_say(STEP(TOKENS("\" \"", "true"), MATCHING), not_after);
    rules_say(STEP(TOKENS("\"\\u0000\"", "true"), MATCHING), not_after);
    rules_say(STEP(TOKENS("\"\\u00b7\"", "true"), MATCHING), not_after);
    rules_say(STEP(TOKENS("\"!#$%&*+,-\"", "true"), MATCHING), not_after);
    rules_say(STEP(TOKENS("\"\", \"x\": 1", "true"), MATCHING), "at tokens: there is no key \"x\"");
    rules_say(STEP(TOKENS("\"\"", "true"), "{\"prefer\": \"general\"}"),
              "\"inner\" is not true or");
    rules_say(STEP(TOKENS("\"\"", "true"), "{\"prefer\": \"best\", \"inner\": true}"),
              "\"prefer\" is not specific or general");
    rules_say(BEGIN "[], \"masks\": []" TOKENS("\"\"", "false") END,
              "\"tokens\" belongs to version 2 only");
    rules_say(BEGIN
              "[], \"masks\": [], \"matching\": {\"prefer\": \"specific\", \"inner\": false}, "
              "\"session\": {\"by\": \"none\", \"pattern\": null}, \"max_sessions\": 1, "
              "\"max_line_bytes\": 9}",
              "\"inner\" belongs to version 2 only");
}

/* Rules of either version with sessions by this. */
static void sessions_say(int version, const char *session, const char *why)
{
    char rules[800];
    snprintf(
        rules, sizeof rules,
        "{\"schema_version\": %d, %s\"headers\": [], \"masks\": [], \"matching\": {\"prefer\": "
        "\"general\"%s}, \"session\": {%s}, \"max_line_bytes\": 9}",
        version,
        version == 1 ? "\"max_sessions\": 2, "
                     : "\"encoding\": \"utf-8\", \"structured\": [], \"continuation\": true, "
                       "\"keep\": [], \"tokens\": {\"split_after\": \"\", \"collapse\": false}, ",
        version == 1 ? "" : ", \"inner\": false", session);
    if (why != NULL) {
        rules_say(rules, why);
        return;
    }
    struct logexport_options options = options_of(1);
    struct logexport_error error;
    logexport_engine *engine;
    char path[64];
    make_bundle(path, "events 6", events_topk, rules);
    CHECK(logexport_open(path, &options, keep_record, NULL, &engine, &error) == LOGEXPORT_OK);
    logexport_close(engine);
    remove_bundle(path);
}

static void malformed_ends_are_refused(void)
{
#define BY_NONE "\"by\": \"none\", \"pattern\": null"
#define BY_HOST "\"by\": \"host\", \"pattern\": null"
#define BY_PATTERN "\"by\": \"regex\", \"pattern\": \"x\""
#define BY_FIELD "\"by\": \"field\", \"field\": \"x\""
    sessions_say(1, BY_PATTERN, NULL);
    sessions_say(1, BY_PATTERN ", \"idle_lines\": 1", "\"idle_lines\" belongs to version 2 only");
    sessions_say(1, BY_HOST ", \"idle_seconds\": 1", "\"idle_seconds\" belongs to version 2 only");
    sessions_say(1, BY_NONE ", \"close_pattern\": \"x\"", "\"close_pattern\" belongs to version 2");
    sessions_say(2, BY_NONE, NULL);
    sessions_say(2, BY_NONE ", \"idle_lines\": 1", "\"idle_lines\" does not belong to none");
    sessions_say(2, BY_NONE ", \"idle_seconds\": 1", "\"idle_seconds\" does not belong to none");
    sessions_say(2, BY_NONE ", \"close_pattern\": \"x\"", "\"close_pattern\" does not belong to");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1", NULL);
    sessions_say(2, BY_HOST ", \"idle_lines\": 10000000, \"idle_seconds\": 1000000000", NULL);
    sessions_say(2, BY_FIELD ", \"idle_lines\": 7, \"close_pattern\": \"a(b)?\"", NULL);
    sessions_say(2, BY_PATTERN, "\"idle_lines\" is missing");
    sessions_say(2, BY_FIELD ", \"idle_lines\": 0", "\"idle_lines\" is 0");
    sessions_say(2, BY_HOST ", \"idle_lines\": 10000001", "\"idle_lines\" is 10000001");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1.5", "\"idle_lines\" is not an integer");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1, \"idle_seconds\": 0", "\"idle_seconds\" is 0");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1, \"idle_seconds\": 1000000001",
                 "\"idle_seconds\" is 1000000001");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1, \"idle_seconds\": null",
                 "\"idle_seconds\" is not an integer");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1, \"close_pattern\": null",
                 "\"close_pattern\" is not a string");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1, \"close_pattern\": \"(\"",
                 "the pattern of the sessions' ends is not portable");
    sessions_say(2, BY_PATTERN ", \"idle_lines\": 1, \"idle_hours\": 1", "no key \"idle_hours\"");
    rules_say(
        "{\"schema_version\": 2, \"max_sessions\": 3, \"encoding\": \"utf-8\", "
        "\"structured\": [], \"continuation\": true, \"keep\": [], \"headers\": [], \"masks\": []" END_2,
        "\"max_sessions\" belongs to version 1 only");
}

static void a_task_that_needs_sessions_is_refused_without_them(void)
{
#define TASK(input)                                                                                \
    "{\"input\": \"event_window\", \"length\": 3, " input ", \"decision\": \"next_event_topk\", "  \
    "\"output\": \"predictions\", \"top_k\": 2}"
#define FREE_RULES(session)                                                                            \
    "{\"schema_version\": 2, \"encoding\": \"utf-8\", \"structured\": [], \"continuation\": true, "    \
    "\"keep\": [], \"headers\": [], \"masks\": [], \"tokens\": {\"split_after\": \"\", \"collapse\": " \
    "false}, \"matching\": {\"prefer\": \"general\", \"inner\": false}, \"session\": {" session        \
    "}, \"max_line_bytes\": 9}"
    static const char needs[] = "the model judges sessions that begin and end";
    static const char own[] = "is not a reserved index of its own";
    const struct {
        const char *graph, *task, *rules, *session_by, *why;
        enum logexport_status status;
    } cases[] = {
        {"events 8", bounded_topk, session_rules, NULL, needs, LOGEXPORT_BUNDLE},
        {"events 8", bounded_score, plain_rules, NULL, needs, LOGEXPORT_BUNDLE},
        {"sessions 8", session_counts, FREE_RULES(BY_NONE), NULL, needs, LOGEXPORT_BUNDLE},
        {"events 8", bounded_topk, FREE_RULES(BY_HOST ", \"idle_lines\": 1"), NULL, needs,
         LOGEXPORT_BUNDLE},
        {"events 8", bounded_topk, utf8_rules, "none", "--session-by none does not apply",
         LOGEXPORT_USAGE},
        {"sessions 8", session_counts, utf8_rules, "host", "--session-by host does not apply",
         LOGEXPORT_USAGE},
        {"events 8", TASK("\"start\": 0"), utf8_rules, NULL, own, LOGEXPORT_BUNDLE},
        {"events 8", TASK("\"end\": 4"), utf8_rules, NULL, own, LOGEXPORT_BUNDLE},
        {"events 8", TASK("\"start\": 8"), utf8_rules, NULL, own, LOGEXPORT_BUNDLE},
        {"events 8", TASK("\"start\": -1"), utf8_rules, NULL, "\"start\" is -1", LOGEXPORT_BUNDLE},
        {"events 8", TASK("\"end\": null"), utf8_rules, NULL, "\"end\" is not an integer",
         LOGEXPORT_BUNDLE},
        {"events 8", TASK("\"start\": 7, \"end\": 7"), utf8_rules, NULL, "are the same index",
         LOGEXPORT_BUNDLE},
        {"sessions 8",
         "{\"input\": \"session_counts\", \"decision\": \"next_event_topk\", \"output\": \"predictions\", "
         "\"top_k\": 2}",
         utf8_rules, NULL, "is not known to this engine", LOGEXPORT_BUNDLE},
        {"counts 8", session_counts, utf8_rules, NULL, "is not float32 with two axes",
         LOGEXPORT_BUNDLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct logexport_options options = options_of(1);
        char path[64];
        options.session_by = cases[i].session_by;
        make_bundle(path, cases[i].graph, cases[i].task, cases[i].rules);
        cannot_open(path, &options, cases[i].status, cases[i].why);
        remove_bundle(path);
    }
}

static void the_graph_must_fit_the_task(void)
{
    struct logexport_options options = options_of(1);
    static const struct {
        const char *graph, *task, *why;
        enum logexport_status status;
    } cases[] = {
        {"gibberish", events_topk, "says: not a graph.", LOGEXPORT_RUNTIME},
        {"counts 6", events_topk, "is not int64 with two axes", LOGEXPORT_BUNDLE},
        {"events 6", counts_topk, "is not float32 with four axes", LOGEXPORT_BUNDLE},
        {"events 8", session_counts, "is not float32 with two axes", LOGEXPORT_BUNDLE},
        {"sessions 7", session_counts, "a column for unseen lines", LOGEXPORT_BUNDLE},
        {"events 7", events_topk, "another size than the vocabulary", LOGEXPORT_BUNDLE},
        {"events 6",
         "{\"input\": \"event_window\", \"length\": 3, \"decision\": \"next_event_topk\", "
         "\"output\": \"logits\", \"top_k\": 2}",
         "\"logits\" is none of its outputs", LOGEXPORT_BUNDLE},
        {"events 6",
         "{\"input\": \"event_window\", \"length\": 3, \"decision\": \"next_event_topk\", "
         "\"output\": \"error\", \"top_k\": 2}",
         "is not float32 with two axes", LOGEXPORT_BUNDLE},
        {"events 6",
         "{\"input\": \"event_window\", \"length\": 3, \"decision\": \"next_event_topk\", "
         "\"output\": \"predictions\", \"top_k\": 6}",
         "Top k is 6, but the vocabulary has 6", LOGEXPORT_BUNDLE},
        {"events 6",
         "{\"input\": \"graph\", \"decision\": \"next_event_topk\", \"output\": \"x\", "
         "\"top_k\": 1}",
         "is not known to this engine", LOGEXPORT_BUNDLE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        bool ends = cases[i].task == session_counts;
        make_bundle(path, cases[i].graph, cases[i].task, ends ? utf8_rules : plain_rules);
        cannot_open(path, &options, cases[i].status, cases[i].why);
        remove_bundle(path);
    }
}

/* Graphs as bytes: a model's field 7 is its graph, a graph's field 5 a tensor. */
static void weights_in_other_files_are_refused(void)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *why;
    } cases[] = {
        {"\x3a\x04\x2a\x02\x70\x01", 6, "has weights in another file"}, /* data_location */
        {"\x3a\x04\x2a\x02\x6a\x00", 6, "has weights in another file"}, /* external_data */
        {"\x3a\x08\x0a\x06\x2a\x04\x2a\x02\x70\x01", 10, "has weights in another file"},
        {"\x3a\x04\x2a\x02\x70\x00", 6, "says: not a graph"},    /* it holds its own */
        {"\x3a\x05\x2a\x02\x70\x01", 6, "is not an ONNX graph"}, /* cut off */
        {"\x3b", 1, "is not an ONNX graph"},                     /* a group */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11, "is not an ONNX graph"},
    };
    struct logexport_options options = options_of(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[64];
        make_bundle(path, "events 6", events_topk, plain_rules);
        put_file(path, "tiny.onnx", cases[i].bytes, cases[i].length);
        cannot_open(path, &options, i == 3 ? LOGEXPORT_RUNTIME : LOGEXPORT_BUNDLE, cases[i].why);
        remove_bundle(path);
    }
}

static void options_must_fit_the_task(void)
{
    char path[64];
    make_bundle(path, "events 6", events_topk, plain_rules);
    struct logexport_options options = options_of(0);
    cannot_open(path, &options, LOGEXPORT_USAGE, "number of threads is 0");
    options = options_of(1);
    options.top_k = 6;
    cannot_open(path, &options, LOGEXPORT_USAGE, "Top k is 6");
    options = options_of(1);
    options.set_threshold = 1;
    cannot_open(path, &options, LOGEXPORT_USAGE, "--threshold does not apply");
    options = options_of(1);
    options.session_by = "(";
    cannot_open(path, &options, LOGEXPORT_USAGE, "the sessions is not portable");
    options = options_of(1);
    options.model = "other";
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "no model \"other\" (it holds: tiny)");
    options = options_of(1);
    options.variant = "portable";
    cannot_open(path, &options, LOGEXPORT_BUNDLE, "no variant \"portable\" of tiny");
    remove_bundle(path);

    make_bundle(path, "counts 6", counts_score, plain_rules);
    options = options_of(1);
    options.session_summary = 1;
    cannot_open(path, &options, LOGEXPORT_USAGE, "--session-summary does not apply");
    options = options_of(1);
    options.session_by = "host";
    cannot_open(path, &options, LOGEXPORT_USAGE, "--session-by does not apply");
    options = options_of(1);
    options.top_k = 1;
    cannot_open(path, &options, LOGEXPORT_USAGE, "--top-k does not apply");
    options = options_of(1);
    options.threshold_name = "p12";
    cannot_open(path, &options, LOGEXPORT_USAGE, "\"p12\" is neither a finite number nor");
    remove_bundle(path);
}

static void a_caller_s_smaller_struct_has_defaults_for_the_rest(void)
{
    char path[64];
    struct logexport_error error;
    logexport_engine *engine;
    make_bundle(path, "events 6", events_topk, plain_rules);
    struct logexport_options options;
    memset(&options, 0xff, sizeof options); /* what lies behind an older, smaller struct */
    logexport_options_init(&options, offsetof(struct logexport_options, session_by));
    options.ort_library = FAKE_ORT;
    CHECK(logexport_open(path, &options, keep_record, NULL, &engine, &error) == LOGEXPORT_OK);
    logexport_close(engine);
    remove_bundle(path);
}

/* Opens a bundle with these numbers of warnings as a caller who requires the proof does. */
static void number_of_warnings(const char *top, const char *model, int64_t expected, bool taken)
{
    struct logexport_options options = options_of(1);
    struct logexport_stats stats = {.size = sizeof stats};
    struct logexport_error error;
    logexport_engine *engine;
    char path[64];
    make_bundle(path, "events 6", events_topk, plain_rules);
    put_manifest_of(path, top, model);
    NEED(logexport_open(path, &options, keep_record, NULL, &engine, &error) == LOGEXPORT_OK);
    logexport_get_stats(engine, &stats);
    CHECK(stats.warnings == expected);
    CHECK_TEXT(stats.proof, "full");
    logexport_close(engine);
    for (options.require_proof = 1; options.allow_warnings < 2; options.allow_warnings++) {
        if (taken || options.allow_warnings) {
            CHECK(logexport_open(path, &options, keep_record, NULL, &engine, &error) ==
                  LOGEXPORT_OK);
            logexport_close(engine);
        } else {
            cannot_open(path, &options, LOGEXPORT_BUNDLE, "proof full, ");
        }
    }
    remove_bundle(path);
}

static void a_required_proof_has_no_warnings_unless_they_are_allowed(void)
{
    number_of_warnings("\"schema_version\": 1", "", -1, true);
    number_of_warnings("\"schema_version\": 1, \"warnings\": 2", ", \"warnings\": 2", -1, true);
    number_of_warnings("\"schema_version\": 2, \"warnings\": 0", ", \"warnings\": 0", 0, true);
    number_of_warnings("\"schema_version\": 2, \"warnings\": 0", ", \"warnings\": null", -1, true);
    number_of_warnings("\"schema_version\": 2, \"warnings\": 1", ", \"warnings\": 1", 1, false);
    number_of_warnings("\"schema_version\": 2, \"warnings\": 2", ", \"warnings\": 2", 2, false);
}

static void an_older_caller_s_stats_end_before_the_warnings(void)
{
    struct logexport_options options = options_of(1);
    struct logexport_error error;
    logexport_engine *engine;
    char path[64];
    make_bundle(path, "events 6", events_topk, plain_rules);
    NEED(logexport_open(path, &options, keep_record, NULL, &engine, &error) == LOGEXPORT_OK);
    struct logexport_stats stats = {.size = offsetof(struct logexport_stats, warnings),
                                    .warnings = 7};
    logexport_get_stats(engine, &stats);
    CHECK_TEXT(stats.proof, "full");
    CHECK(stats.warnings == 7);
    logexport_close(engine);
    remove_bundle(path);
}

static void the_runtime_is_looked_for_in_order(void)
{
    char path[64];
    struct logexport_error error;
    logexport_engine *engine;
    make_bundle(path, "events 6", events_topk, plain_rules);
    struct logexport_options options = options_of(1);
    options.ort_library = "/nowhere/libonnxruntime.so";
    cannot_open(path, &options, LOGEXPORT_RUNTIME, "from the path that was named, /nowhere/lib");
    options.ort_library = FAKE_ORT_OLD;
    cannot_open(path, &options, LOGEXPORT_RUNTIME, "0.0-fake, too old");
    options.ort_library = "libm.so.6";
    cannot_open(path, &options, LOGEXPORT_RUNTIME, "is not ONNX Runtime");
    options.ort_library = NULL;
    setenv("LOGEXPORT_ORT_LIB", "/nowhere/else.so", 1);
    cannot_open(path, &options, LOGEXPORT_RUNTIME, "from LOGEXPORT_ORT_LIB, /nowhere/else.so");
    setenv("LOGEXPORT_ORT_LIB", FAKE_ORT, 1);
    CHECK(logexport_open(path, &options, keep_record, NULL, &engine, &error) == LOGEXPORT_OK);
    logexport_close(engine);
    unsetenv("LOGEXPORT_ORT_LIB");
    if (logexport_open(path, &options, keep_record, NULL, &engine, &error) != LOGEXPORT_OK)
        CHECK(strstr(error.text, "libonnxruntime.so.1 nor libonnxruntime.so.") != NULL ||
              strstr(error.text, "system's library path cannot be used") != NULL);
    else
        logexport_close(engine); /* this machine has one, and it takes our text for a graph */
    remove_bundle(path);
}

int main(void)
{
    CHECK_TEXT(logexport_version(), LOGEXPORT_VERSION);
    threads_and_pieces_change_nothing();
    verdicts_follow_their_lines_at_a_flush();
    an_engine_can_read_one_log_after_another();
    files_are_numbered_through_and_said();
    sessions_end_by_every_rule_in_one_order();
    what_is_idle_at_the_last_line_is_closed_there();
    the_session_null_does_not_keep_others_alive();
    a_sink_can_stop_the_engine();
    a_run_that_fails_is_an_error();
    a_changed_or_misplaced_file_is_noticed();
    a_malformed_manifest_is_refused();
    malformed_files_are_refused();
    malformed_rules_are_refused();
    malformed_kept_fields_are_refused();
    malformed_token_rules_are_refused();
    malformed_ends_are_refused();
    a_task_that_needs_sessions_is_refused_without_them();
    the_graph_must_fit_the_task();
    weights_in_other_files_are_refused();
    options_must_fit_the_task();
    a_required_proof_has_no_warnings_unless_they_are_allowed();
    an_older_caller_s_stats_end_before_the_warnings();
    a_caller_s_smaller_struct_has_defaults_for_the_rest();
    the_runtime_is_looked_for_in_order();
    logexport_close(NULL);
    return failures != 0;
}
