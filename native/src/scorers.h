/* Windows to outcomes: what the model is shown, and what is read from what it gives. */
#ifndef LE_SCORERS_H
#define LE_SCORERS_H

#include "memo.h"
#include "metadata.h"
#include "ort.h"

/* Read only once open: used by several threads at once. */
struct le_scorer {
    const struct le_model *model;
    const struct le_task *task;
    int32_t features;     /* of a row: see le_metadata_features() */
    double threshold;     /* of score_threshold: shares are only worked out above it */
    size_t key_size;      /* bytes of a window as it is remembered */
    size_t input_size;    /* bytes of a window as the model is shown it */
    size_t most;          /* windows in a batch, at least 2 */
    const char *names[2]; /* outputs to ask for */
    size_t name_count;
};

/* Checks that the graph has the inputs and outputs that the task says. */
enum logexport_status le_scorer_init(struct le_scorer *scorer, const struct le_model *model,
                                     const struct le_metadata *metadata, double threshold,
                                     struct logexport_error *error);

/* Scores `count` windows, at most `most`, and writes their outcomes. `input` has room for
 * most * input_size bytes. */
enum logexport_status le_scorer_run(const struct le_scorer *scorer, struct le_entry **entries,
                                    size_t count, void *input, struct logexport_error *error);

#endif
