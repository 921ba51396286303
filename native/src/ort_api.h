/* The part of ONNX Runtime's C interface that is used here, without its SDK.
 *
 * OrtApi is a struct of function pointers only, to which releases append and which they never
 * reorder: a slot's number is a stable fact of the binary interface. Version 17 has all that is
 * below, and so has every later one. With -DORT_INCLUDE_DIR=DIR the build compares each slot and
 * constant with DIR/onnxruntime_c_api.h (ort_check.c). */
#ifndef LE_ORT_API_H
#define LE_ORT_API_H

#include <stddef.h>
#include <stdint.h>

#define LE_ORT_API_VERSION 17

/* X(slot, name in OrtApi, type of result, types of arguments) */
#define LE_ORT_CALLS(X)                                                                            \
    X(2, GetErrorMessage, const char *, (const struct OrtStatus *))                                \
    X(3, CreateEnv, struct OrtStatus *, (int, const char *, struct OrtEnv **))                     \
    X(8, CreateSessionFromArray, struct OrtStatus *,                                               \
      (const struct OrtEnv *, const void *, size_t, const struct OrtSessionOptions *,              \
       struct OrtSession **))                                                                      \
    X(9, Run, struct OrtStatus *,                                                                  \
      (struct OrtSession *, const struct OrtRunOptions *, const char *const *,                     \
       const struct OrtValue *const *, size_t, const char *const *, size_t, struct OrtValue **))   \
    X(10, CreateSessionOptions, struct OrtStatus *, (struct OrtSessionOptions **))                 \
    X(24, SetIntraOpNumThreads, struct OrtStatus *, (struct OrtSessionOptions *, int))             \
    X(25, SetInterOpNumThreads, struct OrtStatus *, (struct OrtSessionOptions *, int))             \
    X(30, SessionGetInputCount, struct OrtStatus *, (const struct OrtSession *, size_t *))         \
    X(31, SessionGetOutputCount, struct OrtStatus *, (const struct OrtSession *, size_t *))        \
    X(33, SessionGetInputTypeInfo, struct OrtStatus *,                                             \
      (const struct OrtSession *, size_t, struct OrtTypeInfo **))                                  \
    X(34, SessionGetOutputTypeInfo, struct OrtStatus *,                                            \
      (const struct OrtSession *, size_t, struct OrtTypeInfo **))                                  \
    X(36, SessionGetInputName, struct OrtStatus *,                                                 \
      (const struct OrtSession *, size_t, struct OrtAllocator *, char **))                         \
    X(37, SessionGetOutputName, struct OrtStatus *,                                                \
      (const struct OrtSession *, size_t, struct OrtAllocator *, char **))                         \
    X(49, CreateTensorWithDataAsOrtValue, struct OrtStatus *,                                      \
      (const struct OrtMemoryInfo *, void *, size_t, const int64_t *, size_t, int,                 \
       struct OrtValue **))                                                                        \
    X(50, IsTensor, struct OrtStatus *, (const struct OrtValue *, int *))                          \
    X(51, GetTensorMutableData, struct OrtStatus *, (struct OrtValue *, void **))                  \
    X(55, CastTypeInfoToTensorInfo, struct OrtStatus *,                                            \
      (const struct OrtTypeInfo *, const struct OrtTensorTypeAndShapeInfo **))                     \
    X(60, GetTensorElementType, struct OrtStatus *,                                                \
      (const struct OrtTensorTypeAndShapeInfo *, int *))                                           \
    X(61, GetDimensionsCount, struct OrtStatus *,                                                  \
      (const struct OrtTensorTypeAndShapeInfo *, size_t *))                                        \
    X(62, GetDimensions, struct OrtStatus *,                                                       \
      (const struct OrtTensorTypeAndShapeInfo *, int64_t *, size_t))                               \
    X(65, GetTensorTypeAndShape, struct OrtStatus *,                                               \
      (const struct OrtValue *, struct OrtTensorTypeAndShapeInfo **))                              \
    X(69, CreateCpuMemoryInfo, struct OrtStatus *, (int, int, struct OrtMemoryInfo **))            \
    X(76, AllocatorFree, struct OrtStatus *, (struct OrtAllocator *, void *))                      \
    X(78, GetAllocatorWithDefaultOptions, struct OrtStatus *, (struct OrtAllocator **))            \
    X(92, ReleaseEnv, void, (struct OrtEnv *))                                                     \
    X(93, ReleaseStatus, void, (struct OrtStatus *))                                               \
    X(94, ReleaseMemoryInfo, void, (struct OrtMemoryInfo *))                                       \
    X(95, ReleaseSession, void, (struct OrtSession *))                                             \
    X(96, ReleaseValue, void, (struct OrtValue *))                                                 \
    X(98, ReleaseTypeInfo, void, (struct OrtTypeInfo *))                                           \
    X(99, ReleaseTensorTypeAndShapeInfo, void, (struct OrtTensorTypeAndShapeInfo *))               \
    X(100, ReleaseSessionOptions, void, (struct OrtSessionOptions *))

#define LE_ORT_SLOTS 101 /* one more than the last */

enum {
    LE_ORT_FLOAT = 1,  /* ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT */
    LE_ORT_INT64 = 7,  /* ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64 */
    LE_ORT_FATAL = 4,  /* ORT_LOGGING_LEVEL_FATAL: it prints nothing; errors come as statuses */
    LE_ORT_ARENA = 1,  /* OrtArenaAllocator */
    LE_ORT_DEFAULT = 0 /* OrtMemTypeDefault */
};

#ifndef LE_ORT_NO_TYPES
typedef void (*le_ort_function)(void);

struct le_ort_api {
    le_ort_function slots[LE_ORT_SLOTS];
};

struct le_ort_api_base {
    const struct le_ort_api *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
};

struct OrtStatus;
struct OrtEnv;
struct OrtSession;
struct OrtSessionOptions;
struct OrtRunOptions;
struct OrtValue;
struct OrtAllocator;
struct OrtMemoryInfo;
struct OrtTypeInfo;
struct OrtTensorTypeAndShapeInfo;
#endif

#endif
