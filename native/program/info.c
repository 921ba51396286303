/* logexport-engine info: what a bundle is, and what would run it. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "commands.h"
#include "common.h"
#include "loaded.h"

static json_t *describe_runtime(const char *library)
{
    struct logexport_error error;
    struct le_ort *ort;
    if (le_ort_open(library, &ort, &error) != LOGEXPORT_OK)
        return json_pack("{s:s}", "error", error.text);
    json_t *runtime =
        json_pack("{s:s, s:s}", "version", le_ort_version(ort), "library", le_ort_library(ort));
    le_ort_close(ort);
    return runtime;
}

static json_t *describe_libraries(void)
{
    char pcre2[64] = "";
    uint32_t jit = 0;
    pcre2_config(PCRE2_CONFIG_VERSION, pcre2);
    pcre2_config(PCRE2_CONFIG_JIT, &jit);
    return json_pack("{s:s, s:b, s:s, s:s}", "pcre2", pcre2, "pcre2_jit", (int)jit, "jansson",
                     JANSSON_VERSION, "zlib", zlibVersion());
}

/* What the metadata says, and whether this engine can run it. */
static json_t *describe_model(const struct le_metadata *metadata)
{
    return json_pack("{s:s, s:b, s:O, s:I, s:O}", "proof", metadata->proof, "task_known",
                     (int)le_task_is_known(&metadata->task), "task",
                     json_object_get(metadata->document, "task"), "vocab_size",
                     (json_int_t)metadata->vocab_size, "variants", metadata->variants);
}

static enum logexport_status describe_bundle(const char *path, const char *library, json_t **out,
                                             struct logexport_error *error)
{
    struct le_bundle bundle;
    enum logexport_status status = le_bundle_open(&bundle, path, true, error);
    if (status != LOGEXPORT_OK)
        return status;
    status = le_bundle_verify(&bundle, error);
    json_t *models = json_object();
    for (void *i = json_object_iter(bundle.models); i && status == LOGEXPORT_OK;
         i = json_object_iter_next(bundle.models, i)) {
        struct le_metadata metadata;
        status = le_metadata_load(&metadata, &bundle, json_object_iter_key(i), error);
        if (status != LOGEXPORT_OK)
            break;
        json_object_set_new(models, metadata.model, describe_model(&metadata));
        le_metadata_free(&metadata);
    }
    *out = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "engine", logexport_version(), "bundle",
                     bundle.path, "proof", bundle.proof, "models", models, "runtime",
                     describe_runtime(library), "libraries", describe_libraries());
    if (status == LOGEXPORT_OK && *out == NULL)
        status = le_out_of_memory(error);
    le_bundle_close(&bundle);
    return status;
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
    json_t *document = NULL;
    enum logexport_status status = describe_bundle(argv[optind], library, &document, &error);
    int exit_status = EXIT_DONE;
    if (status != LOGEXPORT_OK)
        exit_status = complain("%s", error.text);
    else if (json_dumpf(document, stdout, JSON_INDENT(2)) != 0 || putchar('\n') == EOF ||
             fflush(stdout) != 0)
        exit_status = complain("The description cannot be written.");
    json_decref(document);
    return exit_status;
}
