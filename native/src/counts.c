#include "counts.h"

#include <stdlib.h>
#include <string.h>

bool le_counts_init(struct le_counts *counts, size_t lines, size_t stride, size_t steps,
                    size_t features)
{
    *counts =
        (struct le_counts){.lines = lines, .stride = stride, .steps = steps, .features = features};
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
        le_counts_free(counts);
        return false;
    }
    return true;
}

void le_counts_free(struct le_counts *counts)
{
    free(counts->last);
    free(counts->running);
    free(counts->rows);
    free(counts->first_lines);
    *counts = (struct le_counts){0};
}

void le_counts_reset(struct le_counts *counts)
{
    memset(counts->running, 0, counts->features * sizeof *counts->running);
    counts->seen = counts->complete = counts->samples = 0;
}

/* Writes the running counts as the next row, at both of its places in the doubled ring. */
static void complete_row(struct le_counts *counts)
{
    size_t at = (size_t)(counts->complete % counts->steps);
    float *row = counts->rows + at * counts->features;
    for (size_t i = 0; i < counts->features; i++)
        row[i] = (float)counts->running[i]; /* exact: at most 2^24 lines */
    memcpy(row + counts->steps * counts->features, row, counts->features * sizeof *row);
    counts->complete++;
}

bool le_counts_append(struct le_counts *counts, int64_t line, int32_t event,
                      struct le_sample *sample)
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
