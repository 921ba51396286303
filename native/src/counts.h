/* Counts of each template over windows of lines, and the samples that they make. */
#ifndef LE_COUNTS_H
#define LE_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct le_counts {
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

struct le_sample {
    int64_t number, first_line, last_line;
    const float *counts; /* steps × features; valid until the next line */
};

/* False: out of memory, or a size that no machine has. */
bool le_counts_init(struct le_counts *counts, size_t lines, size_t stride, size_t steps,
                    size_t features);
void le_counts_free(struct le_counts *counts);
void le_counts_reset(struct le_counts *counts);

/* Takes the next non-blank line; `event` is its column, or negative for none. True: it is the last
 * line of *sample. */
bool le_counts_append(struct le_counts *counts, int64_t line, int32_t event,
                      struct le_sample *sample);

#endif
