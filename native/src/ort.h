/* ONNX Runtime, opened at run time; each of its calls is wrapped once. */
#ifndef LE_ORT_H
#define LE_ORT_H

#include <stdbool.h>

#include "errors.h"
#include "ort_api.h"

#define LE_MAX_DIMENSIONS 8
#define LE_MAX_VALUES 64 /* inputs or outputs of a graph */

struct le_ort;
struct le_model;

/* Switches ONNX Runtime's telemetry off, by ORT_DISABLE_TELEMETRY in the environment, unless the
 * variable is set, to whatever value. Only the first call of a process does it. False: no memory. */
bool le_ort_silence(void);

/* Finds and opens the runtime, silenced: at `path`, else at $LOGEXPORT_ORT_LIB, else as
 * libonnxruntime.so.1 or libonnxruntime.so on the system's library path. The first that is named
 * decides. */
enum logexport_status le_ort_open(const char *path, struct le_ort **ort,
                                  struct logexport_error *error);
void le_ort_close(struct le_ort *ort);
const char *le_ort_version(const struct le_ort *ort);
const char *le_ort_library(const struct le_ort *ort);

/* What a graph declares of an input or output. A dynamic size is -1. */
struct le_value_info {
    char *name;
    int type; /* LE_ORT_FLOAT, …; 0: not a tensor */
    size_t dimension_count;
    int64_t dimensions[LE_MAX_DIMENSIONS];
};

/* Loads a graph from memory; `file` names it in errors. The bytes may go afterwards. */
enum logexport_status le_model_load(struct le_ort *ort, const void *bytes, size_t length,
                                    const char *file, struct le_model **model,
                                    struct logexport_error *error);
void le_model_free(struct le_model *model);
size_t le_model_inputs(const struct le_model *model, const struct le_value_info **inputs);
size_t le_model_outputs(const struct le_model *model, const struct le_value_info **outputs);

struct le_tensor {
    int type;
    size_t dimension_count;
    int64_t dimensions[LE_MAX_DIMENSIONS];
    void *data;
    size_t size;             /* bytes; of an input */
    struct OrtValue *handle; /* of an output: what owns `data` */
};

/* Runs the graph. Inputs are in the graph's order; `names` are the outputs wanted. The caller
 * releases each output. May be called from several threads at once. */
enum logexport_status le_model_run(const struct le_model *model, const struct le_tensor *inputs,
                                   const char *const *names, struct le_tensor *outputs,
                                   size_t output_count, struct logexport_error *error);
void le_tensor_release(const struct le_model *model, struct le_tensor *tensor);

#endif
