/* JSON written as Python's json.dumps(ensure_ascii=False) writes it, and numbers as %.9g. */
#ifndef LE_JSON_TEXT_H
#define LE_JSON_TEXT_H

#include <locale.h>
#include <stdint.h>

#include "buffer.h"

/* A string with its quotes; the text is valid UTF-8. False: out of memory. */
bool le_json_append_string(struct le_buffer *out, const char *text, size_t length);

/* A finite number as printf's %.9g in the C locale, whatever the process's locale is. */
bool le_json_append_real(struct le_buffer *out, double value, locale_t c_locale);

/* A decimal integer. */
bool le_json_append_integer(struct le_buffer *out, int64_t value);

#endif
