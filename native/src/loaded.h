/* Everything that an engine reads once and then only looks at. */
#ifndef LE_LOADED_H
#define LE_LOADED_H

#include "bundle.h"
#include "matcher.h"
#include "meta.h"
#include "ort.h"
#include "rules.h"
#include "scorer.h"
#include "text.h"
#include "vocab.h"

struct le_loaded {
    struct le_bundle bundle;
    struct le_meta meta;
    struct le_vocab vocab;
    struct le_rules rules;
    struct le_matcher *matcher;
    struct le_text text;
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

/* The parts of it: the bundle and one model's metadata; what the text stage needs. */
enum logexport_status le_load_meta(struct le_loaded *loaded, const char *path,
                                   const struct logexport_options *options,
                                   struct logexport_error *error);
enum logexport_status le_load_text(struct le_loaded *loaded,
                                   const struct logexport_options *options,
                                   struct logexport_error *error);
enum logexport_status le_load_model(struct le_loaded *loaded,
                                    const struct logexport_options *options,
                                    struct logexport_error *error);

#endif
