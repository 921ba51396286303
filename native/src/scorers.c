#include "scorers.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum {
    MOST = 64,              /* windows: an LSTM gains nothing above 32 */
    BATCH_BYTES = 16 << 20, /* of input; large rows of counts go in smaller batches */
    MOST_WINDOW = 512 << 20 /* bytes: a window that is larger is a mistake, or an attack */
};

static enum logexport_status refuse_graph(const struct le_metadata *metadata, const char *name,
                                          const char *what, struct logexport_error *error)
{
    return le_fail(error, LOGEXPORT_BUNDLE, "The graph of %s does not fit its task: \"%.100s\" %s.",
                   metadata->model, name, what);
}

static bool dimension_fits(int64_t declared, int64_t wanted)
{
    return declared == wanted || declared < 0;
}

static enum logexport_status check_input(const struct le_model *model,
                                         const struct le_metadata *metadata,
                                         struct logexport_error *error)
{
    const struct le_value_info *input;
    if (le_model_inputs(model, &input) != 1)
        return le_fail(
            error, LOGEXPORT_BUNDLE,
            "The graph of %s does not fit its task: it has more than one input, or none.",
            metadata->model);
    const struct le_task *task = &metadata->task;
    if (task->input == LE_EVENT_WINDOW) {
        if (input->type != LE_ORT_INT64 || input->dimension_count != 2)
            return refuse_graph(metadata, input->name, "is not int64 with two axes", error);
        if (!dimension_fits(input->dimensions[1], task->length))
            return refuse_graph(metadata, input->name, "has another length than the window", error);
    } else if (task->input == LE_SESSION_COUNTS) {
        if (input->type != LE_ORT_FLOAT || input->dimension_count != 2)
            return refuse_graph(metadata, input->name, "is not float32 with two axes", error);
        if (!dimension_fits(input->dimensions[1], le_metadata_features(metadata)))
            return refuse_graph(metadata, input->name,
                                "has another size than the vocabulary and a column for unseen "
                                "lines",
                                error);
    } else {
        if (input->type != LE_ORT_FLOAT || input->dimension_count != 4)
            return refuse_graph(metadata, input->name, "is not float32 with four axes", error);
        if (!dimension_fits(input->dimensions[1], 1) ||
            !dimension_fits(input->dimensions[2], task->steps) ||
            !dimension_fits(input->dimensions[3], metadata->vocab_size))
            return refuse_graph(metadata, input->name, "has other sizes than the task's samples",
                                error);
    }
    return LOGEXPORT_OK;
}

static enum logexport_status check_output(const struct le_model *model,
                                          const struct le_metadata *metadata, const char *name,
                                          bool rows, struct logexport_error *error)
{
    const struct le_value_info *outputs;
    size_t count = le_model_outputs(model, &outputs);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(outputs[i].name, name) != 0)
            continue;
        if (outputs[i].type != LE_ORT_FLOAT || outputs[i].dimension_count != (rows ? 2u : 1u))
            return refuse_graph(
                metadata, name,
                rows ? "is not float32 with two axes" : "is not float32 with one axis", error);
        if (rows && !dimension_fits(outputs[i].dimensions[1], le_metadata_features(metadata)))
            return refuse_graph(metadata, name, "has another size than the vocabulary", error);
        return LOGEXPORT_OK;
    }
    return refuse_graph(metadata, name, "is none of its outputs", error);
}

enum logexport_status le_scorer_init(struct le_scorer *scorer, const struct le_model *model,
                                     const struct le_metadata *metadata, double threshold,
                                     struct logexport_error *error)
{
    const struct le_task *task = &metadata->task;
    *scorer = (struct le_scorer){.model = model,
                                 .task = task,
                                 .features = (int32_t)le_metadata_features(metadata),
                                 .threshold = threshold};
    enum logexport_status status;
    bool ranks = task->decision == LE_NEXT_EVENT_TOPK;
    if ((status = check_input(model, metadata, error)) ||
        (status = check_output(model, metadata, task->output, ranks, error)))
        return status;
    scorer->names[scorer->name_count++] = task->output;
    if (!ranks && task->attribution != NULL) {
        if ((status = check_output(model, metadata, task->attribution, true, error)))
            return status;
        scorer->names[scorer->name_count++] = task->attribution;
    }

    uint64_t items = task->input == LE_EVENT_WINDOW ? (uint64_t)task->length
                     : task->input == LE_SESSION_COUNTS
                         ? (uint64_t)scorer->features
                         : (uint64_t)task->steps * (uint64_t)scorer->features;
    if (items > MOST_WINDOW / sizeof(float))
        return le_fail(error, LOGEXPORT_BUNDLE,
                       "A window of %s would have %llu values, more than this engine takes.",
                       metadata->model, (unsigned long long)items);
    /* Events are remembered as int32 and shown as int64; counts are float32 in both places. */
    scorer->key_size = (size_t)items * 4;
    scorer->input_size =
        (size_t)items * (task->input == LE_EVENT_WINDOW ? sizeof(int64_t) : sizeof(float));
    scorer->most = BATCH_BYTES / scorer->input_size;
    if (scorer->most > MOST)
        scorer->most = MOST;
    if (scorer->most < 2)
        scorer->most = 2; /* see le_scorer_run() */
    return LOGEXPORT_OK;
}

