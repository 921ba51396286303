/* Templates to indices: which template a line's tokens are.
 *
 * Templates of one token count and one pattern of wildcards form a shape. A line is looked up in the
 * shapes of its token count, in the order in which they are preferred: the first that holds it
 * wins. A look-up costs a hash table's, whatever the number of templates in the shape. */
#ifndef LE_MATCHING_H
#define LE_MATCHING_H

#include "lines.h"
#include "vocab.h"

struct le_matcher;

#define LE_UNSEEN (-1) /* the index of a line that no template matches */

/* `general`: of several templates prefer the most wildcards, not the fewest. The templates' text is
 * borrowed from the vocabulary. NULL: out of memory. */
struct le_matcher *le_matcher_new(const struct le_vocab *vocab, bool general);
void le_matcher_free(struct le_matcher *matcher);

/* Writes the index of the template, LE_UNSEEN if none matches. `hashes` is the caller's scratch. False:
 * out of memory. */
bool le_matcher_find(const struct le_matcher *matcher, const struct le_tokens *tokens,
                     struct le_buffer *hashes, int32_t *index);

#endif
