/* Sessions, counts and the memo, against plain models of them. */
#include "memo.h"
#include "sessions.h"
#include "test.h"
#include "windows.h"

enum { KEYS = 8, LENGTH = 3 };

/* A session as the definition has it: when it was touched last, and all of its events. */
struct plain {
    bool held;
    int touched, count;
    int32_t events[4000];
};

static struct plain plain[KEYS];

static void check_window(const struct le_session *session, const struct plain *model)
{
    const int32_t *window = le_event_window_last(&session->window, LENGTH);
    CHECK((window != NULL) == (model->count >= LENGTH));
    for (int i = 0; window != NULL && i < LENGTH; i++)
        CHECK(window[i] == model->events[model->count - LENGTH + i]);
}

static void the_least_recently_touched_session_goes_first(void)
{
    enum { LIMIT = 5 };
    struct le_sessions sessions;
    NEED(le_sessions_init(&sessions, LIMIT));
    for (int now = 0; now < 4000; now++) {
        unsigned key = below(KEYS);
        char name[2] = {(char)('a' + key), '\0'};
        int held = 0, oldest = -1;
        for (int i = 0; i < KEYS; i++) {
            held += plain[i].held;
            if (plain[i].held && (oldest < 0 || plain[i].touched < plain[oldest].touched))
                oldest = i;
        }
        bool evicts = !plain[key].held && held == LIMIT;
        struct le_session *evicted;
        struct le_session *session =
            le_sessions_touch(&sessions, key == 0 ? NULL : name, key == 0 ? 0 : 1, &evicted);
        NEED(session != NULL);
        CHECK((evicted != NULL) == evicts);
        if (evicted != NULL) {
            CHECK(evicted->null ? oldest == 0 : evicted->key[0] == 'a' + oldest);
            check_window(evicted, &plain[oldest]);
            plain[oldest].held = false;
            le_session_release(&sessions, evicted);
        }
        if (!plain[key].held)
            plain[key].count = 0;
        plain[key].held = true;
        plain[key].touched = now;
        check_window(session, &plain[key]);
        plain[key].events[plain[key].count++] = now;
        NEED(le_event_window_append(&session->window, LENGTH, now));
        check_window(session, &plain[key]);
    }
    le_sessions_free(&sessions);
}

static void many_sessions_are_found_again(void)
{
    enum { MANY = 20000 };
    struct le_sessions sessions;
    struct le_session *evicted;
    NEED(le_sessions_init(&sessions, MANY));
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < MANY; i++) {
            char name[16];
            int length = snprintf(name, sizeof name, "blk_%d", i);
            struct le_session *session =
                le_sessions_touch(&sessions, name, (size_t)length, &evicted);
            NEED(session != NULL);
            CHECK(evicted == NULL && session->lines++ == (uint64_t)round);
        }
    CHECK(sessions.count == MANY);
    le_sessions_free(&sessions);
}

static void null_is_not_the_empty_session(void)
{
    struct le_sessions sessions;
    struct le_session *evicted;
    NEED(le_sessions_init(&sessions, 9));
    struct le_session *null = le_sessions_touch(&sessions, NULL, 0, &evicted);
    struct le_session *empty = le_sessions_touch(&sessions, "", 0, &evicted);
    struct le_session *word = le_sessions_touch(&sessions, "null", 4, &evicted);
    CHECK(null != empty && null != word && null->null && !empty->null);
    CHECK(null->json_length == 4 && memcmp(null->json, "null", 4) == 0);
    CHECK(empty->json_length == 2 && memcmp(empty->json, "\"\"", 2) == 0);
    CHECK(word->json_length == 6 && memcmp(word->json, "\"null\"", 6) == 0);
    le_sessions_free(&sessions);
}

/* Every sample of a log, counted anew from its lines. */
static void samples_count_as_defined(void)
{
    enum { LINES = 400, FEATURES = 4 };
    int32_t events[LINES];
    int64_t numbers[LINES];
    for (int round = 0; round < 200; round++) {
        int lines = (int)below(9) + 1, stride = (int)below(12) + 1, steps = (int)below(5) + 1;
        struct le_count_windows counts;
        NEED(
            le_count_windows_init(&counts, (size_t)lines, (size_t)stride, (size_t)steps, FEATURES));
        int64_t number = 0, samples = 0;
        for (int i = 0; i < LINES; i++) {
            number += 1 + below(3); /* blank lines between */
            numbers[i] = number;
            events[i] = (int32_t)below(FEATURES + 1) - 1;
            struct le_count_sample sample;
            bool given = le_count_windows_append(&counts, number, events[i], &sample);
            int64_t first = samples * stride, last = first + (steps - 1) * stride + lines - 1;
            CHECK(given == (i == last));
            if (!given)
                continue;
            CHECK(sample.number == samples && sample.first_line == numbers[first] &&
                  sample.last_line == numbers[last]);
            for (int step = 0; step < steps; step++)
                for (int f = 0; f < FEATURES; f++) {
                    float wanted = 0;
                    for (int l = 0; l < lines; l++)
                        wanted += events[first + step * stride + l] == f;
                    CHECK(sample.counts[step * FEATURES + f] == wanted);
                }
            samples++;
        }
        CHECK(samples > 0);
        le_count_windows_free(&counts);
    }
}

static void the_memo_finds_what_it_holds_and_is_bounded(void)
{
    struct le_memo memo;
    int32_t key[2];
    bool added;
    NEED(le_memo_init(&memo, sizeof key, 16));
    size_t capacity = memo.capacity, turns = 0;
    for (int32_t i = 0; i < (int32_t)capacity * 3; i++) {
        if (le_memo_is_full(&memo)) {
            le_memo_turn_generation(&memo);
            turns++;
        }
        key[0] = i;
        key[1] = i / 2;
        struct le_entry *entry = le_memo_find_or_add(&memo, key, i % 3, &added);
        NEED(entry != NULL);
        CHECK(added);
        entry->outcome.rank = i;
        atomic_store(&entry->scored, 1);
        if (i % 7 == 0) {
            CHECK(le_memo_find_or_add(&memo, key, i % 3, &added) == entry && !added);
            struct le_entry *other = le_memo_find_or_add(&memo, key, 5, &added);
            CHECK(other != entry && added); /* another event is another question */
        }
        /* The one before last is still there, in one generation or the other. */
        if (i >= 2 && !le_memo_is_full(&memo)) {
            int32_t before[2] = {i - 2, (i - 2) / 2};
            struct le_entry *found = le_memo_find_or_add(&memo, before, (i - 2) % 3, &added);
            CHECK(found != NULL && !added && found->outcome.rank == i - 2);
        }
    }
    CHECK(turns >= 2);
    key[0] = key[1] = 0;
    if (le_memo_is_full(&memo))
        le_memo_turn_generation(&memo);
    NEED(le_memo_find_or_add(&memo, key, 0, &added) != NULL);
    CHECK(added); /* forgotten long ago */
    le_memo_free(&memo);
}

int main(void)
{
    the_least_recently_touched_session_goes_first();
    many_sessions_are_found_again();
    null_is_not_the_empty_session();
    samples_count_as_defined();
    the_memo_finds_what_it_holds_and_is_bounded();
    return failures != 0;
}
