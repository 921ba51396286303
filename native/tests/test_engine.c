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
        "a b\n",     "a c\n",     "x\n",       "n 12\r\n", "\n",
        " \t\n",     "y z c\n",   "nothing\n", "x\r\r\n",  "a \xff\n",
        "s=1 s=2\n", "h1: a b\n", "h2: x\n",   "s=q a\n",  "\033[1mx\033[0m\n",
        "a\033[ b\n"};
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
                 {"counts 6", counts_topk, plain_rules},
                 {"counts 6", counts_score, session_rules}};
    enum { SIZE = 160000 };
    char *log = malloc(SIZE);
    NEED(log != NULL);
    for (size_t k = 0; k < 4; k++) {
        char path[64];
        struct le_buffer expected = {0}, said = {0};
        make_bundle(path, kinds[k].graph, kinds[k].task, kinds[k].rules);
        struct logexport_options options = options_of(1);
        options.session_summary = k < 2;
        size_t length = draw_log(log, SIZE);
        run_log(path, &options, log, length, 0, &expected);
        CHECK(expected.length > 60000);
        static const unsigned pieces[] = {0, 3000, 200000};
        for (options.threads = 1; options.threads <= 5; options.threads++)
            for (size_t p = 0; p < 3; p++) {
                options.no_jit = options.threads % 2;
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
    manifest_says("{\"schema_version\": 2}", "is 2, not 1 to 1");
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
    "\"keep\": " keep ", \"headers\": [], \"masks\": []" END
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
              "\"continuation\": true, \"headers\": [], \"masks\": []" END,
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
    ", \"session\": {\"by\": \"none\", \"pattern\": null}, \"max_sessions\": 1, "                   \
    "\"max_line_bytes\": 9}"
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
        make_bundle(path, cases[i].graph, cases[i].task, plain_rules);
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
    a_sink_can_stop_the_engine();
    a_run_that_fails_is_an_error();
    a_changed_or_misplaced_file_is_noticed();
    a_malformed_manifest_is_refused();
    malformed_files_are_refused();
    malformed_rules_are_refused();
    malformed_kept_fields_are_refused();
    malformed_token_rules_are_refused();
    the_graph_must_fit_the_task();
    weights_in_other_files_are_refused();
    options_must_fit_the_task();
    a_caller_s_smaller_struct_has_defaults_for_the_rest();
    the_runtime_is_looked_for_in_order();
    logexport_close(NULL);
    return failures != 0;
}
