/* NumPy's .npy files (format 1.0 to 3.0): little-endian float32 and int64, C order. */
#ifndef NPY_H
#define NPY_H

#include "ort.h"

/* Reads an array; the caller frees `data`. Files above 1 GiB are refused. */
enum logexport_status npy_read(const char *path, struct le_tensor *tensor,
                               struct logexport_error *error);
enum logexport_status npy_write(const char *path, const struct le_tensor *tensor,
                                struct logexport_error *error);

/* The array in `bytes`; its data lie in them. For npy_read() and its fuzz target. */
enum logexport_status npy_parse(const char *path, char *bytes, size_t length,
                                struct le_tensor *tensor, size_t *data_offset,
                                struct logexport_error *error);

#endif
