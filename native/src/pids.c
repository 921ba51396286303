#include "pids.h"

#include "hash.h"

enum { MAX_DISTANCE = 1000 };

bool le_is_field_level(struct le_text level)
{
    static const char *const fields[] = {"DETAIL",    "HINT",     "CONTEXT",  "QUERY",
                                         "STATEMENT", "LOCATION", "BACKTRACE"};
    for (size_t i = 0; level.data != NULL && i < sizeof fields / sizeof fields[0]; i++)
        if (strlen(fields[i]) == level.length && memcmp(fields[i], level.data, level.length) == 0)
            return true;
    return false;
}

struct le_text le_pid(struct le_text text)
{
    bool fits = text.data != NULL && text.length >= 1 && text.length <= LE_MAX_PID;
    return fits ? text : (struct le_text){NULL, 0};
}

bool le_pids_take(struct le_pids *pids, int64_t number, struct le_text pid, bool field)
{
    int64_t *last = &pids->last[le_hash(pid.data, pid.length) % LE_PIDS];
    if (!field) {
        pids->records[number % LE_PIDS].before = *last;
        pids->records[number % LE_PIDS].length = (uint8_t)pid.length;
        memcpy(pids->records[number % LE_PIDS].pid, pid.data, pid.length);
        *last = number;
        return false;
    }
    /* A record so near is still in its place. */
    for (int64_t at = *last; at > 0 && number - at <= MAX_DISTANCE;
         at = pids->records[at % LE_PIDS].before)
        if (pids->records[at % LE_PIDS].length == pid.length &&
            memcmp(pids->records[at % LE_PIDS].pid, pid.data, pid.length) == 0)
            return true;
    return false;
}
