#include "windows.h"

#include <stdlib.h>
#include <string.h>

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

void le_event_window_free(struct le_event_window *window)
{
    free(window->events);
    *window = (struct le_event_window){0};
}

/* --- counts ------------------------------------------------------------------------------------ */

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
