/* NAME.onnx.meta.json: what a model is, how it is fed and how it is read. */
#ifndef LE_METADATA_H
#define LE_METADATA_H

#include "bundle.h"

enum le_input { LE_EVENT_WINDOW, LE_COUNT_MATRIX, LE_SESSION_COUNTS, LE_INPUT_UNKNOWN };
enum le_decision { LE_NEXT_EVENT_TOPK, LE_SCORE_THRESHOLD, LE_DECISION_UNKNOWN };

struct le_task {
    enum le_input input;
    enum le_decision decision;
    const char *input_kind, *decision_kind; /* their names in the metadata */
    int64_t length;                         /* event_window: events in a window */
    int64_t start, end;                     /* event_window: reserved indices; -1: it has none */
    int64_t lines, stride, steps;           /* count_matrix */
    const char *output;                     /* graph output that decides */
    const char *attribution;                /* score_threshold: graph output; NULL: none */
    int64_t top_k;
    double threshold;
    const struct le_json_value *thresholds; /* name → number; NULL for next_event_topk */
};

/* Strings are borrowed from the document. */
struct le_metadata {
    struct le_json_document document;
    const char *model;
    const char *proof; /* of this model; borrowed from the manifest */
    int64_t warnings;  /* beside the proof; LE_UNCOUNTED */
    struct le_task task;
    int64_t vocab_size;
    const char *vocab_file, *preprocess_file;
    const struct le_json_value *reserved; /* name → index */
    const struct le_json_value *variants; /* name → file */
    char graph_file[160];
    char file[160]; /* the metadata's own */
};

enum logexport_status le_metadata_load(struct le_metadata *metadata, const struct le_bundle *bundle,
                                       const char *model, struct logexport_error *error);
void le_metadata_free(struct le_metadata *metadata);

/* Whether this engine knows the task. */
bool le_task_is_known(const struct le_task *task);

/* Whether it judges sessions that begin and end: rules that have no such ones do not fit it. */
bool le_task_needs_sessions(const struct le_task *task);

/* The values of a row of counts, and of an attribution's. */
int64_t le_metadata_features(const struct le_metadata *metadata);

/* The graph's file for a variant, or for NULL the graph itself. */
enum logexport_status le_metadata_graph(const struct le_metadata *metadata,
                                        const struct le_bundle *bundle, const char *variant,
                                        const char **file, struct logexport_error *error);

#endif
