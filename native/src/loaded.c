#include "loaded.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "onnx_model.h"

static enum logexport_status refuse_option(struct logexport_error *error, const char *option,
                                           const char *why)
{
    return le_fail(error, LOGEXPORT_USAGE, "The option %s does not apply: the model's %s.", option,
                   why);
}

static enum logexport_status require_proof(const struct le_loaded *loaded, bool allow_warnings,
                                           struct logexport_error *error)
{
    const struct le_metadata *metadata = &loaded->metadata;
    if (strcmp(metadata->proof, "full") != 0)
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "%.300s is not fully proven: the proof of %s is \"%s\", not \"full\".",
                       loaded->bundle.path, metadata->model, metadata->proof);
    char text[LE_PROOF_TEXT];
    le_bundle_proof_text(metadata->proof, metadata->warnings, text);
    if (metadata->warnings > 0 && !allow_warnings)
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "%.300s is not fully proven: %s has proof %s, which --allow-warnings takes.",
                       loaded->bundle.path, metadata->model, text);
    return LOGEXPORT_OK;
}

enum logexport_status le_load_metadata(struct le_loaded *loaded, const char *path,
                                       const struct logexport_options *options,
                                       struct logexport_error *error)
{
    const char *model;
    enum logexport_status status;
    if ((status = le_bundle_open(&loaded->bundle, path, !options->no_verify, error)) ||
        (!options->no_verify && (status = le_bundle_verify(&loaded->bundle, error))) ||
        (status = le_bundle_choose(&loaded->bundle, options->model, &model, error)) ||
        (status = le_metadata_load(&loaded->metadata, &loaded->bundle, model, error)))
        return status;
    if (options->require_proof)
        return require_proof(loaded, options->allow_warnings, error);
    return LOGEXPORT_OK;
}

static enum logexport_status check_options(const struct le_loaded *loaded,
                                           const struct logexport_options *options,
                                           struct logexport_error *error)
{
    const struct le_task *task = &loaded->metadata.task;
    if (!le_task_is_known(task))
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "The task of %s, \"%.60s\" with \"%.60s\", is not known to this engine.",
                       loaded->metadata.model, task->input_kind, task->decision_kind);
    if (task->input == LE_COUNT_MATRIX && options->session_by != NULL)
        return refuse_option(error, "--session-by", "input is count_matrix, over the whole log");
    if (task->input == LE_COUNT_MATRIX && options->session_summary)
        return refuse_option(error, "--session-summary",
                             "input is count_matrix, over the whole log");
    bool threshold = options->set_threshold || options->threshold_name != NULL;
    if (task->decision == LE_NEXT_EVENT_TOPK && threshold)
        return refuse_option(error, "--threshold", "decision is next_event_topk");
    if (task->decision == LE_SCORE_THRESHOLD && options->top_k != 0)
        return refuse_option(error, "--top-k", "decision is score_threshold");
    return LOGEXPORT_OK;
}

static enum logexport_status apply_options(struct le_loaded *loaded,
                                           const struct logexport_options *options,
                                           struct logexport_error *error)
{
    const struct le_task *task = &loaded->metadata.task;
    int64_t size = loaded->metadata.vocab_size;
    if (task->decision == LE_NEXT_EVENT_TOPK) {
        bool given = options->top_k != 0;
        loaded->top_k = given ? options->top_k : task->top_k;
        if (loaded->top_k < 1 || loaded->top_k >= size)
            return le_fail(error, given ? LOGEXPORT_USAGE : LOGEXPORT_BUNDLE,
                           "Top k is %lld, but the vocabulary has %lld entries: it must be at "
                           "least 1 and below that.",
                           (long long)loaded->top_k, (long long)size);
        return LOGEXPORT_OK;
    }
    const struct le_json_value *named =
        options->threshold_name == NULL ? NULL
                                        : le_json_get(task->thresholds, options->threshold_name);
    if (named == NULL && options->threshold_name != NULL && !options->set_threshold)
        return le_fail(error, LOGEXPORT_USAGE,
                       "The threshold \"%.100s\" is neither a finite number nor one that the "
                       "metadata of %s names.",
                       options->threshold_name, loaded->metadata.model);
    loaded->threshold = named != NULL            ? le_json_number(named)
                        : options->set_threshold ? options->threshold
                                                 : task->threshold;
    if (!isfinite(loaded->threshold))
        return le_fail(error, LOGEXPORT_USAGE, "The threshold is not a finite number.");
    return LOGEXPORT_OK;
}

