/* logexport-engine info: what a bundle is, and what would run it. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "commands.h"
#include "common.h"
#include "json_text.h"
#include "loaded.h"
#include "utf8.h"

/* --- JSON, indented by two ---------------------------------------------------------------------- */

struct writer {
    struct le_buffer out;
    locale_t c_locale;
    int level;  /* open arrays and objects */
    bool fresh; /* the innermost has had no member yet */
    bool ok;    /* the memory sufficed so far */
};

static void put(struct writer *writer, const char *text)
{
    writer->ok = writer->ok && le_buffer_append(&writer->out, text, strlen(text));
}

/* A path may not be UTF-8. */
static void put_string(struct writer *writer, const char *bytes, size_t length)
{
    struct le_buffer scratch = {0};
    const char *text;
    size_t text_length;
    writer->ok = writer->ok && le_utf8_decode(bytes, length, &scratch, &text, &text_length) &&
                 le_json_append_string(&writer->out, text, text_length);
    le_buffer_free(&scratch);
}

static void put_integer(struct writer *writer, int64_t integer)
{
    writer->ok = writer->ok && le_json_append_integer(&writer->out, integer);
}

/* With a point or an exponent, so that it is read as a real again, and with all its digits. */
static void put_real(struct writer *writer, double real)
{
    char text[40];
    locale_t before = uselocale(writer->c_locale);
    snprintf(text, sizeof text, "%.17g", real);
    uselocale(before);
    char *exponent = strchr(text, 'e');
    if (exponent == NULL) {
        put(writer, text);
        put(writer, strchr(text, '.') == NULL ? ".0" : "");
        return;
    }
    int power = atoi(exponent + 1); /* without a plus and zeros */
    *exponent = '\0';
    put(writer, text);
    put(writer, "e");
    put_integer(writer, power);
}

static void begin_line(struct writer *writer)
{
    put(writer, "\n");
    for (int i = 0; i < writer->level; i++)
        put(writer, "  ");
}

static void begin_member(struct writer *writer)
{
    if (!writer->fresh)
        put(writer, ",");
    writer->fresh = false;
    begin_line(writer);
}

static void open_bracket(struct writer *writer, const char *bracket)
{
    put(writer, bracket);
    writer->level++;
    writer->fresh = true;
}

static void close_bracket(struct writer *writer, const char *bracket)
{
    writer->level--;
    if (!writer->fresh)
        begin_line(writer);
    writer->fresh = false;
    put(writer, bracket);
}

static void put_key(struct writer *writer, const char *key)
{
    begin_member(writer);
    put_string(writer, key, strlen(key));
    put(writer, ": ");
}

static void put_text(struct writer *writer, const char *key, const char *text)
{
    put_key(writer, key);
    put_string(writer, text, strlen(text));
}

static void put_truth(struct writer *writer, const char *key, bool truth)
{
    put_key(writer, key);
    put(writer, truth ? "true" : "false");
}

/* Recurses as deep as a document may be, LE_JSON_MAX_DEPTH. */
static void put_value(struct writer *writer, const struct le_json_value *value)
{
    bool is_object = value->kind == LE_JSON_OBJECT;
    switch (value->kind) {
    case LE_JSON_STRING:
        put_string(writer, value->text, value->length);
        return;
    case LE_JSON_NUMBER:
        if (value->is_integer)
            put_integer(writer, value->integer);
        else
            put_real(writer, value->real);
        return;
    case LE_JSON_ARRAY:
    case LE_JSON_OBJECT:
        open_bracket(writer, is_object ? "{" : "[");
        for (const struct le_json_value *m = le_json_first(value); m != NULL; m = le_json_next(m)) {
            if (is_object)
                put_key(writer, m->key);
            else
                begin_member(writer);
            put_value(writer, m);
        }
        close_bracket(writer, is_object ? "}" : "]");
        return;
    default:
        put(writer, value->kind == LE_JSON_NULL   ? "null"
                    : value->kind == LE_JSON_TRUE ? "true"
                                                  : "false");
    }
}

/* --- the description ---------------------------------------------------------------------------- */

static void describe_runtime(struct writer *writer, const char *library)
{
    struct logexport_error error;
    struct le_ort *ort;
    open_bracket(writer, "{");
    if (le_ort_open(library, &ort, &error) != LOGEXPORT_OK) {
        put_text(writer, "error", error.text);
    } else {
        put_text(writer, "version", le_ort_version(ort));
        put_text(writer, "library", le_ort_library(ort));
        le_ort_close(ort);
    }
    close_bracket(writer, "}");
}

static void describe_libraries(struct writer *writer)
{
    char pcre2[64] = "";
    uint32_t jit = 0;
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    pcre2_config(PCRE2_CONFIG_JIT, &jit);
    open_bracket(writer, "{");
    put_text(writer, "pcre2", pcre2);
    put_truth(writer, "pcre2_jit", jit != 0);
    put_text(writer, "zlib", zlibVersion());
    close_bracket(writer, "}");
}

