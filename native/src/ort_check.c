/* Compares ort_api.h with a real onnxruntime_c_api.h (-DORT_INCLUDE_DIR=DIR). Holds no code. */
#include <onnxruntime_c_api.h>

#define LE_ORT_NO_TYPES
#include "ort_api.h"

#define CHECK(slot, name, result, arguments)                                                       \
    _Static_assert(offsetof(OrtApi, name) == (slot) * sizeof(void (*)(void)), "slot of " #name);
LE_ORT_CALLS(CHECK)

_Static_assert(LE_ORT_SLOTS == 100 + 1, "slots");
_Static_assert(ORT_API_VERSION >= LE_ORT_API_VERSION, "version");
_Static_assert(offsetof(OrtApiBase, GetApi) == 0, "GetApi");
_Static_assert(offsetof(OrtApiBase, GetVersionString) == sizeof(void (*)(void)), "version string");
_Static_assert((int)LE_ORT_FLOAT == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, "float");
_Static_assert((int)LE_ORT_INT64 == (int)ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, "int64");
_Static_assert((int)LE_ORT_FATAL == (int)ORT_LOGGING_LEVEL_FATAL, "fatal");
_Static_assert((int)LE_ORT_ARENA == (int)OrtArenaAllocator, "arena");
_Static_assert((int)LE_ORT_DEFAULT == (int)OrtMemTypeDefault, "memory");
/* Enumerations are passed as int. */
_Static_assert(sizeof(ONNXTensorElementDataType) == sizeof(int), "size of an enumeration");
