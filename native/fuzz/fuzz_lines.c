/* However a log is cut into pieces, whatever it holds and however many threads read it, the engine
 * says the same. */
#include "buffer.h"
#include "fuzz.h"
#include "logexport/engine.h"
#include "make_bundle.h"

static char bundle[64];

static void leave(void)
{
    remove_bundle(bundle);
}

static int keep(void *user, const struct logexport_record *record)
{
    return !le_buffer_append(user, record->text, record->text_length);
}

static void say(const uint8_t *bytes, size_t length, size_t piece, int threads,
                struct le_buffer *out)
{
    struct logexport_options options;
    struct logexport_error error;
    logexport_engine *engine;
    logexport_options_init(&options, sizeof options);
    options.ort_library = FAKE_ORT;
    options.threads = threads;
    options.session_summary = 1;
    options.no_verify = 1;
    HOLDS(logexport_open(bundle, &options, keep, out, &engine, &error) == LOGEXPORT_OK);
    for (size_t at = 0; at < length; at += piece) {
        size_t take = piece < length - at ? piece : length - at;
        HOLDS(logexport_push(engine, bytes + at, take, &error) == LOGEXPORT_OK);
        if (at % 3 == 1)
            HOLDS(logexport_flush(engine, &error) == LOGEXPORT_OK);
    }
    HOLDS(logexport_finish(engine, &error) == LOGEXPORT_OK);
    logexport_close(engine);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (bundle[0] == '\0') {
        make_bundle(bundle, "events 6 wild", events_topk, session_rules);
        atexit(leave);
    }
    if (length < 1)
        return 0;
    struct le_buffer whole = {0}, pieces = {0};
    say(bytes + 1, length - 1, length, 1, &whole);
    say(bytes + 1, length - 1, (size_t)bytes[0] % 32 + 1, 1 + bytes[0] / 128, &pieces);
    HOLDS(whole.length == pieces.length &&
          (whole.length == 0 || memcmp(whole.data, pieces.data, whole.length) == 0));
    le_buffer_free(&whole);
    le_buffer_free(&pieces);
    return 0;
}
