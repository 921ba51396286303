/* logexport-engine: which command it is. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "common.h"
#include "logexport/engine.h"
#include "ort.h"

static const char help[] =
    "Usage: logexport-engine BUNDLE\n"
    "         Self-test: checks sums, loads each model and replays its self-test lines.\n"
    "         [--model NAME] [--threads N] [--exact] [--ort-lib PATH]\n"
    "       logexport-engine detect BUNDLE [LOG ...]\n"
    "         One verdict a line, as JSON Lines. LOGs are read as one, in the order given; - is\n"
    "         standard input, and read if none is named. gzip, bzip2, xz and zstd are recognised.\n"
    "         [--model NAME] [--variant portable|optimized] [--top-k K] [--threshold T|NAME]\n"
    "         [--session-by none|host|field:NAME|PATTERN] [--at-end close|leave]\n"
    "         [--session-summary] [--anomalies-only]\n"
    "         [--with file,file_line] [--encoding utf-8|utf-16le|utf-16be]\n"
    "         [--threads N] [--require-proof [--allow-warnings]] [--no-verify] [--no-jit]\n"
    "         [--ort-lib PATH]\n"
    "       logexport-engine check BUNDLE --input NAME=FILE.npy ... --output-dir DIR\n"
    "         Runs the graph on arrays (float32 or int64) and writes its outputs.\n"
    "         [--model NAME] [--variant portable|optimized] [--ort-lib PATH]\n"
    "       logexport-engine info BUNDLE [--ort-lib PATH]\n"
    "         What the bundle, the engine and the runtime are, as JSON.\n"
    "       logexport-engine --version | --help\n"
    "\n"
    "ONNX Runtime (1.17 or later) is taken from --ort-lib, else from the environment variable\n"
    "LOGEXPORT_ORT_LIB, else from the system's library path. Its telemetry is switched off, unless\n"
    "ORT_DISABLE_TELEMETRY is set.\n"
    "Exit status: 0 done, 1 the self-test found a difference, 2 bad usage, input or output,\n"
    "143 after SIGTERM detect could not finish what it had read within two seconds.\n";

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {{"detect", command_detect}, {"check", command_check}, {"info", command_info}};

    if (!le_ort_silence()) /* here, where there is one thread */
        return complain("Out of memory.");
    if (argc < 2) {
        fputs(help, stderr);
        return EXIT_BAD;
    }
    bool asks_for_help = false; /* before or after the command's name */
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        asks_for_help |= strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    if (asks_for_help)
        return fputs(help, stdout) < 0 || fflush(stdout) != 0 ? EXIT_BAD : EXIT_DONE;
    if (strcmp(argv[1], "--version") == 0)
        return printf("logexport-engine %s\n", logexport_version()) < 0 || fflush(stdout) != 0
                   ? EXIT_BAD
                   : EXIT_DONE;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return command_selftest(argc, argv);
}
