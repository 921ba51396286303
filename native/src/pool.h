/* Jobs and the threads that do them. */
#ifndef LE_POOL_H
#define LE_POOL_H

#include <stdbool.h>

#include "errors.h"

struct le_pool;

/* Work to be done once. Embedded in what it works on; `run` gets the number of the worker. */
struct le_job {
    void (*run)(struct le_job *job, int worker);
    struct le_job *next;
    bool done; /* guarded by the pool */
};

/* `threads` in all, the calling one included: it does jobs while it waits, as worker threads - 1. */
enum logexport_status le_pool_new(struct le_pool **pool, int threads,
                                  struct logexport_error *error);

/* Waits for the jobs that are running and drops the others. */
void le_pool_free(struct le_pool *pool);

void le_pool_submit(struct le_pool *pool, struct le_job *job);
bool le_pool_is_done(struct le_pool *pool, const struct le_job *job);
void le_pool_wait(struct le_pool *pool, const struct le_job *job);

#endif
