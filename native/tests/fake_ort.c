/* A stand-in for ONNX Runtime's shared library, so that the engine's own memory and threads can be
 * tested without the runtime's. Its "graphs" are a field of text: "events 5", "counts 5" or "sessions 5", the
 * size of the vocabulary, and then perhaps "fail" (every run fails), "wide" (an output of another size) or
 * "wild" (the last logit is infinite). What it gives depends on every value that it is shown.
 * Where ORT_DISABLE_TELEMETRY was missing when it was opened, it makes no environment.
 * With FAKE_OLD it is a runtime that knows no version 17. */
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ort_api.h"

struct OrtStatus {
    char text[80];
};

struct OrtSession {
    bool events, sessions, fail, wide, wild;
    int64_t size; /* of a row */
};

struct OrtTensorTypeAndShapeInfo {
    int type;
    size_t count;
    int64_t dimensions[4];
};

struct OrtTypeInfo {
    struct OrtTensorTypeAndShapeInfo tensor;
};

struct OrtValue {
    struct OrtTensorTypeAndShapeInfo info;
    void *data;
    bool own;
};

static char thing; /* what environments, allocators and the like point to */
static atomic_bool silenced;

static struct OrtStatus *refuse_with(const char *text)
{
    struct OrtStatus *status = calloc(1, sizeof *status);
    if (status != NULL)
        snprintf(status->text, sizeof status->text, "%s", text);
    return status;
}

static const char *get_error_message(const struct OrtStatus *status)
{
    return status->text;
}

static struct OrtStatus *create_env(int level, const char *name, struct OrtEnv **out)
{
    (void)level, (void)name;
    *out = (struct OrtEnv *)(void *)&thing;
    return silenced ? NULL : refuse_with("it would report home");
}

static struct OrtStatus *create_session(const struct OrtEnv *env, const void *bytes, size_t length,
                                        const struct OrtSessionOptions *options,
                                        struct OrtSession **out)
{
    char text[64] = "", kind[16];
    long long size;
    (void)env, (void)options;
    if (length < 2)
        return refuse_with("not a graph");
    length -= 2; /* the field's head, see make_bundle.c */
    memcpy(text, (const char *)bytes + 2, length < sizeof text - 1 ? length : sizeof text - 1);
    if (sscanf(text, "%15s %lld", kind, &size) != 2)
        return refuse_with("not a graph\nand more about it");
    bool sessions = strcmp(kind, "sessions") == 0; /* with a column for unseen lines */
    *out = calloc(1, sizeof **out);
    **out = (struct OrtSession){.events = strcmp(kind, "events") == 0,
                                .sessions = sessions,
                                .fail = strstr(text, "fail") != NULL,
                                .wide = strstr(text, "wide") != NULL,
                                .wild = strstr(text, "wild") != NULL,
                                .size = size + sessions};
    return NULL;
}

static struct OrtValue *make_value(int64_t rows, int64_t columns)
{
    struct OrtValue *value = calloc(1, sizeof *value);
    value->info.type = LE_ORT_FLOAT;
    value->info.count = columns > 0 ? 2 : 1;
    value->info.dimensions[0] = rows;
    value->info.dimensions[1] = columns;
    value->data = calloc((size_t)(rows * (columns > 0 ? columns : 1)), sizeof(float));
    value->own = true;
    return value;
}

static unsigned state_of(const struct OrtValue *input, int64_t row)
{
    int64_t items = 1;
    for (size_t i = 1; i < input->info.count; i++)
        items *= input->info.dimensions[i];
    unsigned state = 7;
    for (int64_t i = row * items; i < (row + 1) * items; i++)
        state = state * 31 + (unsigned)(input->info.type == LE_ORT_INT64
                                            ? ((const int64_t *)input->data)[i]
                                            : (int64_t)((const float *)input->data)[i]);
    return state;
}

