#include "ort.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One typed function for each call, reading its slot. */
#define NAME_OF(name) name##_call
#define DECLARE(slot, name, result, arguments) typedef result(*NAME_OF(name)) arguments;
LE_ORT_CALLS(DECLARE)
#define SLOT(number, name, result, arguments) SLOT_##name = (number),
enum { LE_ORT_CALLS(SLOT) };
#define CALL(ort, name) ((NAME_OF(name))(ort)->api->slots[SLOT_##name])

struct le_ort {
    void *library;
    char *path;
    const struct le_ort_api *api;
    const char *version;
    struct OrtEnv *env;
    struct OrtMemoryInfo *memory;
    struct OrtAllocator *allocator;
};

struct le_model {
    struct le_ort *ort;
    char *file;
    struct OrtSession *session;
    struct le_value_info inputs[LE_MAX_VALUES], outputs[LE_MAX_VALUES];
    size_t input_count, output_count;
};

/* Read by ONNX Runtime 1.29 and later, once a process, when its first environment is created. */
#define LE_ORT_SWITCH "ORT_DISABLE_TELEMETRY"

/* --- opening ---------------------------------------------------------------------------------- */

static enum logexport_status check_status(const struct le_ort *ort, struct OrtStatus *status,
                                          const char *what, struct logexport_error *error)
{
    if (status == NULL)
        return LOGEXPORT_OK;
    char message[400];
    snprintf(message, sizeof message, "%s", CALL(ort, GetErrorMessage)(status));
    CALL(ort, ReleaseStatus)(status);
    message[strcspn(message, "\n")] = '\0';
    size_t length = strlen(message);
    if (length > 0 && message[length - 1] == '.')
        message[length - 1] = '\0';
    return le_fail(error, LOGEXPORT_RUNTIME, "%.300s: ONNX Runtime %s says: %s.", what,
                   ort->version, message);
}

bool le_ort_silence(void)
{
    /* The environment is the whole process's: it is written once at most, and not at all where the
     * host has decided. */
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static bool decided;
    pthread_mutex_lock(&mutex);
    if (!decided)
        decided = getenv(LE_ORT_SWITCH) != NULL || setenv(LE_ORT_SWITCH, "1", 0) == 0;
    bool done = decided;
    pthread_mutex_unlock(&mutex);
    return done;
}

/* Opens one library. Returns false with a reason that dlerror() or we give. */
static bool open_library(struct le_ort *ort, const char *path, char *reason, size_t size)
{
    /* NODELETE: the runtime leaves threads and exit handlers behind that must find their code. */
    ort->library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (ort->library == NULL) {
        const char *why = dlerror();
        snprintf(reason, size, "%s", why == NULL ? "unknown reason" : why);
        return false;
    }
    const struct le_ort_api_base *(*base)(void);
    void *symbol = dlsym(ort->library, "OrtGetApiBase");
    if (symbol == NULL) {
        snprintf(reason, size, "%.300s is not ONNX Runtime", path);
        return false;
    }
    memcpy(&base, &symbol, sizeof base); /* POSIX allows what ISO C does not spell */
    const struct le_ort_api_base *api_base = base();
    ort->version = api_base->GetVersionString();
    ort->api = api_base->GetApi(LE_ORT_API_VERSION);
    if (ort->api == NULL) {
        snprintf(reason, size, "%.300s is ONNX Runtime %.40s, too old: 1.17 or later is needed",
                 path, ort->version);
        return false;
    }
    ort->path = strdup(path);
    return true;
}

