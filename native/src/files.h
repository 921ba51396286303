/* Files of a bundle: plain names in one directory, of bounded size, never through a link. */
#ifndef LE_FILES_H
#define LE_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "errors.h"
#include "sha256.h"

/* Whether `name` is [A-Za-z0-9_-][A-Za-z0-9._-]{0,127}: no separator, no "..", no hidden file. */
bool le_file_name_is_plain(const char *name, size_t length);

/* Opens a regular file for reading; symbolic links, pipes and devices are refused. `directory` is
 * the path that `fd` was opened by, for the error. Returns the descriptor in *file. */
enum logexport_status le_file_open(int fd, const char *directory, const char *name, int *file,
                                   uint64_t *size, struct logexport_error *error);

/* Reads a whole file of at most `limit` bytes. */
enum logexport_status le_file_read(int fd, const char *directory, const char *name, uint64_t limit,
                                   struct le_buffer *out, struct logexport_error *error);

#endif
