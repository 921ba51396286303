/* Reads a log from standard input and prints the numbers of its anomalous lines.
 *
 *     cc anomalies.c $(pkg-config --cflags --libs logexport) -o anomalies
 *     LOGEXPORT_ORT_LIB=/path/to/libonnxruntime.so ./anomalies BUNDLE < app.log
 */
#include <logexport/engine.h>
#include <stdio.h>

static int print_anomaly(void *user, const struct logexport_record *record)
{
    unsigned long *count = user;
    if (record->kind != LOGEXPORT_SESSION && record->verdict == LOGEXPORT_ANOMALY) {
        ++*count;
        if (record->kind == LOGEXPORT_LINE)
            printf("line %lld: %s\n", (long long)record->line,
                   record->reason == LOGEXPORT_UNSEEN ? "never seen before"
                   : record->closed > 0               ? "its session ends too early"
                                                      : "unexpected here");
        else
            printf("lines %lld to %lld: unusual\n", (long long)record->first_line,
                   (long long)record->last_line);
    }
    return 0; /* go on */
}

int main(int argc, char **argv)
{
    static char bytes[1 << 16];
    struct logexport_error error = {0};
    logexport_engine *engine;
    unsigned long count = 0;
    size_t length;

    if (argc != 2) {
        fprintf(stderr, "usage: %s BUNDLE < LOG\n", argv[0]);
        return 2;
    }
    if (logexport_open(argv[1], NULL, print_anomaly, &count, &engine, &error) != LOGEXPORT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    while (error.status == LOGEXPORT_OK && (length = fread(bytes, 1, sizeof bytes, stdin)) > 0)
        logexport_push(engine, bytes, length, &error);
    if (error.status == LOGEXPORT_OK)
        logexport_finish(engine, &error);
    logexport_close(engine);
    if (error.status != LOGEXPORT_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 2;
    }
    printf("%lu anomalies\n", count);
    return 0;
}