static enum logexport_status find_library(struct le_ort *ort, const char *path,
                                          struct logexport_error *error)
{
    static const char *const system_names[] = {"libonnxruntime.so.1", "libonnxruntime.so"};
    const char *from = "the path that was named";
    char reason[2][500];
    if (path == NULL) {
        path = getenv("LOGEXPORT_ORT_LIB");
        from = "LOGEXPORT_ORT_LIB";
    }
    if (path != NULL && path[0] != '\0') {
        if (open_library(ort, path, reason[0], sizeof reason[0]))
            return LOGEXPORT_OK;
        return le_fail(error, LOGEXPORT_RUNTIME,
                       "ONNX Runtime cannot be opened from %s, %.200s: %s.", from, path, reason[0]);
    }
    for (int i = 0; i < 2; i++)
        if (open_library(ort, system_names[i], reason[i], sizeof reason[i]))
            return LOGEXPORT_OK;
        else if (ort->library != NULL) /* there is one, but it cannot be used */
            return le_fail(error, LOGEXPORT_RUNTIME,
                           "The ONNX Runtime of the system's library path cannot be used: %s.",
                           reason[i]);
    return le_fail(error, LOGEXPORT_RUNTIME,
                   "ONNX Runtime was not found: no path was named, LOGEXPORT_ORT_LIB is not set, "
                   "and the system's library path has neither %s nor %s.",
                   system_names[0], system_names[1]);
}

enum logexport_status le_ort_open(const char *path, struct le_ort **out,
                                  struct logexport_error *error)
{
    struct le_ort *ort = calloc(1, sizeof *ort);
    *out = NULL;
    if (ort == NULL)
        return le_out_of_memory(error);
    enum logexport_status status =
        le_ort_silence() ? find_library(ort, path, error) : le_out_of_memory(error);
    if (status == LOGEXPORT_OK && ort->path == NULL)
        status = le_out_of_memory(error);
    if (status == LOGEXPORT_OK)
        status = check_status(ort, CALL(ort, CreateEnv)(LE_ORT_FATAL, "logexport", &ort->env),
                              "its environment", error);
    if (status == LOGEXPORT_OK)
        status = check_status(
            ort, CALL(ort, CreateCpuMemoryInfo)(LE_ORT_ARENA, LE_ORT_DEFAULT, &ort->memory),
            "its memory", error);
    if (status == LOGEXPORT_OK)
        status = check_status(ort, CALL(ort, GetAllocatorWithDefaultOptions)(&ort->allocator),
                              "its allocator", error);
    if (status != LOGEXPORT_OK) {
        le_ort_close(ort);
        return status;
    }
    *out = ort;
    return LOGEXPORT_OK;
}

void le_ort_close(struct le_ort *ort)
{
    if (ort == NULL)
        return;
    if (ort->memory != NULL)
        CALL(ort, ReleaseMemoryInfo)(ort->memory);
    if (ort->env != NULL)
        CALL(ort, ReleaseEnv)(ort->env);
    if (ort->library != NULL)
        dlclose(ort->library);
    free(ort->path);
    free(ort);
}

const char *le_ort_version(const struct le_ort *ort)
{
    return ort->version;
}

const char *le_ort_library(const struct le_ort *ort)
{
    return ort->path;
}

/* --- models ----------------------------------------------------------------------------------- */

static enum logexport_status read_shape(const struct le_model *model,
                                        const struct OrtTensorTypeAndShapeInfo *info, int *type,
                                        size_t *count, int64_t *dimensions,
                                        struct logexport_error *error)
{
    const struct le_ort *ort = model->ort;
    enum logexport_status status;
    if ((status =
             check_status(ort, CALL(ort, GetTensorElementType)(info, type), model->file, error)) ||
        (status =
             check_status(ort, CALL(ort, GetDimensionsCount)(info, count), model->file, error)))
        return status;
    if (*count > LE_MAX_DIMENSIONS)
        return le_fail(error, LOGEXPORT_RUNTIME, "%.300s: a tensor has %zu dimensions.",
                       model->file, *count);
    return check_status(ort, CALL(ort, GetDimensions)(info, dimensions, *count), model->file,
                        error);
}

