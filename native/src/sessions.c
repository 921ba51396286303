#include "sessions.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "json_text.h"

enum {
    FIRST_BUCKETS = 64,
    SPARE = 1024 /* sessions whose memory is kept, beside as many as are held */
};

bool le_sessions_init(struct le_sessions *sessions, size_t limit, int64_t idle_lines)
{
    *sessions = (struct le_sessions){.limit = limit, .idle_lines = idle_lines};
    sessions->buckets = calloc(FIRST_BUCKETS, sizeof *sessions->buckets);
    sessions->bucket_mask = FIRST_BUCKETS - 1;
    return sessions->buckets != NULL;
}

static void free_session(struct le_session *session)
{
    free(session->key);
    le_event_window_free(&session->window);
    le_session_counts_free(&session->counts);
    free(session);
}

void le_sessions_free(struct le_sessions *sessions)
{
    struct le_session *session;
    while ((session = le_sessions_take_oldest(sessions)) != NULL)
        free_session(session); /* no record names it any more */
    while ((session = sessions->spare) != NULL) {
        sessions->spare = session->chain;
        free_session(session);
    }
    free(sessions->buckets);
    le_buffer_free(&sessions->text);
    *sessions = (struct le_sessions){0};
}

static void unlink_session(struct le_sessions *sessions, struct le_session *session)
{
    *(session->newer != NULL ? &session->newer->older : &sessions->newest) = session->older;
    *(session->older != NULL ? &session->older->newer : &sessions->oldest) = session->newer;
}

static void make_newest(struct le_sessions *sessions, struct le_session *session)
{
    session->newer = NULL;
    session->older = sessions->newest;
    *(sessions->newest != NULL ? &sessions->newest->newer : &sessions->oldest) = session;
    sessions->newest = session;
}

void le_sessions_take(struct le_sessions *sessions, struct le_session *session)
{
    unlink_session(sessions, session);
    struct le_session **link = &sessions->buckets[session->hash & sessions->bucket_mask];
    while (*link != session)
        link = &(*link)->chain;
    *link = session->chain;
    sessions->count--;
}

struct le_session *le_sessions_take_oldest(struct le_sessions *sessions)
{
    struct le_session *session = sessions->oldest;
    if (session != NULL)
        le_sessions_take(sessions, session);
    return session;
}

int64_t le_sessions_deadline(const struct le_sessions *sessions, const struct le_session *session)
{
    return session->last_line + sessions->idle_lines + 1;
}

struct le_session *le_sessions_take_idle(struct le_sessions *sessions, int64_t line)
{
    struct le_session *session = sessions->oldest;
    if (session != NULL && session->null)
        session = session->newer;
    if (sessions->idle_lines == 0 || session == NULL ||
        le_sessions_deadline(sessions, session) > line)
        return NULL;
    le_sessions_take(sessions, session);
    return session;
}

static bool double_buckets(struct le_sessions *sessions)
{
    size_t size = (sessions->bucket_mask + 1) * 2;
    struct le_session **buckets = calloc(size, sizeof *buckets);
    if (buckets == NULL)
        return false;
    for (struct le_session *s = sessions->newest; s != NULL; s = s->older) {
        s->chain = buckets[s->hash & (size - 1)];
        buckets[s->hash & (size - 1)] = s;
    }
    free(sessions->buckets);
    sessions->buckets = buckets;
    sessions->bucket_mask = size - 1;
    return true;
}

/* Writes a session's key, in no more memory than it takes: there may be millions. */
static bool set_key(struct le_sessions *sessions, struct le_session *session, const char *key,
                    size_t length)
{
    struct le_buffer *text = &sessions->text;
    text->length = 0;
    session->null = key == NULL;
    if (!(key == NULL
              ? le_buffer_append(text, "null", 4)
              : le_buffer_append(text, key, length) && le_json_append_string(text, key, length)))
        return false;
    if (session->key_capacity < text->length) {
        char *memory = realloc(session->key, text->length);
        if (memory == NULL)
            return false;
        session->key = memory;
        session->key_capacity = text->length;
    }
    memcpy(session->key, text->data, text->length);
    session->key_length = key == NULL ? 0 : length;
    session->json = session->key + session->key_length;
    session->json_length = text->length - session->key_length;
    return true;
}

/* A session without a past; memory of released ones is used again. */
static struct le_session *make_session(struct le_sessions *sessions, const char *key, size_t length)
{
    struct le_session *session = sessions->spare;
    if (session != NULL) {
        sessions->spare = session->chain;
        sessions->spare_count--;
    } else {
        session = calloc(1, sizeof *session);
    }
    if (session == NULL)
        return NULL;
    if (!set_key(sessions, session, key, length)) {
        free_session(session);
        return NULL;
    }
    session->references = 1;
    session->lines = session->judged = session->anomalies = 0;
    session->first_line = session->last_line = session->closed = 0;
    session->timed = false;
    session->closed_by = LOGEXPORT_NOT_CLOSED;
    session->window.count = 0;
    le_session_counts_clear(&session->counts);
    return session;
}

static uint64_t hash_of(const char *key, size_t length)
{
    return key == NULL ? 0 : le_hash(key, length);
}

static struct le_session *find_session(const struct le_sessions *sessions, uint64_t hash,
                                       const char *key, size_t length)
{
    struct le_session *session = sessions->buckets[hash & sessions->bucket_mask];
    for (; session != NULL; session = session->chain)
        if (session->hash == hash && session->null == (key == NULL) &&
            session->key_length == length &&
            (length == 0 || memcmp(session->key, key, length) == 0))
            return session;
    return NULL;
}

struct le_session *le_sessions_find(const struct le_sessions *sessions, const char *key,
                                    size_t length)
{
    return find_session(sessions, hash_of(key, length), key, length);
}

struct le_session *le_sessions_touch(struct le_sessions *sessions, const char *key, size_t length,
                                     struct le_session **evicted)
{
    uint64_t hash = hash_of(key, length);
    struct le_session *session = find_session(sessions, hash, key, length);
    *evicted = NULL;
    if (session != NULL) {
        if (session != sessions->newest) {
            unlink_session(sessions, session);
            make_newest(sessions, session);
        }
        return session;
    }
    if (sessions->count >= sessions->limit)
        *evicted = le_sessions_take_oldest(sessions);
    else if (sessions->count > sessions->bucket_mask && !double_buckets(sessions))
        return NULL;
    session = make_session(sessions, key, length);
    if (session == NULL)
        return NULL;
    session->hash = hash;
    session->chain = sessions->buckets[hash & sessions->bucket_mask];
    sessions->buckets[hash & sessions->bucket_mask] = session;
    make_newest(sessions, session);
    sessions->count++;
    return session;
}

void le_session_release(struct le_sessions *sessions, struct le_session *session)
{
    if (--session->references > 0)
        return;
    session->chain = sessions->spare;
    sessions->spare = session;
    sessions->spare_count++;
    /* What a burst of them needed does not stay: two go for one that comes. */
    for (int i = 0; i < 2 && sessions->spare_count > sessions->count + SPARE; i++) {
        session = sessions->spare;
        sessions->spare = session->chain;
        sessions->spare_count--;
        free_session(session);
    }
}