static void fill_input(const struct le_scorer *scorer, struct le_entry **entries, size_t count,
                       void *input)
{
    if (scorer->task->input != LE_EVENT_WINDOW) {
        for (size_t i = 0; i < count; i++)
            memcpy((char *)input + i * scorer->input_size, entries[i]->key, scorer->input_size);
        return;
    }
    int64_t *out = input;
    size_t length = (size_t)scorer->task->length;
    for (size_t i = 0; i < count; i++) {
        const int32_t *events = (const int32_t *)(const void *)entries[i]->key;
        for (size_t j = 0; j < length; j++)
            *out++ = events[j];
    }
}

static int32_t rank_of(const float *logits, int32_t size, int32_t event)
{
    float actual = logits[event];
    int32_t greater = 0, wild = 0;
    for (int32_t i = 0; i < size; i++) {
        greater += logits[i] > actual;
        wild += !(fabsf(logits[i]) <= FLT_MAX); /* infinite or not a number */
    }
    return wild > 0 ? -1 : greater;
}

/* The largest shares; of equal ones the lower index first. The sum goes from the first value to the
 * last, in double: another order would round otherwise. */
static void find_top(const float *attribution, int32_t size, struct le_outcome *outcome)
{
    double sum = 0;
    for (int32_t i = 0; i < size; i++)
        sum += (double)attribution[i];
    outcome->top_count = 0;
    if (!isfinite(sum) || !(sum > 0))
        return;
    for (int32_t i = 0; i < size; i++) {
        double share = (double)attribution[i] / sum;
        int32_t at = outcome->top_count;
        if (at == LE_TOP && !(share > outcome->share[LE_TOP - 1]))
            continue;
        if (at == LE_TOP)
            at--;
        else
            outcome->top_count++;
        for (; at > 0 && share > outcome->share[at - 1]; at--) {
            outcome->share[at] = outcome->share[at - 1];
            outcome->top[at] = outcome->top[at - 1];
        }
        outcome->share[at] = share;
        outcome->top[at] = i;
    }
}

static enum logexport_status check_shape(const struct le_scorer *scorer,
                                         const struct le_tensor *tensor, const char *name,
                                         bool rows, size_t count, struct logexport_error *error)
{
    bool fits = tensor->type == LE_ORT_FLOAT && tensor->dimension_count == (rows ? 2u : 1u) &&
                tensor->dimensions[0] == (int64_t)count &&
                (!rows || tensor->dimensions[1] == scorer->features);
    if (fits)
        return LOGEXPORT_OK;
    return le_fail(error, LOGEXPORT_BUNDLE,
                   "The graph's output \"%.100s\" has another shape than the task and the "
                   "vocabulary need.",
                   name);
}

enum logexport_status le_scorer_run(const struct le_scorer *scorer, struct le_entry **entries,
                                    size_t count, void *input, struct logexport_error *error)
{
    const struct le_task *task = scorer->task;
    bool ranks = task->decision == LE_NEXT_EVENT_TOPK;
    struct le_tensor outputs[2];
    fill_input(scorer, entries, count, input);
    /* Never one window alone: ONNX Runtime may sum in another order then, and the last digit would
     * depend on when lines arrived. The window is shown twice, and the second row is not read. */
    size_t rows = count == 1 ? 2 : count;
    if (count == 1)
        memcpy((char *)input + scorer->input_size, input, scorer->input_size);
    struct le_tensor given = {.data = input, .size = rows * scorer->input_size};
    given.dimensions[0] = (int64_t)rows;
    if (task->input == LE_EVENT_WINDOW) {
        given.type = LE_ORT_INT64;
        given.dimension_count = 2;
        given.dimensions[1] = task->length;
    } else if (task->input == LE_SESSION_COUNTS) {
        given.type = LE_ORT_FLOAT;
        given.dimension_count = 2;
        given.dimensions[1] = scorer->features;
    } else {
        given.type = LE_ORT_FLOAT;
        given.dimension_count = 4;
        given.dimensions[1] = 1;
        given.dimensions[2] = task->steps;
        given.dimensions[3] = scorer->features;
    }
    enum logexport_status status =
        le_model_run(scorer->model, &given, scorer->names, outputs, scorer->name_count, error);
    if (status != LOGEXPORT_OK)
        return status;
    for (size_t i = 0; i < scorer->name_count && status == LOGEXPORT_OK; i++)
        status = check_shape(scorer, &outputs[i], scorer->names[i], ranks || i == 1, rows, error);

    size_t row = (size_t)scorer->features;
    for (size_t i = 0; i < count && status == LOGEXPORT_OK; i++) {
        struct le_outcome *outcome = &entries[i]->outcome;
        const float *first = outputs[0].data;
        if (ranks) {
            outcome->rank = rank_of(first + i * row, scorer->features, entries[i]->event);
        } else {
            outcome->score = first[i];
            bool normal = isfinite(first[i]) && (double)first[i] <= scorer->threshold;
            if (!normal && scorer->name_count == 2)
                find_top((const float *)outputs[1].data + i * row, scorer->features, outcome);
        }
        atomic_store_explicit(&entries[i]->scored, 1, memory_order_release);
    }
    for (size_t i = 0; i < scorer->name_count; i++)
        le_tensor_release(scorer->model, &outputs[i]);
    return status;
}
