/* Sessions: the last events of each, bounded; the least recently touched goes first. */
#ifndef LE_SESSIONS_H
#define LE_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "windows.h"

struct le_session {
    struct le_session *chain;         /* in its bucket */
    struct le_session *newer, *older; /* by last touch */
    uint64_t hash;
    uint32_t references; /* one while it is held, and one for each record that still names it */
    bool null;
    char *key; /* its text, not ended, then `json`, the same as JSON or null */
    size_t key_length, json_length, key_capacity;
    const char *json;
    uint64_t lines, judged, anomalies;
    struct le_event_window window; /* its last events */
};

struct le_sessions {
    struct le_session **buckets;
    struct le_session *newest, *oldest, *spare;
    size_t bucket_mask, count, limit;
};

/* At most `limit` sessions. */
bool le_sessions_init(struct le_sessions *sessions, size_t limit);
void le_sessions_free(struct le_sessions *sessions);

/* The session of that key (NULL: the session null), now the newest. If another had to go for it,
 * *evicted is that one: the caller has its reference and releases it. NULL: out of memory. */
struct le_session *le_sessions_touch(struct le_sessions *sessions, const char *key, size_t length,
                                     struct le_session **evicted);

/* Takes out the oldest session, with its reference; NULL if there is none. */
struct le_session *le_sessions_take_oldest(struct le_sessions *sessions);

/* Gives back a reference. */
void le_session_release(struct le_sessions *sessions, struct le_session *session);

#endif