static enum logexport_status describe_value(const struct le_model *model, bool input, size_t index,
                                            struct le_value_info *value,
                                            struct logexport_error *error)
{
    const struct le_ort *ort = model->ort;
    char *name = NULL;
    struct OrtTypeInfo *type = NULL;
    const struct OrtTensorTypeAndShapeInfo *tensor = NULL;
    enum logexport_status status = check_status(
        ort,
        input ? CALL(ort, SessionGetInputName)(model->session, index, ort->allocator, &name)
              : CALL(ort, SessionGetOutputName)(model->session, index, ort->allocator, &name),
        model->file, error);
    if (status != LOGEXPORT_OK)
        return status;
    value->name = strdup(name);
    struct OrtStatus *freed = CALL(ort, AllocatorFree)(ort->allocator, name);
    if (value->name == NULL)
        status = le_out_of_memory(error);
    if (status == LOGEXPORT_OK)
        status = check_status(ort, freed, model->file, error);
    else if (freed != NULL)
        CALL(ort, ReleaseStatus)(freed);
    if (status == LOGEXPORT_OK)
        status =
            check_status(ort,
                         input ? CALL(ort, SessionGetInputTypeInfo)(model->session, index, &type)
                               : CALL(ort, SessionGetOutputTypeInfo)(model->session, index, &type),
                         model->file, error);
    if (status == LOGEXPORT_OK)
        status = check_status(ort, CALL(ort, CastTypeInfoToTensorInfo)(type, &tensor), model->file,
                              error);
    if (status == LOGEXPORT_OK && tensor != NULL)
        status = read_shape(model, tensor, &value->type, &value->dimension_count, value->dimensions,
                            error);
    if (type != NULL)
        CALL(ort, ReleaseTypeInfo)(type);
    return status;
}

static enum logexport_status describe_values(struct le_model *model, struct logexport_error *error)
{
    const struct le_ort *ort = model->ort;
    size_t inputs, outputs;
    enum logexport_status status;
    if ((status = check_status(ort, CALL(ort, SessionGetInputCount)(model->session, &inputs),
                               model->file, error)) ||
        (status = check_status(ort, CALL(ort, SessionGetOutputCount)(model->session, &outputs),
                               model->file, error)))
        return status;
    if (inputs > LE_MAX_VALUES || outputs > LE_MAX_VALUES)
        return le_fail(error, LOGEXPORT_RUNTIME, "%.300s has %zu inputs and %zu outputs, too many.",
                       model->file, inputs, outputs);
    while (model->input_count < inputs && status == LOGEXPORT_OK) {
        size_t i = model->input_count++;
        status = describe_value(model, true, i, &model->inputs[i], error);
    }
    while (model->output_count < outputs && status == LOGEXPORT_OK) {
        size_t i = model->output_count++;
        status = describe_value(model, false, i, &model->outputs[i], error);
    }
    return status;
}

enum logexport_status le_model_load(struct le_ort *ort, const void *bytes, size_t length,
                                    const char *file, struct le_model **out,
                                    struct logexport_error *error)
{
    struct le_model *model = calloc(1, sizeof *model);
    *out = NULL;
    if (model == NULL || (model->file = strdup(file)) == NULL) {
        free(model);
        return le_out_of_memory(error);
    }
    model->ort = ort;
    struct OrtSessionOptions *options = NULL;
    enum logexport_status status =
        check_status(ort, CALL(ort, CreateSessionOptions)(&options), file, error);
    /* Threads are ours: several batches at once, each in one thread. */
    if (status == LOGEXPORT_OK)
        status = check_status(ort, CALL(ort, SetIntraOpNumThreads)(options, 1), file, error);
    if (status == LOGEXPORT_OK)
        status = check_status(ort, CALL(ort, SetInterOpNumThreads)(options, 1), file, error);
    if (status == LOGEXPORT_OK)
        status = check_status(
            ort,
            CALL(ort, CreateSessionFromArray)(ort->env, bytes, length, options, &model->session),
            file, error);
    if (options != NULL)
        CALL(ort, ReleaseSessionOptions)(options);
    if (status == LOGEXPORT_OK)
        status = describe_values(model, error);
    if (status != LOGEXPORT_OK) {
        le_model_free(model);
        return status;
    }
    *out = model;
    return LOGEXPORT_OK;
}

