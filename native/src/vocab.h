/* vocab.json in the engine's form: index to template. */
#ifndef LE_VOCAB_H
#define LE_VOCAB_H

#include "bundle.h"
#include "metadata.h"

struct le_template {
    const char *text; /* borrowed from the document */
    size_t length;
    bool reserved; /* a label: matches no line */
};

struct le_vocab {
    struct le_json_document document;
    struct le_template *templates;
    int32_t size;
    int32_t unknown; /* the index under which unseen lines enter a window; -1: they do not */
};

enum logexport_status le_vocab_load(struct le_vocab *vocab, const struct le_bundle *bundle,
                                    const struct le_metadata *metadata,
                                    struct logexport_error *error);
void le_vocab_free(struct le_vocab *vocab);

#endif
