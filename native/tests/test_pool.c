/* Jobs are each done once, by the workers and by the thread that waits. */
#include "pool.h"
#include "test.h"

enum { JOBS = 300 };

struct counted {
    struct le_job job;
    int done, worker;
};

static void count(struct le_job *job, int worker)
{
    struct counted *counted = (struct counted *)(void *)job;
    counted->done++;
    counted->worker = worker;
}

int main(void)
{
    for (int threads = 2; threads <= 5; threads++) {
        static struct counted jobs[JOBS];
        struct logexport_error error;
        struct le_pool *pool;
        NEED(le_pool_new(&pool, threads, &error) == LOGEXPORT_OK);
        for (int i = 0; i < JOBS; i++) {
            jobs[i] = (struct counted){.job.run = count};
            le_pool_submit(pool, &jobs[i].job);
            if (i % 10 == 9)
                le_pool_wait(pool, &jobs[i - (int)below(10)].job);
        }
        for (int i = JOBS - 1; i >= 0; i--) {
            le_pool_wait(pool, &jobs[i].job);
            CHECK(le_pool_is_done(pool, &jobs[i].job));
            CHECK(jobs[i].done == 1 && jobs[i].worker >= 0 && jobs[i].worker < threads);
        }
        le_pool_submit(pool, &jobs[0].job); /* may be dropped, or done */
        le_pool_free(pool);
    }
    return failures != 0;
}
