/* Windows that were scored, or are about to be: bounded, looked up by their content.
 *
 * A window and the event that is judged by it are the key; it is compared byte by byte, its hash only
 * finds it. Two generations: when the younger is full it becomes the older, and the older is
 * forgotten. What is found in the older is taken over into the younger. */
#ifndef LE_MEMO_H
#define LE_MEMO_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LE_TOP 5

/* What the model said of a window. */
struct le_outcome {
    int32_t rank; /* next_event_topk; -1: a logit is not finite */
    float score;  /* score_threshold */
    int32_t top_count;
    int32_t top[LE_TOP];
    double share[LE_TOP];
};

struct le_entry {
    struct le_entry *next; /* in its bucket */
    uint64_t hash;
    atomic_int scored; /* set by the worker that wrote the outcome */
    int32_t event;     /* the actual event of next_event_topk, else -1 */
    struct le_outcome outcome;
    alignas(8) unsigned char key[]; /* the window: what the model is shown */
};

struct le_block;

struct le_generation {
    struct le_entry **buckets;
    struct le_block *blocks; /* the first is being filled */
    size_t count;
};

struct le_memo {
    struct le_generation young, old;
    size_t key_size, entry_size, capacity, bucket_mask, block_size;
    struct le_block *spare;
};

/* `least`: entries that a generation holds at least, whatever their size. */
bool le_memo_init(struct le_memo *memo, size_t key_size, size_t least);
void le_memo_free(struct le_memo *memo);

/* The entry of a window, scored or waiting; a new one, with *added set, if there was none. NULL: out
 * of memory. Call le_memo_is_full() before: when it says true, every entry must have been scored and
 * read, and le_memo_turn_generation() must be called. */
struct le_entry *le_memo_find_or_add(struct le_memo *memo, const void *key, int32_t event,
                                     bool *added);
bool le_memo_is_full(const struct le_memo *memo);
void le_memo_turn_generation(struct le_memo *memo);

#endif
