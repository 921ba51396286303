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
    NEED(le_sessions_init(&sessions, LIMIT, 0));
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
    NEED(le_sessions_init(&sessions, MANY, 0));
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
    NEED(le_sessions_init(&sessions, 9, 0));
    struct le_session *null = le_sessions_touch(&sessions, NULL, 0, &evicted);
    struct le_session *empty = le_sessions_touch(&sessions, "", 0, &evicted);
    struct le_session *word = le_sessions_touch(&sessions, "null", 4, &evicted);
    CHECK(null != empty && null != word && null->null && !empty->null);
    CHECK(null->json_length == 4 && memcmp(null->json, "null", 4) == 0);
    CHECK(empty->json_length == 2 && memcmp(empty->json, "\"\"", 2) == 0);
    CHECK(word->json_length == 6 && memcmp(word->json, "\"null\"", 6) == 0);
    le_sessions_free(&sessions);
}

/* Which sessions are idle at each line, looked up in the numbers of their last lines. */
static void idle_sessions_end_in_the_order_of_their_last_lines(void)
{
    enum { IDLE = 6, LINES = 3000 };
    struct le_sessions sessions;
    int64_t last[KEYS] = {0}; /* 0: not held */
    NEED(le_sessions_init(&sessions, SIZE_MAX, IDLE));
    for (int64_t line = 1; line < LINES; line += 1 + below(4)) {
        for (;;) {
            int oldest = 0;
            for (int i = 1; i < KEYS; i++)
                if (last[i] > 0 && last[i] + IDLE + 1 <= line &&
                    (oldest == 0 || last[i] < last[oldest]))
                    oldest = i;
            struct le_session *idle = le_sessions_take_idle(&sessions, line);
            CHECK((idle != NULL) == (oldest > 0));
            if (idle == NULL)
                break;
            CHECK(!idle->null && idle->key[0] == 'a' + oldest);
            CHECK(le_sessions_deadline(&sessions, idle) == last[oldest] + IDLE + 1);
            last[oldest] = 0;
            le_session_release(&sessions, idle);
        }
        unsigned key = below(KEYS);
        char name[2] = {(char)('a' + key), '\0'};
        const char *text = key == 0 ? NULL : name; /* the session null is never idle */
        struct le_session *evicted;
        CHECK((le_sessions_find(&sessions, text, text != NULL) != NULL) == (last[key] > 0));
        struct le_session *session = le_sessions_touch(&sessions, text, text != NULL, &evicted);
        NEED(session != NULL);
        CHECK(evicted == NULL && session == le_sessions_find(&sessions, text, text != NULL));
        CHECK(session->last_line == last[key] && sessions.count <= IDLE + 2);
        session->last_line = last[key] = line;
    }
    le_sessions_free(&sessions);
}

static void memory_of_sessions_that_ended_is_used_again_and_a_burst_of_it_goes_back(void)
{
    enum { BURST = 10000 };
    struct le_sessions sessions;
    struct le_session *evicted;
    NEED(le_sessions_init(&sessions, SIZE_MAX, 1));
    struct le_session *first = le_sessions_touch(&sessions, "first", 5, &evicted);
    NEED(first != NULL && le_session_counts_add(&first->counts, 3));
    NEED(le_event_window_append(&first->window, LENGTH, 7));
    first->last_line = 9;
    first->timed = true;
    le_sessions_take(&sessions, first);
    le_session_release(&sessions, first);
    struct le_session *second = le_sessions_touch(&sessions, "s", 1, &evicted);
    CHECK(second == first && second->window.count == 0 && second->counts.used == 0);
    CHECK(second->last_line == 0 && second->first_line == 0 && !second->timed);
    CHECK(second->json_length == 3 && memcmp(second->json, "\"s\"", 3) == 0);
    for (int i = 0; i < BURST; i++) {
        char name[16];
        int length = snprintf(name, sizeof name, "%d", i);
        NEED(le_sessions_touch(&sessions, name, (size_t)length, &evicted) != NULL);
    }
    CHECK(sessions.count == BURST + 1);
    for (struct le_session *oldest; (oldest = le_sessions_take_oldest(&sessions)) != NULL;)
        le_session_release(&sessions, oldest);
    CHECK(sessions.spare_count > 0 && sessions.spare_count < 2000);
    le_sessions_free(&sessions);
}

static void counts_of_a_session_are_those_of_its_columns(void)
{
    enum { FEATURES = 5000 };
    static float row[FEATURES], wanted[FEATURES];
    struct le_session_counts counts = {0};
    for (int round = 0; round < 40; round++) {
        unsigned columns = round % 2 == 0 ? 1 + below(6) : 1 + below(FEATURES), seen = 0;
        memset(wanted, 0, sizeof wanted);
        for (unsigned i = 0; i < columns * 3; i++) {
            unsigned column = FEATURES - 1 - below(columns);
            seen += wanted[column] == 0;
            wanted[column]++;
            NEED(le_session_counts_add(&counts, (int32_t)column));
            CHECK(counts.used == seen);
            CHECK(counts.capacity * sizeof *counts.slots <= (seen <= 4 ? 64 : seen * 16));
        }
        le_session_counts_fill(&counts, row, FEATURES);
        CHECK(memcmp(row, wanted, sizeof row) == 0);
        le_session_counts_clear(&counts);
        CHECK(counts.used == 0 && counts.capacity <= 64);
        le_session_counts_fill(&counts, row, FEATURES);
        for (int i = 0; i < FEATURES; i++)
            CHECK(row[i] == 0);
    }
    le_session_counts_free(&counts);
    /* The largest column, and more lines than a float counts one by one. */
    NEED(le_session_counts_add(&counts, (1 << 27) - 1));
    CHECK(counts.used == 1);
    le_session_counts_free(&counts);
    for (int i = 0; i < (1 << 24) + 3; i++)
        NEED(le_session_counts_add(&counts, 1));
    le_session_counts_fill(&counts, row, 2);
    CHECK(row[0] == 0 && row[1] == (float)((1 << 24) + 3));
    le_session_counts_free(&counts);
}

static void a_window_that_is_not_full_begins_with_starts(void)
{
    struct le_event_window window = {0};
    int32_t space[LENGTH];
    for (int32_t count = 0; count < 20; count++) {
        const int32_t *shown = le_event_window_padded(&window, LENGTH, 99, space);
        for (int32_t i = 0; i < LENGTH; i++) {
            int32_t event = count - LENGTH + i;
            CHECK(shown[i] == (event < 0 ? 99 : event));
        }
        NEED(le_event_window_append(&window, LENGTH, count));
    }
    le_event_window_free(&window);
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
    idle_sessions_end_in_the_order_of_their_last_lines();
    memory_of_sessions_that_ended_is_used_again_and_a_burst_of_it_goes_back();
    counts_of_a_session_are_those_of_its_columns();
    a_window_that_is_not_full_begins_with_starts();
    samples_count_as_defined();
    the_memo_finds_what_it_holds_and_is_bounded();
    return failures != 0;
}
