/* What is looked at in an .onnx file before ONNX Runtime is given it. */
#ifndef LE_ONNX_MODEL_H
#define LE_ONNX_MODEL_H

#include "errors.h"

/* Refuses a graph whose weights lie in other files: ONNX Runtime would read them from wherever the
 * graph says (1.19 from any path). Walks the protocol buffer by the field numbers of onnx.proto. */
enum logexport_status le_onnx_model_check(const void *bytes, size_t length, const char *file,
                                          struct logexport_error *error);

#endif
