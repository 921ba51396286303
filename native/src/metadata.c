#include "metadata.h"

#include <stdio.h>
#include <string.h>

enum { MAX_LENGTH = 65536, MAX_STEPS = 65536, MAX_LINES = 16777216, MAX_VOCAB = 999999999 };

bool le_task_is_known(const struct le_task *task)
{
    return task->input != LE_INPUT_UNKNOWN && task->decision != LE_DECISION_UNKNOWN &&
           (task->input != LE_SESSION_COUNTS || task->decision == LE_SCORE_THRESHOLD);
}

bool le_task_needs_sessions(const struct le_task *task)
{
    return task->input == LE_SESSION_COUNTS || task->start >= 0 || task->end >= 0;
}

int64_t le_metadata_features(const struct le_metadata *metadata)
{
    /* The last column of session_counts is that of unseen lines. */
    return metadata->vocab_size + (metadata->task.input == LE_SESSION_COUNTS);
}

/* An index that the input may have; what it must be is seen where the vocabulary is known. */
static enum logexport_status read_boundary(const struct le_json_value *object, const char *key,
                                           struct le_place place, int64_t *index,
                                           struct logexport_error *error)
{
    return le_json_get(object, key) == NULL
               ? LOGEXPORT_OK
               : le_json_integer(object, key, 0, MAX_VOCAB - 1, place, index, error);
}

static enum logexport_status read_input(struct le_task *task, const struct le_json_value *object,
                                        struct le_place place, struct logexport_error *error)
{
    enum logexport_status status = le_json_name(object, "input", place, &task->input_kind, error);
    task->start = task->end = -1;
    if (status != LOGEXPORT_OK)
        return status;
    if (strcmp(task->input_kind, "event_window") == 0) {
        task->input = LE_EVENT_WINDOW;
        if ((status = read_boundary(object, "start", place, &task->start, error)) ||
            (status = read_boundary(object, "end", place, &task->end, error)))
            return status;
        return le_json_integer(object, "length", 1, MAX_LENGTH, place, &task->length, error);
    }
    if (strcmp(task->input_kind, "session_counts") == 0) {
        task->input = LE_SESSION_COUNTS;
        return LOGEXPORT_OK;
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

static enum logexport_status read_decision(struct le_task *task, const struct le_json_value *object,
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
        const struct le_json_value *each = le_json_first(task->thresholds);
        for (; each != NULL; each = le_json_next(each))
            if (!le_json_is(each, LE_JSON_NUMBER))
                return le_json_malformed(error, place, "the threshold \"%.100s\" is not a number",
                                         each->key);
        if (le_json_get(object, "attribution") != NULL)
            return le_json_name(object, "attribution", place, &task->attribution, error);
        return LOGEXPORT_OK;
    }
    task->decision = LE_DECISION_UNKNOWN;
    return LOGEXPORT_OK;
}

/* A shared file: {"file", "sha256", …}, which must be the file that the manifest lists. */
static enum logexport_status read_reference(const struct le_metadata *metadata, const char *key,
                                            const struct le_bundle *bundle, struct le_place place,
                                            const char **file,
                                            const struct le_json_value **reference,
                                            struct logexport_error *error)
{
    const char *sum;
    size_t length;
    enum logexport_status status;
    if ((status = le_json_object(metadata->document.object, key, place, reference, error)))
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

static enum logexport_status read_meta(struct le_metadata *metadata, const struct le_bundle *bundle,
                                       struct le_place place, struct logexport_error *error)
{
    const struct le_json_value *document = metadata->document.object;
    const char *model_type;
    int64_t version;
    const struct le_json_value *task, *reference;
    enum logexport_status status;
    if ((status = le_json_integer(document, "schema_version", 1, 1, place, &version, error)) ||
        (status = le_json_name(document, "model_type", place, &model_type, error)))
        return status;
    if (strcmp(model_type, metadata->model) != 0)
        return le_json_malformed(error, place, "\"model_type\" is \"%.64s\", not \"%s\"",
                                 model_type, metadata->model);
    if ((status = le_json_integer(document, "vocab_size", 1, MAX_VOCAB, place,
                                  &metadata->vocab_size, error)) ||
        (status = le_json_object(document, "task", place, &task, error)))
        return status;

    struct le_place inside = place;
    inside.inside = "task";
    if ((status = read_input(&metadata->task, task, inside, error)) ||
        (status = read_decision(&metadata->task, task, inside, error)))
        return status;

    if ((status = read_reference(metadata, "preprocess", bundle, place, &metadata->preprocess_file,
                                 &reference, error)) ||
        (status = read_reference(metadata, "vocab", bundle, place, &metadata->vocab_file,
                                 &reference, error)))
        return status;
    inside.inside = "vocab";
    if ((status = le_json_object(reference, "reserved", inside, &metadata->reserved, error)) ||
        (status = le_json_object(document, "variants", place, &metadata->variants, error)))
        return status;
    inside.inside = "variants";
    const struct le_json_value *variant = le_json_first(metadata->variants);
    for (; variant != NULL; variant = le_json_next(variant)) {
        const char *file;
        if ((status = le_json_as_file_name(variant, inside, &file, error)))
            return status;
        if (le_bundle_sum(bundle, file) == NULL)
            return le_json_malformed(error, inside, "manifest.json does not list %s", file);
    }
    return LOGEXPORT_OK;
}

enum logexport_status le_metadata_load(struct le_metadata *metadata, const struct le_bundle *bundle,
                                       const char *model, struct logexport_error *error)
{
    *metadata = (struct le_metadata){.model = model};
    struct le_buffer bytes = {0};
    snprintf(metadata->graph_file, sizeof metadata->graph_file, "%s.onnx", model);
    snprintf(metadata->file, sizeof metadata->file, "%s.onnx.meta.json", model);
    struct le_place place = {bundle->path, metadata->file, ""};
    const struct le_json_value *entry = le_json_get(bundle->models, model);
    metadata->proof = le_json_text(le_json_get(entry, "proof"));
    metadata->warnings = le_bundle_warnings(bundle, model);
    const char *named = le_json_text(le_json_get(entry, "metadata"));
    enum logexport_status status =
        le_bundle_read(bundle, metadata->file, LE_MAX_JSON_BYTES, &bytes, error);
    if (status == LOGEXPORT_OK && (named == NULL || strcmp(named, metadata->file) != 0))
        status =
            le_json_malformed(error, (struct le_place){bundle->path, "manifest.json", "models"},
                              "the metadata of %s must be %s", model, metadata->file);
    if (status == LOGEXPORT_OK)
        status = le_json_parse(bytes.data, bytes.length, place, &metadata->document, error);
    if (status == LOGEXPORT_OK)
        status = read_meta(metadata, bundle, place, error);
    le_buffer_free(&bytes);
    if (status != LOGEXPORT_OK)
        le_metadata_free(metadata);
    return status;
}

void le_metadata_free(struct le_metadata *metadata)
{
    le_json_free(&metadata->document);
}

enum logexport_status le_metadata_graph(const struct le_metadata *metadata,
                                        const struct le_bundle *bundle, const char *variant,
                                        const char **file, struct logexport_error *error)
{
    *file = metadata->graph_file;
    if (variant == NULL)
        return LOGEXPORT_OK;
    *file = le_json_text(le_json_get(metadata->variants, variant));
    if (*file == NULL)
        return le_fail(error, LOGEXPORT_BUNDLE, "%.300s has no variant \"%.64s\" of %s.",
                       bundle->path, variant, metadata->model);
    return LOGEXPORT_OK;
}
