#include "meta.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LENGTH = 65536, MAX_STEPS = 65536, MAX_LINES = 16777216, MAX_VOCAB = 999999999 };

bool le_task_is_known(const struct le_task *task)
{
    return task->input != LE_INPUT_UNKNOWN && task->decision != LE_DECISION_UNKNOWN;
}

static enum logexport_status read_input(struct le_task *task, const json_t *object,
                                        struct le_place place, struct logexport_error *error)
{
    enum logexport_status status = le_json_name(object, "input", place, &task->input_kind, error);
    if (status != LOGEXPORT_OK)
        return status;
    if (strcmp(task->input_kind, "event_window") == 0) {
        task->input = LE_EVENT_WINDOW;
        return le_json_integer(object, "length", 1, MAX_LENGTH, place, &task->length, error);
    }
    if (strcmp(task->input_kind, "count_matrix") == 0) {
        task->input = LE_COUNT_MATRIX;
        if ((status = le_json_integer(object, "lines", 1, MAX_LINES, place, &task->lines, error)) ||
            (status = le_json_integer(object, "stride", 1, MAX_LINES, place, &task->stride, error)))
            return status;
        return le_json_integer(object, "steps", 1, MAX_STEPS, place, &task->steps, error);
    }
    task->input = LE_INPUT_UNKNOWN;
    return LOGEXPORT_OK;
}

static enum logexport_status read_decision(struct le_task *task, const json_t *object,
                                           struct le_place place, struct logexport_error *error)
{
    enum logexport_status status =
        le_json_name(object, "decision", place, &task->decision_kind, error);
    if (status != LOGEXPORT_OK)
        return status;
    if (strcmp(task->decision_kind, "next_event_topk") == 0) {
        task->decision = LE_NEXT_EVENT_TOPK;
        if ((status = le_json_name(object, "output", place, &task->output, error)))
            return status;
        return le_json_integer(object, "top_k", 1, INT64_MAX, place, &task->top_k, error);
    }
    if (strcmp(task->decision_kind, "score_threshold") == 0) {
        task->decision = LE_SCORE_THRESHOLD;
        if ((status = le_json_name(object, "output", place, &task->output, error)) ||
            (status = le_json_real(object, "threshold", place, &task->threshold, error)) ||
            (status = le_json_object(object, "thresholds", place, &task->thresholds, error)))
            return status;
        for (void *i = json_object_iter(task->thresholds); i;
             i = json_object_iter_next(task->thresholds, i))
            if (!json_is_number(json_object_iter_value(i)))
                return le_json_malformed(error, place, "the threshold \"%.100s\" is not a number",
                                         json_object_iter_key(i));
        if (json_object_get(object, "attribution") != NULL)
            return le_json_name(object, "attribution", place, &task->attribution, error);
        return LOGEXPORT_OK;
    }
    task->decision = LE_DECISION_UNKNOWN;
    return LOGEXPORT_OK;
}

/* A shared file: {"file", "sha256", …}, which must be the file that the manifest lists. */
static enum logexport_status read_reference(const struct le_meta *meta, const char *key,
                                            const struct le_bundle *bundle, struct le_place place,
                                            const char **file, json_t **reference,
                                            struct logexport_error *error)
{
    const char *sum;
    size_t length;
    enum logexport_status status;
    if ((status = le_json_object(meta->document, key, place, reference, error)))
        return status;
    place.inside = key;
    if ((status = le_json_file_name(*reference, "file", place, file, error)) ||
        (status = le_json_string(*reference, "sha256", place, &sum, &length, error)))
        return status;
    const char *listed = le_bundle_sum(bundle, *file);
    if (listed == NULL || strcmp(listed, sum) != 0)
        return le_json_malformed(
            error, place, "it refers to %s by a sha256 that manifest.json does not have", *file);
    return LOGEXPORT_OK;
}

