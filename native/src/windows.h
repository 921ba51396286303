/* The windows that a model is shown: a session's last events, its counts, and counts of each template
 * over windows of lines with the samples that they make. */
#ifndef LE_WINDOWS_H
#define LE_WINDOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The last events of a session, in order, for a window of some length. All zero: none yet. */
struct le_event_window {
    int32_t *events; /* grows to twice the length */
    size_t count, capacity;
};

/* Appends an event. False: out of memory. */
bool le_event_window_append(struct le_event_window *window, size_t length, int32_t event);

/* The last `length` events, or NULL while there are fewer. Valid until the next event. */
const int32_t *le_event_window_last(const struct le_event_window *window, size_t length);

/* The last `length` events with `start` for each that is missing. They lie in the window, or in `space`
 * with room for them. Valid until the next event. */
const int32_t *le_event_window_padded(const struct le_event_window *window, size_t length,
                                      int32_t start, int32_t *space);

void le_event_window_free(struct le_event_window *window);

/* How often each column stands in a session: a hash table, as large as there are columns that occur. It
 * takes 64 bytes, or at most 16 for each of them. All zero: none yet. */
struct le_session_counts {
    uint64_t *slots; /* a column + 1 above its count; 0: free */
    uint32_t used, capacity;
};

/* Counts a column below 2^27 once more. False: out of memory. */
bool le_session_counts_add(struct le_session_counts *counts, int32_t column);

/* Writes a row of `features` values, each exact up to 2^24. */
void le_session_counts_fill(const struct le_session_counts *counts, float *row, size_t features);

/* Begins anew; keeps only little memory. */
void le_session_counts_clear(struct le_session_counts *counts);
void le_session_counts_free(struct le_session_counts *counts);

/* Counts over windows of `lines` lines, one every `stride`; a sample is `steps` of them. */
struct le_count_windows {
    size_t lines, stride, steps, features;
    uint64_t seen;    /* non-blank lines */
    int32_t *last;    /* the last `lines` of them, a ring; -1: counted in no column */
    int32_t *running; /* counts over `last` */
    float *rows; /* the last `steps` complete windows, a ring, twice: every sample is one piece */
    uint64_t complete;
    int64_t *first_lines; /* line numbers at which windows begin, a ring */
    size_t first_capacity;
    uint64_t samples;
};

struct le_count_sample {
    int64_t number, first_line, last_line;
    const float *counts; /* steps × features; valid until the next line */
};

/* False: out of memory, or a size that no machine has. */
bool le_count_windows_init(struct le_count_windows *counts, size_t lines, size_t stride,
                           size_t steps, size_t features);
void le_count_windows_free(struct le_count_windows *counts);
void le_count_windows_reset(struct le_count_windows *counts);

/* Takes the next non-blank line; `event` is its column, or negative for none. True: it is the last
 * line of *sample. */
bool le_count_windows_append(struct le_count_windows *counts, int64_t line, int32_t event,
                             struct le_count_sample *sample);

#endif
