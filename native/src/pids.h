/* PostgreSQL's fields behind heads of their own: joined to their record by its process's id. The rules
 * stand in core/logexport/logs/pids.py. */
#ifndef LE_PIDS_H
#define LE_PIDS_H

#include <stdint.h>

#include "lines.h"

enum {
    LE_MAX_PID = 64,
    LE_PIDS = 1024 /* more than lines may lie between a field and its record */
};

/* The pids of the last lines' records; zero is a good beginning. */
struct le_pids {
    int64_t
        last[LE_PIDS]; /* by a pid's hash: the number of the last record with such a hash, or 0 */
    struct {
        int64_t before; /* the record before of such a hash, or 0 */
        uint8_t length;
        char pid[LE_MAX_PID];
    } records[LE_PIDS]; /* by their numbers */
};

/* Whether a header's level says that the record is a field. */
bool le_is_field_level(struct le_text level);

/* The pid of a record, NULL if the text is not one. */
struct le_text le_pid(struct le_text text);

/* Whether a record with a pid is a field of one before; if it is not a field, it is held. `number` is
 * that of its first line, greater than that of the call before. */
bool le_pids_take(struct le_pids *pids, int64_t number, struct le_text pid, bool field);

#endif