static enum logexport_status read_meta(struct le_meta *meta, const struct le_bundle *bundle,
                                       struct le_place place, struct logexport_error *error)
{
    const json_t *document = meta->document;
    const char *model_type;
    int64_t version;
    json_t *task, *reference;
    enum logexport_status status;
    if ((status = le_json_integer(document, "schema_version", 1, 1, place, &version, error)) ||
        (status = le_json_name(document, "model_type", place, &model_type, error)))
        return status;
    if (strcmp(model_type, meta->model) != 0)
        return le_json_malformed(error, place, "\"model_type\" is \"%.64s\", not \"%s\"",
                                 model_type, meta->model);
    if ((status = le_json_integer(document, "vocab_size", 1, MAX_VOCAB, place, &meta->vocab_size,
                                  error)) ||
        (status = le_json_object(document, "task", place, &task, error)))
        return status;

    struct le_place inside = place;
    inside.inside = "task";
    if ((status = read_input(&meta->task, task, inside, error)) ||
        (status = read_decision(&meta->task, task, inside, error)))
        return status;

    if ((status = read_reference(meta, "preprocess", bundle, place, &meta->preprocess_file,
                                 &reference, error)) ||
        (status =
             read_reference(meta, "vocab", bundle, place, &meta->vocab_file, &reference, error)))
        return status;
    inside.inside = "vocab";
    if ((status = le_json_object(reference, "reserved", inside, &meta->reserved, error)) ||
        (status = le_json_object(document, "variants", place, &meta->variants, error)))
        return status;
    inside.inside = "variants";
    for (void *i = json_object_iter(meta->variants); i;
         i = json_object_iter_next(meta->variants, i)) {
        const char *file;
        status = le_json_file_name(meta->variants, json_object_iter_key(i), inside, &file, error);
        if (status != LOGEXPORT_OK)
            return status;
        if (le_bundle_sum(bundle, file) == NULL)
            return le_json_malformed(error, inside, "manifest.json does not list %s", file);
    }
    return LOGEXPORT_OK;
}

enum logexport_status le_meta_load(struct le_meta *meta, const struct le_bundle *bundle,
                                   const char *model, struct logexport_error *error)
{
    *meta = (struct le_meta){.model = model};
    struct le_buffer bytes = {0};
    snprintf(meta->graph_file, sizeof meta->graph_file, "%s.onnx", model);
    snprintf(meta->file, sizeof meta->file, "%s.onnx.meta.json", model);
    struct le_place place = {bundle->path, meta->file, ""};
    const json_t *entry = json_object_get(bundle->models, model);
    meta->proof = json_string_value(json_object_get(entry, "proof"));
    const char *named = json_string_value(json_object_get(entry, "metadata"));
    enum logexport_status status =
        le_bundle_read(bundle, meta->file, LE_MAX_JSON_BYTES, &bytes, error);
    if (status == LOGEXPORT_OK && (named == NULL || strcmp(named, meta->file) != 0))
        status =
            le_json_malformed(error, (struct le_place){bundle->path, "manifest.json", "models"},
                              "the metadata of %s must be %s", model, meta->file);
    if (status == LOGEXPORT_OK)
        status = le_json_parse(bytes.data, bytes.length, place, &meta->document, error);
    if (status == LOGEXPORT_OK)
        status = read_meta(meta, bundle, place, error);
    le_buffer_free(&bytes);
    if (status != LOGEXPORT_OK)
        le_meta_free(meta);
    return status;
}

void le_meta_free(struct le_meta *meta)
{
    json_decref(meta->document);
    meta->document = NULL;
}

enum logexport_status le_meta_graph(const struct le_meta *meta, const struct le_bundle *bundle,
                                    const char *variant, const char **file,
                                    struct logexport_error *error)
{
    *file = meta->graph_file;
    if (variant == NULL)
        return LOGEXPORT_OK;
    *file = json_string_value(json_object_get(meta->variants, variant));
    if (*file == NULL)
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s has no variant \"%.64s\" of %s.",
                       bundle->path, variant, meta->model);
    return LOGEXPORT_OK;
}
