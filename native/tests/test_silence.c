/* The runtime is opened with its telemetry switched off, and a host's own choice stays. What is in
 * the environment counts once a process, so each case is a process. The stand-in (fake_ort.c) makes
 * no environment where ORT_DISABLE_TELEMETRY was missing when its library was opened. */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ort.h"
#include "test.h"

#define SWITCH "ORT_DISABLE_TELEMETRY"

static void open_and_close(void)
{
    struct logexport_error error = {0};
    struct le_ort *ort;
    if (le_ort_open(FAKE_ORT, &ort, &error) != LOGEXPORT_OK)
        fprintf(stderr, "%s\n", error.text);
    NEED(ort != NULL);
    le_ort_close(ort);
}

static const char *switch_says(void)
{
    const char *value = getenv(SWITCH);
    return value == NULL ? "(not set)" : value;
}

static void the_first_open_sets_it(void)
{
    unsetenv(SWITCH);
    open_and_close();
    CHECK_TEXT(switch_says(), "1");
}

static void an_open_that_finds_no_runtime_comes_after_it(void)
{
    struct logexport_error error = {0};
    struct le_ort *ort;
    unsetenv(SWITCH);
    CHECK(le_ort_open("/nowhere/libonnxruntime.so", &ort, &error) == LOGEXPORT_RUNTIME);
    CHECK_TEXT(switch_says(), "1");
    open_and_close();
}

static void a_later_open_leaves_the_environment_alone(void)
{
    unsetenv(SWITCH);
    open_and_close();
    unsetenv(SWITCH);
    open_and_close();
    CHECK_TEXT(switch_says(), "(not set)");
}

static void what_the_host_has_set_stays(void)
{
    static const char *const values[] = {"0", "1", "", "true", "as you like"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        pid_t child = fork();
        int status;
        NEED(child >= 0);
        if (child == 0) {
            setenv(SWITCH, values[i], 1);
            const char *before = getenv(SWITCH);
            open_and_close();
            CHECK(getenv(SWITCH) == before); /* not even written again */
            CHECK_TEXT(switch_says(), values[i]);
            _exit(failures != 0);
        }
        NEED(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

static void *open_often(void *nothing)
{
    for (int i = 0; i < 20; i++)
        open_and_close();
    return nothing;
}

static void threads_may_open_at_once(void)
{
    pthread_t threads[4];
    unsetenv(SWITCH);
    for (size_t i = 0; i < 4; i++)
        NEED(pthread_create(&threads[i], NULL, open_often, NULL) == 0);
    for (size_t i = 0; i < 4; i++)
        NEED(pthread_join(threads[i], NULL) == 0);
    CHECK_TEXT(switch_says(), "1");
}

int main(void)
{
    static void (*const cases[])(void) = {the_first_open_sets_it,
                                          an_open_that_finds_no_runtime_comes_after_it,
                                          a_later_open_leaves_the_environment_alone,
                                          what_the_host_has_set_stays, threads_may_open_at_once};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pid_t child = fork();
        int status;
        NEED(child >= 0);
        if (child == 0) {
            cases[i]();
            exit(failures != 0); /* with the leak sanitizer's look around */
        }
        NEED(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    return failures != 0;
}