static struct OrtStatus *
run_session(struct OrtSession *session, const struct OrtRunOptions *options,
            const char *const *input_names, const struct OrtValue *const *inputs,
            size_t input_count, const char *const *names, size_t count, struct OrtValue **outputs)
{
    (void)options, (void)input_names, (void)input_count;
    if (session->fail)
        return refuse_with("it was told to fail.");
    int64_t rows = inputs[0]->info.dimensions[0];
    int64_t size = session->wide ? session->size + 1 : session->size;
    for (size_t o = 0; o < count; o++) {
        bool score = strcmp(names[o], "error") == 0;
        outputs[o] = make_value(rows, score ? 0 : size);
        float *out = outputs[o]->data;
        for (int64_t row = 0; row < rows; row++) {
            unsigned state = state_of(inputs[0], row);
            if (score)
                out[row] = (float)(state % 101) / 8;
            for (int64_t i = 0; !score && i < size; i++)
                out[row * size + i] = (float)(state * (unsigned)(i + 1) / 64 % 23) / 4;
            if (!score && session->wild && state % 5 == 0)
                out[row * size + size - 1] = INFINITY;
        }
    }
    return NULL;
}

static struct OrtStatus *create_options(struct OrtSessionOptions **out)
{
    *out = (struct OrtSessionOptions *)(void *)&thing;
    return NULL;
}

static struct OrtStatus *set_threads(struct OrtSessionOptions *options, int threads)
{
    (void)options;
    return threads == 1 ? NULL : refuse_with("one thread was expected");
}

static struct OrtStatus *input_count(const struct OrtSession *session, size_t *count)
{
    (void)session;
    *count = 1;
    return NULL;
}

static struct OrtStatus *output_count(const struct OrtSession *session, size_t *count)
{
    (void)session;
    *count = 3;
    return NULL;
}

static struct OrtStatus *input_info(const struct OrtSession *session, size_t index,
                                    struct OrtTypeInfo **out)
{
    (void)index;
    *out = calloc(1, sizeof **out);
    if (session->events)
        (*out)->tensor = (struct OrtTensorTypeAndShapeInfo){LE_ORT_INT64, 2, {-1, -1}};
    else if (session->sessions)
        (*out)->tensor = (struct OrtTensorTypeAndShapeInfo){LE_ORT_FLOAT, 2, {-1, session->size}};
    else
        (*out)->tensor =
            (struct OrtTensorTypeAndShapeInfo){LE_ORT_FLOAT, 4, {-1, 1, -1, session->size}};
    return NULL;
}

static struct OrtStatus *output_info(const struct OrtSession *session, size_t index,
                                     struct OrtTypeInfo **out)
{
    *out = calloc(1, sizeof **out);
    (*out)->tensor =
        (struct OrtTensorTypeAndShapeInfo){LE_ORT_FLOAT, index == 1 ? 1 : 2, {-1, session->size}};
    return NULL;
}

static struct OrtStatus *input_name(const struct OrtSession *session, size_t index,
                                    struct OrtAllocator *allocator, char **out)
{
    (void)session, (void)index, (void)allocator;
    *out = strdup("shown");
    return NULL;
}

static struct OrtStatus *output_name(const struct OrtSession *session, size_t index,
                                     struct OrtAllocator *allocator, char **out)
{
    static const char *const names[] = {"predictions", "error", "attribution"};
    (void)session, (void)allocator;
    *out = strdup(names[index]);
    return NULL;
}

static struct OrtStatus *create_tensor(const struct OrtMemoryInfo *memory, void *data, size_t size,
                                       const int64_t *dimensions, size_t count, int type,
                                       struct OrtValue **out)
{
    (void)memory;
    size_t wanted = type == LE_ORT_INT64 ? sizeof(int64_t) : sizeof(float);
    *out = calloc(1, sizeof **out);
    (*out)->info.type = type;
    (*out)->info.count = count;
    for (size_t i = 0; i < count; i++) {
        (*out)->info.dimensions[i] = dimensions[i];
        wanted *= (size_t)dimensions[i];
    }
    (*out)->data = data;
    return wanted == size ? NULL : refuse_with("size and shape do not agree");
}