static void put_proof(struct writer *writer, const char *proof, int64_t warnings)
{
    put_text(writer, "proof", proof);
    put_key(writer, "warnings");
    if (warnings == LE_UNCOUNTED)
        put(writer, "null");
    else
        put_integer(writer, warnings);
}

/* What a model's rules say of sessions, and how many are held or when they end. */
static enum logexport_status describe_sessions(struct writer *writer,
                                               const struct le_bundle *bundle,
                                               const struct le_metadata *metadata,
                                               struct logexport_error *error)
{
    static const char *const keys[] = {"session", "max_sessions"};
    struct le_place place = {bundle->path, metadata->preprocess_file, ""};
    struct le_buffer bytes = {0};
    struct le_json_document rules = {NULL, NULL};
    enum logexport_status status =
        le_bundle_read(bundle, metadata->preprocess_file, LE_MAX_JSON_BYTES, &bytes, error);
    if (status == LOGEXPORT_OK)
        status = le_json_parse(bytes.data, bytes.length, place, &rules, error);
    for (size_t i = 0; i < 2 && status == LOGEXPORT_OK; i++) {
        const struct le_json_value *value = le_json_get(rules.object, keys[i]);
        if (value == NULL)
            continue;
        put_key(writer, keys[i]);
        put_value(writer, value);
    }
    le_json_free(&rules);
    le_buffer_free(&bytes);
    return status;
}

/* What the metadata and the rules say, and whether this engine can run it. */
static enum logexport_status describe_model(struct writer *writer, const struct le_bundle *bundle,
                                            const struct le_metadata *metadata,
                                            struct logexport_error *error)
{
    put_key(writer, metadata->model);
    open_bracket(writer, "{");
    put_proof(writer, metadata->proof, metadata->warnings);
    put_truth(writer, "task_known", le_task_is_known(&metadata->task));
    put_key(writer, "task");
    put_value(writer, le_json_get(metadata->document.object, "task"));
    put_key(writer, "vocab_size");
    put_integer(writer, metadata->vocab_size);
    put_key(writer, "variants");
    put_value(writer, metadata->variants);
    enum logexport_status status = describe_sessions(writer, bundle, metadata, error);
    close_bracket(writer, "}");
    return status;
}

static enum logexport_status describe_models(struct writer *writer, const struct le_bundle *bundle,
                                             struct logexport_error *error)
{
    put_key(writer, "models");
    open_bracket(writer, "{");
    const struct le_json_value *model = le_json_first(bundle->models);
    for (; model != NULL; model = le_json_next(model)) {
        struct le_metadata metadata;
        enum logexport_status status = le_metadata_load(&metadata, bundle, model->key, error);
        if (status != LOGEXPORT_OK)
            return status;
        status = describe_model(writer, bundle, &metadata, error);
        le_metadata_free(&metadata);
        if (status != LOGEXPORT_OK)
            return status;
    }
    close_bracket(writer, "}");
    return LOGEXPORT_OK;
}

static enum logexport_status describe_bundle(struct writer *writer, const char *path,
                                             const char *library, struct logexport_error *error)
{
    struct le_bundle bundle;
    enum logexport_status status = le_bundle_open(&bundle, path, true, error);
    if (status != LOGEXPORT_OK)
        return status;
    open_bracket(writer, "{");
    put_text(writer, "engine", logexport_version());
    put_text(writer, "bundle", bundle.path);
    put_proof(writer, bundle.proof, bundle.warnings);
    if ((status = le_bundle_verify(&bundle, error)) == LOGEXPORT_OK)
        status = describe_models(writer, &bundle, error);
    le_bundle_close(&bundle);
    if (status != LOGEXPORT_OK)
        return status;
    put_key(writer, "runtime");
    describe_runtime(writer, library);
    put_key(writer, "libraries");
    describe_libraries(writer);
    close_bracket(writer, "}");
    put(writer, "\n");
    return writer->ok ? LOGEXPORT_OK : le_out_of_memory(error);
}

int command_info(int argc, char **argv)
{
    static const struct option long_options[] = {{"ort-lib", required_argument, NULL, 'l'},
                                                 {NULL, 0, NULL, 0}};
    const char *library = NULL;
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option != 'l')
            return EXIT_BAD;
        library = optarg;
    }
    if (argc - optind != 1)
        return complain("info takes one bundle; see --help.");
    struct logexport_error error;
    struct writer writer = {.c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0)};
    writer.ok = writer.c_locale != (locale_t)0;
    enum logexport_status status = describe_bundle(&writer, argv[optind], library, &error);
    int exit_status = EXIT_DONE;
    if (status != LOGEXPORT_OK)
        exit_status = complain("%s", error.text);
    else if (fwrite(writer.out.data, 1, writer.out.length, stdout) != writer.out.length ||
             fflush(stdout) != 0)
        exit_status = complain("The description cannot be written.");
    if (writer.c_locale != (locale_t)0)
        freelocale(writer.c_locale);
    le_buffer_free(&writer.out);
    return exit_status;
}
