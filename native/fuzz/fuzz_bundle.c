/* Any file of a bundle may hold anything: it is refused with a sentence, or the engine runs. The first
 * byte says which file the rest is: the manifest, the task, the vocabulary, the rules, the graph. */
#include <stdbool.h>

#include "fuzz.h"
#include "logexport/engine.h"
#include "make_bundle.h"

static char bundle[64];

static void remove_at_exit(void)
{
    remove_bundle(bundle);
}

static int check_record(void *user, const struct logexport_record *record)
{
    (void)user;
    HOLDS(record->text_length > 2 && record->text[record->text_length - 1] == '\n');
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static const char log[] =
        "a b\na 7\nx\n\xff s=1 c\nh1: a b\n\ns=1 n 1\nx\ny y c\r\nx\nx\nx\nx\n";
    if (bundle[0] == '\0') {
        make_bundle(bundle, "events 6", events_topk, plain_rules);
        atexit(remove_at_exit);
    }
    if (length == 0)
        return 0;
    struct piece rest = {(const char *)bytes + 1, length - 1};
    bool ends = bytes[0] & 32, counts = bytes[0] & 8; /* sessions that end; counts, not events */
    struct piece task = piece_of(ends ? (counts ? session_counts : bounded_topk)
                                      : (counts ? counts_score : events_topk));
    struct piece vocab = piece_of(ends ? bounded_vocab : plain_vocab);
    struct piece rules = piece_of(ends ? utf8_rules : session_rules);
    const char *graph =
        ends ? (counts ? "sessions 8" : "events 8") : (counts ? "counts 6" : "events 6");
    switch (bytes[0] % 5) {
    case 1:
        task = rest;
        break;
    case 2:
        vocab = rest;
        break;
    case 3:
        rules = rest;
        break;
    default:
        break;
    }
    fill_bundle(bundle, graph, task, rules, vocab);
    if (bytes[0] % 5 == 4)
        put_file(bundle, "tiny.onnx", rest.bytes, rest.length);
    if (bytes[0] % 5 == 0)
        put_raw(bundle, "manifest.json", rest.bytes, rest.length);

    struct logexport_options options;
    struct logexport_error error = {0};
    logexport_engine *engine;
    logexport_options_init(&options, sizeof options);
    options.ort_library = FAKE_ORT;
    options.no_jit = bytes[0] & 16;
    if (logexport_open(bundle, &options, check_record, NULL, &engine, &error) != LOGEXPORT_OK) {
        HOLDS(engine == NULL && error.status != LOGEXPORT_OK && error.text[0] != '\0');
        return 0;
    }
    if (logexport_push(engine, log, sizeof log - 1, &error) != LOGEXPORT_OK ||
        logexport_finish(engine, &error) != LOGEXPORT_OK)
        HOLDS(error.text[0] != '\0');
    logexport_close(engine);
    return 0;
}
