#include "pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct worker {
    struct le_pool *pool;
    pthread_t thread;
    int number;
};

struct le_pool {
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct le_job *first, **last; /* waiting jobs, in the order in which they came */
    bool closing;
    int threads, started;
    struct worker workers[];
};

/* Takes the first waiting job and does it; called with the lock held, which is released meanwhile. */
static bool do_one_job(struct le_pool *pool, int worker)
{
    struct le_job *job = pool->first;
    if (job == NULL)
        return false;
    pool->first = job->next;
    if (pool->first == NULL)
        pool->last = &pool->first;
    pthread_mutex_unlock(&pool->lock);
    job->run(job, worker);
    pthread_mutex_lock(&pool->lock);
    job->done = true;
    pthread_cond_broadcast(&pool->done);
    return true;
}

static void *work_until_closed(void *argument)
{
    struct worker *worker = argument;
    struct le_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    while (!pool->closing)
        if (!do_one_job(pool, worker->number))
            pthread_cond_wait(&pool->work, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

enum logexport_status le_pool_new(struct le_pool **out, int threads, struct logexport_error *error)
{
    struct le_pool *pool =
        calloc(1, sizeof *pool + (size_t)(threads - 1) * sizeof pool->workers[0]);
    *out = pool;
    if (pool == NULL)
        return le_out_of_memory(error);
    pool->threads = threads;
    pool->last = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);

    /* Signals are for the caller's threads: a worker inherits that all are blocked. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool ok = true;
    while (ok && pool->started < threads - 1) {
        struct worker *worker = &pool->workers[pool->started];
        *worker = (struct worker){.pool = pool, .number = pool->started};
        ok = pthread_create(&worker->thread, NULL, work_until_closed, worker) == 0;
        pool->started += ok;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (ok)
        return LOGEXPORT_OK;
    le_pool_free(pool);
    *out = NULL;
    return le_fail(error, LOGEXPORT_MEMORY, "%d threads cannot be started.", threads);
}

void le_pool_free(struct le_pool *pool)
{
    if (pool == NULL)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->done);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

void le_pool_submit(struct le_pool *pool, struct le_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    job->done = false;
    *pool->last = job;
    pool->last = &job->next;
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
}

bool le_pool_is_done(struct le_pool *pool, const struct le_job *job)
{
    pthread_mutex_lock(&pool->lock);
    bool done = job->done;
    pthread_mutex_unlock(&pool->lock);
    return done;
}

void le_pool_wait(struct le_pool *pool, const struct le_job *job)
{
    pthread_mutex_lock(&pool->lock);
    while (!job->done)
        if (!do_one_job(pool, pool->threads - 1))
            pthread_cond_wait(&pool->done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}
