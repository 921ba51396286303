/* Templates to indices: which template a line's tokens are.
 *
 * Templates of one token count that have constants, marks, holes and wildcards at the same places form a
 * shape. A line is looked up in the shapes of its token count, in the order of the first template of
 * each that would be preferred. A look-up costs a hash table's, whatever the number of templates in the
 * shape; templates with the same constants and holes inside tokens are tried one after another. */
#ifndef LE_MATCHING_H
#define LE_MATCHING_H

#include "lines.h"
#include "vocab.h"

struct le_matcher;

/* How templates are read, and which of several that match is taken. */
struct le_matching {
    bool general; /* not the most specific one */
    bool typed;   /* <*:mark> stands for what masks wrote */
    bool inner;   /* <*> inside a token stands for a part of one */
};

#define LE_UNSEEN (-1) /* the index of a line that no template matches */

/* The templates' text is borrowed from the vocabulary. NULL: out of memory. */
struct le_matcher *le_matcher_new(const struct le_vocab *vocab, struct le_matching matching);
void le_matcher_free(struct le_matcher *matcher);

/* Whether a template asks what masks wrote. */
bool le_matcher_knows_marks(const struct le_matcher *matcher);

/* Writes the index of the template, LE_UNSEEN if none matches. `hashes` is the caller's scratch. False:
 * out of memory. */
bool le_matcher_find(const struct le_matcher *matcher, const struct le_tokens *tokens,
                     struct le_buffer *hashes, int32_t *index);

#endif
