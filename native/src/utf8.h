/* UTF-8 as Python decodes it with errors="replace": the WHATWG algorithm. */
#ifndef LE_UTF8_H
#define LE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "buffer.h"

/* Number of leading bytes that are valid UTF-8; `length` if all are. */
size_t le_utf8_valid_prefix(const char *bytes, size_t length);

/* The text of `bytes`: themselves where they are valid, else `scratch` with U+FFFD for each maximal
 * invalid subpart. False: out of memory. */
bool le_utf8_decode(const char *bytes, size_t length, struct le_buffer *scratch, const char **text,
                    size_t *text_length);

/* Replaces each byte of an ended string that is not part of valid UTF-8 by '?'. */
void le_utf8_make_valid(char *string);

#endif
