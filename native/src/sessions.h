/* Sessions: what is known of each while it lives, bounded. Under rules of version 1 the least recently
 * touched one goes when there are too many; under version 2 a session ends (docs/verdicts.md). */
#ifndef LE_SESSIONS_H
#define LE_SESSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "logexport/engine.h"
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
    int64_t first_line, last_line;
    bool timed;     /* a line of it had an instant */
    int64_t latest; /* of these instants */
    int64_t closed; /* the line at which it was closed; 0: it was not */
    enum logexport_closed_by closed_by;
    struct le_event_window window;   /* event_window: its last events */
    struct le_session_counts counts; /* session_counts */
};

struct le_sessions {
    struct le_session **buckets;
    struct le_session *newest, *oldest, *spare;
    size_t bucket_mask, count, spare_count, limit;
    int64_t idle_lines;
    struct le_buffer text; /* a key before it is known how much room it takes */
};

/* At most `limit` sessions. `idle_lines`: after so many lines a session is idle; 0: none ever is. */
bool le_sessions_init(struct le_sessions *sessions, size_t limit, int64_t idle_lines);
void le_sessions_free(struct le_sessions *sessions);

/* The session of that key (NULL: the session null), or NULL if it is not held. */
struct le_session *le_sessions_find(const struct le_sessions *sessions, const char *key,
                                    size_t length);

/* The session of that key (NULL: the session null), now the newest. If another had to go for it,
 * *evicted is that one: the caller has its reference and releases it. NULL: out of memory. */
struct le_session *le_sessions_touch(struct le_sessions *sessions, const char *key, size_t length,
                                     struct le_session **evicted);

/* Takes out a session that is held: its reference is the caller's from now on. */
void le_sessions_take(struct le_sessions *sessions, struct le_session *session);

/* Takes out the oldest session, with its reference; NULL if there is none. */
struct le_session *le_sessions_take_oldest(struct le_sessions *sessions);

/* The line at which a session is idle, if none of its own comes before. */
int64_t le_sessions_deadline(const struct le_sessions *sessions, const struct le_session *session);

/* Takes out the oldest session that is idle at a line; NULL if there is none. Sessions are touched by
 * each of their lines, so that the oldest is idle first. The session null never is. */
struct le_session *le_sessions_take_idle(struct le_sessions *sessions, int64_t line);

/* Gives back a reference. */
void le_session_release(struct le_sessions *sessions, struct le_session *session);

#endif