static enum logexport_status apply_encoding(struct le_preprocess *rules, const char *encoding,
                                            struct logexport_error *error)
{
    if (encoding == NULL)
        return LOGEXPORT_OK;
    if (rules->encoding == LE_BYTES)
        return le_fail(error, LOGEXPORT_USAGE,
                       "The option encoding does not apply: the rules are of version 1 and read "
                       "UTF-8.");
    rules->encoding = le_encoding_of(encoding);
    if (rules->encoding == LE_BYTES)
        return le_fail(error, LOGEXPORT_USAGE,
                       "The encoding \"%.100s\" is not utf-8, utf-16le or utf-16be.", encoding);
    return LOGEXPORT_OK;
}

enum logexport_status le_load_event_reader(struct le_loaded *loaded,
                                           const struct logexport_options *options,
                                           struct logexport_error *error)
{
    enum logexport_status status;
    if ((status = check_options(loaded, options, error)) ||
        (status = apply_options(loaded, options, error)) ||
        (status = le_vocab_load(&loaded->vocab, &loaded->bundle, &loaded->metadata, error)) ||
        (status = le_preprocess_load(&loaded->rules, &loaded->bundle, &loaded->metadata,
                                     options->session_by, !options->no_jit, false, error)))
        return status;
    if ((status = apply_encoding(&loaded->rules, options->encoding, error)))
        return status;
    loaded->matcher = le_matcher_new(&loaded->vocab, loaded->rules.matching);
    if (loaded->matcher == NULL)
        return le_out_of_memory(error);
    loaded->reader = (struct le_event_reader){&loaded->rules, loaded->matcher};
    return LOGEXPORT_OK;
}

enum logexport_status le_load_model(struct le_loaded *loaded,
                                    const struct logexport_options *options,
                                    struct logexport_error *error)
{
    const char *file;
    char path[500];
    struct le_buffer bytes = {0};
    enum logexport_status status;
    if ((status = le_metadata_graph(&loaded->metadata, &loaded->bundle, options->variant, &file,
                                    error)) ||
        (status = le_ort_open(options->ort_library, &loaded->ort, error)))
        return status;
    snprintf(path, sizeof path, "%.300s/%.150s", loaded->bundle.path, file);
    status = le_bundle_read(&loaded->bundle, file, LE_MAX_FILE_BYTES, &bytes, error);
    if (status == LOGEXPORT_OK)
        status = le_onnx_model_check(bytes.data, bytes.length, path, error);
    if (status == LOGEXPORT_OK)
        status = le_model_load(loaded->ort, bytes.data, bytes.length, path, &loaded->model, error);
    le_buffer_free(&bytes);
    return status;
}

enum logexport_status le_load(struct le_loaded *loaded, const char *path,
                              const struct logexport_options *options,
                              struct logexport_error *error)
{
    enum logexport_status status;
    *loaded = (struct le_loaded){.bundle.fd = -1};
    if ((status = le_load_metadata(loaded, path, options, error)) ||
        (status = le_load_event_reader(loaded, options, error)) ||
        (status = le_load_model(loaded, options, error)) ||
        (status = le_scorer_init(&loaded->scorer, loaded->model, &loaded->metadata,
                                 loaded->threshold, error)))
        le_loaded_free(loaded);
    return status;
}

void le_loaded_free(struct le_loaded *loaded)
{
    le_model_free(loaded->model);
    le_ort_close(loaded->ort);
    le_matcher_free(loaded->matcher);
    le_preprocess_free(&loaded->rules);
    le_vocab_free(&loaded->vocab);
    le_metadata_free(&loaded->metadata);
    le_bundle_close(&loaded->bundle);
    *loaded = (struct le_loaded){.bundle.fd = -1};
}
