/* One sentence for what went wrong, at one place. */
#ifndef LE_ERRORS_H
#define LE_ERRORS_H

#include "logexport/engine.h"

/* Fills `error` (may be NULL) and returns `status`. Control characters of what is quoted become '?',
 * so that a hostile file name cannot write to a terminal. */
__attribute__((format(printf, 3, 4))) enum logexport_status
le_fail(struct logexport_error *error, enum logexport_status status, const char *format, ...);

enum logexport_status le_out_of_memory(struct logexport_error *error);

#endif