static struct OrtStatus *is_tensor(const struct OrtValue *value, int *out)
{
    *out = value != NULL;
    return NULL;
}

static struct OrtStatus *get_data(struct OrtValue *value, void **out)
{
    *out = value->data;
    return NULL;
}

static struct OrtStatus *cast_info(const struct OrtTypeInfo *info,
                                   const struct OrtTensorTypeAndShapeInfo **out)
{
    *out = &info->tensor;
    return NULL;
}

static struct OrtStatus *get_type(const struct OrtTensorTypeAndShapeInfo *info, int *out)
{
    *out = info->type;
    return NULL;
}

static struct OrtStatus *get_dimension_count(const struct OrtTensorTypeAndShapeInfo *info,
                                             size_t *out)
{
    *out = info->count;
    return NULL;
}

static struct OrtStatus *get_dimensions(const struct OrtTensorTypeAndShapeInfo *info, int64_t *out,
                                        size_t count)
{
    memcpy(out, info->dimensions, count * sizeof *out);
    return NULL;
}

static struct OrtStatus *get_shape(const struct OrtValue *value,
                                   struct OrtTensorTypeAndShapeInfo **out)
{
    *out = malloc(sizeof **out);
    **out = value->info;
    return NULL;
}

static struct OrtStatus *create_memory(int allocator, int type, struct OrtMemoryInfo **out)
{
    (void)allocator, (void)type;
    *out = (struct OrtMemoryInfo *)(void *)&thing;
    return NULL;
}

static struct OrtStatus *allocator_free(struct OrtAllocator *allocator, void *data)
{
    (void)allocator;
    free(data);
    return NULL;
}

static struct OrtStatus *get_allocator(struct OrtAllocator **out)
{
    *out = (struct OrtAllocator *)(void *)&thing;
    return NULL;
}

static void release_nothing(void *what)
{
    (void)what;
}

static void release_value(struct OrtValue *value)
{
    if (value->own)
        free(value->data);
    free(value);
}

#define SLOT(number, function) [number] = (le_ort_function)(function)
static const struct le_ort_api api = {.slots = {SLOT(2, get_error_message),
                                                SLOT(3, create_env),
                                                SLOT(8, create_session),
                                                SLOT(9, run_session),
                                                SLOT(10, create_options),
                                                SLOT(24, set_threads),
                                                SLOT(25, set_threads),
                                                SLOT(30, input_count),
                                                SLOT(31, output_count),
                                                SLOT(33, input_info),
                                                SLOT(34, output_info),
                                                SLOT(36, input_name),
                                                SLOT(37, output_name),
                                                SLOT(49, create_tensor),
                                                SLOT(50, is_tensor),
                                                SLOT(51, get_data),
                                                SLOT(55, cast_info),
                                                SLOT(60, get_type),
                                                SLOT(61, get_dimension_count),
                                                SLOT(62, get_dimensions),
                                                SLOT(65, get_shape),
                                                SLOT(69, create_memory),
                                                SLOT(76, allocator_free),
                                                SLOT(78, get_allocator),
                                                SLOT(92, release_nothing),
                                                SLOT(93, free),
                                                SLOT(94, release_nothing),
                                                SLOT(95, free),
                                                SLOT(96, release_value),
                                                SLOT(98, free),
                                                SLOT(99, free),
                                                SLOT(100, release_nothing)}};
#undef SLOT

static const struct le_ort_api *get_api(uint32_t version)
{
#ifdef FAKE_OLD
    (void)version, (void)api;
    return NULL;
#else
    return version == 17 ? &api : NULL;
#endif
}

static const char *get_version(void)
{
    return "0.0-fake";
}

const struct le_ort_api_base *OrtGetApiBase(void);

const struct le_ort_api_base *OrtGetApiBase(void)
{
    static const struct le_ort_api_base base = {get_api, get_version};
    return &base;
}

/* Atomic, because the sanitizers do not see that loading comes before every call. */
__attribute__((constructor)) static void when_opened(void)
{
    silenced = getenv("ORT_DISABLE_TELEMETRY") != NULL;
}
