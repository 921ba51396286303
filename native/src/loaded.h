/* Everything that an engine reads once and then only looks at. */
#ifndef LE_LOADED_H
#define LE_LOADED_H

#include "bundle.h"
#include "events.h"
#include "matching.h"
#include "metadata.h"
#include "ort.h"
#include "preprocess.h"
#include "scorers.h"
#include "vocab.h"

struct le_loaded {
    struct le_bundle bundle;
    struct le_metadata metadata;
    struct le_vocab vocab;
    struct le_preprocess rules;
    struct le_matcher *matcher;
    struct le_event_reader reader;
    struct le_ort *ort;
    struct le_model *model;
    struct le_scorer scorer;
    int64_t top_k;    /* after options */
    double threshold; /* after options */
};

/* Opens the bundle, checks its sums, applies the options and loads the model. */
enum logexport_status le_load(struct le_loaded *loaded, const char *path,
                              const struct logexport_options *options,
                              struct logexport_error *error);
void le_loaded_free(struct le_loaded *loaded);

/* The parts of it: the bundle and one model's metadata; what turns lines into events. */
enum logexport_status le_load_metadata(struct le_loaded *loaded, const char *path,
                                       const struct logexport_options *options,
                                       struct logexport_error *error);
enum logexport_status le_load_event_reader(struct le_loaded *loaded,
                                           const struct logexport_options *options,
                                           struct logexport_error *error);
enum logexport_status le_load_model(struct le_loaded *loaded,
                                    const struct logexport_options *options,
                                    struct logexport_error *error);

#endif