void le_model_free(struct le_model *model)
{
    if (model == NULL)
        return;
    if (model->session != NULL)
        CALL(model->ort, ReleaseSession)(model->session);
    for (size_t i = 0; i < model->input_count; i++)
        free(model->inputs[i].name);
    for (size_t i = 0; i < model->output_count; i++)
        free(model->outputs[i].name);
    free(model->file);
    free(model);
}

size_t le_model_inputs(const struct le_model *model, const struct le_value_info **inputs)
{
    *inputs = model->inputs;
    return model->input_count;
}

size_t le_model_outputs(const struct le_model *model, const struct le_value_info **outputs)
{
    *outputs = model->outputs;
    return model->output_count;
}

/* --- running ---------------------------------------------------------------------------------- */

static enum logexport_status read_output(const struct le_model *model, struct le_tensor *tensor,
                                         struct logexport_error *error)
{
    const struct le_ort *ort = model->ort;
    struct OrtTensorTypeAndShapeInfo *info = NULL;
    int is_tensor = 0;
    enum logexport_status status =
        check_status(ort, CALL(ort, IsTensor)(tensor->handle, &is_tensor), model->file, error);
    if (status != LOGEXPORT_OK)
        return status;
    if (!is_tensor)
        return le_fail(error, LOGEXPORT_RUNTIME, "%.300s: an output is not a tensor.", model->file);
    status = check_status(ort, CALL(ort, GetTensorTypeAndShape)(tensor->handle, &info), model->file,
                          error);
    if (status == LOGEXPORT_OK)
        status = read_shape(model, info, &tensor->type, &tensor->dimension_count,
                            tensor->dimensions, error);
    if (info != NULL)
        CALL(ort, ReleaseTensorTypeAndShapeInfo)(info);
    if (status == LOGEXPORT_OK)
        status = check_status(ort, CALL(ort, GetTensorMutableData)(tensor->handle, &tensor->data),
                              model->file, error);
    return status;
}

enum logexport_status le_model_run(const struct le_model *model, const struct le_tensor *inputs,
                                   const char *const *names, struct le_tensor *outputs,
                                   size_t output_count, struct logexport_error *error)
{
    const struct le_ort *ort = model->ort;
    struct OrtValue *given[LE_MAX_VALUES] = {0}, *taken[LE_MAX_VALUES] = {0};
    const char *input_names[LE_MAX_VALUES];
    enum logexport_status status = LOGEXPORT_OK;
    for (size_t i = 0; i < output_count; i++)
        outputs[i] = (struct le_tensor){0};
    for (size_t i = 0; i < model->input_count && status == LOGEXPORT_OK; i++) {
        input_names[i] = model->inputs[i].name;
        status = check_status(ort,
                              CALL(ort, CreateTensorWithDataAsOrtValue)(
                                  ort->memory, inputs[i].data, inputs[i].size, inputs[i].dimensions,
                                  inputs[i].dimension_count, inputs[i].type, &given[i]),
                              model->file, error);
    }
    if (status == LOGEXPORT_OK)
        status = check_status(ort,
                              CALL(ort, Run)(model->session, NULL, input_names,
                                             (const struct OrtValue *const *)given,
                                             model->input_count, names, output_count, taken),
                              model->file, error);
    for (size_t i = 0; i < model->input_count; i++)
        if (given[i] != NULL)
            CALL(ort, ReleaseValue)(given[i]);
    for (size_t i = 0; i < output_count; i++)
        outputs[i].handle = taken[i];
    for (size_t i = 0; i < output_count && status == LOGEXPORT_OK; i++)
        status = read_output(model, &outputs[i], error);
    if (status != LOGEXPORT_OK)
        for (size_t i = 0; i < output_count; i++)
            le_tensor_release(model, &outputs[i]);
    return status;
}

void le_tensor_release(const struct le_model *model, struct le_tensor *tensor)
{
    if (tensor->handle != NULL)
        CALL(model->ort, ReleaseValue)(tensor->handle);
    *tensor = (struct le_tensor){0};
}
