#include "windows.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

enum { FIRST_EVENTS = 16 };

bool le_event_window_append(struct le_event_window *window, size_t length, int32_t event)
{
    if (window->count == window->capacity) {
        if (window->capacity < length * 2) {
            size_t capacity = window->capacity * 2;
            if (capacity < FIRST_EVENTS)
                capacity = FIRST_EVENTS;
            if (capacity > length * 2)
                capacity = length * 2;
            int32_t *events = realloc(window->events, capacity * sizeof *events);
            if (events == NULL)
                return false;
            window->events = events;
            window->capacity = capacity;
        } else { /* slide: what a full window still needs, once in `length` events */
            memmove(window->events, window->events + length + 1,
                    (length - 1) * sizeof *window->events);
            window->count = length - 1;
        }
    }
    window->events[window->count++] = event;
    return true;
}

const int32_t *le_event_window_last(const struct le_event_window *window, size_t length)
{
    return window->count < length ? NULL : window->events + (window->count - length);
}

const int32_t *le_event_window_padded(const struct le_event_window *window, size_t length,
                                      int32_t start, int32_t *space)
{
    if (window->count >= length)
        return le_event_window_last(window, length);
    size_t missing = length - window->count;
    for (size_t i = 0; i < missing; i++)
        space[i] = start;
    if (window->count > 0)
        memcpy(space + missing, window->events, window->count * sizeof *space);
    return space;
}

void le_event_window_free(struct le_event_window *window)
{
    free(window->events);
    *window = (struct le_event_window){0};
}

/* --- counts of a session ------------------------------------------------------------------------ */

enum {
    FIRST_SLOTS = 8,
    MOST_KEPT_SLOTS = 64, /* by a table that begins anew */
    COUNT_BITS = 36       /* more lines than any log has; the column has the other 28 */
};

/* The slot of a column, or the free one where it would be. */
static uint64_t *find_slot(const struct le_session_counts *counts, uint64_t column)
{
    uint64_t at = (le_mix(column) >> 32) * counts->capacity >> 32;
    while (counts->slots[at] != 0 && counts->slots[at] >> COUNT_BITS != column + 1)
        at = at + 1 == counts->capacity ? 0 : at + 1;
    return &counts->slots[at];
}

/* Makes the table larger by a third: three quarters of it are used at most, and never less than half. */
static bool grow_slots(struct le_session_counts *counts)
{
    struct le_session_counts larger = {.used = counts->used};
    larger.capacity =
        counts->capacity == 0 ? FIRST_SLOTS : counts->capacity + (counts->capacity + 2) / 3;
    larger.slots = calloc(larger.capacity, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    for (uint32_t i = 0; i < counts->capacity; i++)
        if (counts->slots[i] != 0)
            *find_slot(&larger, (counts->slots[i] >> COUNT_BITS) - 1) = counts->slots[i];
    free(counts->slots);
    *counts = larger;
    return true;
}

bool le_session_counts_add(struct le_session_counts *counts, int32_t column)
{
    if (counts->capacity == 0 && !grow_slots(counts))
        return false;
    uint64_t *slot = find_slot(counts, (uint64_t)column);
    if (*slot == 0) {
        if ((counts->used + 1) * UINT64_C(4) > counts->capacity * UINT64_C(3)) {
            if (!grow_slots(counts))
                return false;
            slot = find_slot(counts, (uint64_t)column);
        }
        *slot = ((uint64_t)column + 1) << COUNT_BITS;
        counts->used++;
    }
    ++*slot;
    return true;
}

void le_session_counts_fill(const struct le_session_counts *counts, float *row, size_t features)
{
    memset(row, 0, features * sizeof *row);
    for (uint32_t i = 0; i < counts->capacity; i++)
        if (counts->slots[i] != 0)
            row[(counts->slots[i] >> COUNT_BITS) - 1] =
                (float)(counts->slots[i] & ((UINT64_C(1) << COUNT_BITS) - 1));
}

void le_session_counts_clear(struct le_session_counts *counts)
{
    if (counts->capacity > MOST_KEPT_SLOTS)
        le_session_counts_free(counts);
    else if (counts->used > 0)
        memset(counts->slots, 0, counts->capacity * sizeof *counts->slots);
    counts->used = 0;
}

void le_session_counts_free(struct le_session_counts *counts)
{
    free(counts->slots);
    *counts = (struct le_session_counts){0};
}

/* --- counts of lines ----------------------------------------------------------------------------- */

bool le_count_windows_init(struct le_count_windows *counts, size_t lines, size_t stride,
                           size_t steps, size_t features)
{
    *counts = (struct le_count_windows){
        .lines = lines, .stride = stride, .steps = steps, .features = features};
    if (features > SIZE_MAX / (2 * sizeof(float)) / steps)
        return false;
    /* Windows begin every stride lines, and a sample covers (steps - 1) * stride + lines of them. */
    counts->first_capacity = steps + lines / stride + 2;
    counts->last = malloc(lines * sizeof *counts->last);
    counts->running = calloc(features, sizeof *counts->running);
    counts->rows = malloc(2 * steps * features * sizeof *counts->rows);
    counts->first_lines = malloc(counts->first_capacity * sizeof *counts->first_lines);
    if (counts->last == NULL || counts->running == NULL || counts->rows == NULL ||
        counts->first_lines == NULL) {
        le_count_windows_free(counts);
        return false;
    }
    return true;
}

void le_count_windows_free(struct le_count_windows *counts)
{
    free(counts->last);
    free(counts->running);
    free(counts->rows);
    free(counts->first_lines);
    *counts = (struct le_count_windows){0};
}

void le_count_windows_reset(struct le_count_windows *counts)
{
    memset(counts->running, 0, counts->features * sizeof *counts->running);
    counts->seen = counts->complete = counts->samples = 0;
}

/* Writes the running counts as the next row, at both of its places in the doubled ring. */
static void complete_row(struct le_count_windows *counts)
{
    size_t at = (size_t)(counts->complete % counts->steps);
    float *row = counts->rows + at * counts->features;
    for (size_t i = 0; i < counts->features; i++)
        row[i] = (float)counts->running[i]; /* exact: at most 2^24 lines */
    memcpy(row + counts->steps * counts->features, row, counts->features * sizeof *row);
    counts->complete++;
}

bool le_count_windows_append(struct le_count_windows *counts, int64_t line, int32_t event,
                             struct le_count_sample *sample)
{
    if (counts->seen % counts->stride == 0)
        counts->first_lines[counts->seen / counts->stride % counts->first_capacity] = line;
    int32_t *place = &counts->last[counts->seen % counts->lines];
    if (counts->seen >= counts->lines && *place >= 0)
        counts->running[*place]--;
    *place = event;
    if (event >= 0)
        counts->running[event]++;
    counts->seen++;
    if (counts->seen < counts->lines || (counts->seen - counts->lines) % counts->stride != 0)
        return false;
    complete_row(counts);
    if (counts->complete < counts->steps)
        return false;
    sample->number = (int64_t)counts->samples;
    sample->first_line = counts->first_lines[counts->samples % counts->first_capacity];
    sample->last_line = line;
    sample->counts = counts->rows + (size_t)(counts->complete % counts->steps) * counts->features;
    counts->samples++;
    return true;
}
