/* Fields that stay in the event: tokens of their own before the message.
 *
 * The rules stand in core/logexport/logs/kept.py. */
#ifndef LE_KEPT_H
#define LE_KEPT_H

#include "buffer.h"
#include "lines.h"

enum {
    LE_MAX_KEPT = 8,
    /* That are wanted of a record: the sessions' comes first, the timestamp last. */
    LE_MAX_FIELDS = 1 + LE_MAX_KEPT + 1
};

/* What the token of a field is made of. */
enum le_kept_form { LE_KEPT_TEXT, LE_KEPT_SEVERITY, LE_KEPT_CLASS };

/* Makes the tokens of `count` values, none of which is oversize; a null one is absent. They lie in the
 * values, in constants and in `space`, which is written anew. False: out of memory. */
bool le_kept_tokens(const enum le_kept_form *forms, int count, const struct le_text *values,
                    struct le_buffer *space, struct le_tokens *tokens);

#endif
