/* logexport-engine check: a graph's outputs for given arrays, for the comparison with PyTorch. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "commands.h"
#include "common.h"
#include "files.h"
#include "loaded.h"
#include "npy.h"

struct arguments {
    struct logexport_options options;
    const char *bundle, *output_dir;
    const char *inputs[LE_MAX_VALUES]; /* NAME=FILE */
    size_t input_count;
};

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option long_options[] = {
        {"model", required_argument, NULL, 'm'},   {"variant", required_argument, NULL, 'v'},
        {"input", required_argument, NULL, 'i'},   {"output-dir", required_argument, NULL, 'o'},
        {"ort-lib", required_argument, NULL, 'l'}, {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        switch (option) {
        case 'm':
            arguments->options.model = optarg;
            break;
        case 'v':
            arguments->options.variant = optarg;
            break;
        case 'i':
            if (strchr(optarg, '=') == NULL || arguments->input_count == LE_MAX_VALUES) {
                complain("--input takes NAME=FILE.npy, at most %d times.", LE_MAX_VALUES);
                return false;
            }
            arguments->inputs[arguments->input_count++] = optarg;
            break;
        case 'o':
            arguments->output_dir = optarg;
            break;
        case 'l':
            arguments->options.ort_library = optarg;
            break;
        default:
            return false;
        }
    }
    if (argc - optind != 1 || arguments->output_dir == NULL) {
        complain("check takes one bundle, --input for each input, and --output-dir; see --help.");
        return false;
    }
    arguments->bundle = argv[optind];
    return true;
}

static const char *file_of(const struct arguments *arguments, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < arguments->input_count; i++)
        if (strncmp(arguments->inputs[i], name, length) == 0 && arguments->inputs[i][length] == '=')
            return arguments->inputs[i] + length + 1;
    return NULL;
}

static enum logexport_status read_inputs(const struct arguments *arguments,
                                         const struct le_model *model, struct le_tensor *tensors,
                                         struct logexport_error *error)
{
    const struct le_value_info *inputs;
    size_t count = le_model_inputs(model, &inputs);
    if (arguments->input_count != count)
        return le_fail(error, LOGEXPORT_USAGE, "The graph has %zu inputs, but --input names %zu.",
                       count, arguments->input_count);
    for (size_t i = 0; i < count; i++) {
        const char *file = file_of(arguments, inputs[i].name);
        if (file == NULL)
            return le_fail(error, LOGEXPORT_USAGE, "No --input names the graph's input %.100s.",
                           inputs[i].name);
        enum logexport_status status = npy_read(file, &tensors[i], error);
        if (status != LOGEXPORT_OK)
            return status;
        if (tensors[i].type != inputs[i].type)
            return le_fail(error, LOGEXPORT_USAGE,
                           "%.300s is not of the type that the input %.100s declares.", file,
                           inputs[i].name);
    }
    return LOGEXPORT_OK;
}

static enum logexport_status write_outputs(const char *directory, const struct le_model *model,
                                           const struct le_tensor *tensors,
                                           struct logexport_error *error)
{
    const struct le_value_info *outputs;
    size_t count = le_model_outputs(model, &outputs);
    if (mkdir(directory, 0777) != 0 && errno != EEXIST)
        return le_fail(error, LOGEXPORT_USAGE, "%.300s cannot be made: %s.", directory,
                       strerror(errno));
    for (size_t i = 0; i < count; i++) {
        char path[700];
        if (!le_file_name_is_plain(outputs[i].name, strlen(outputs[i].name)))
            return le_fail(error, LOGEXPORT_BUNDLE,
                           "The graph's output \"%.100s\" cannot be the name of a file.",
                           outputs[i].name);
        if (snprintf(path, sizeof path, "%s/%s.npy", directory, outputs[i].name) >=
            (int)sizeof path)
            return le_fail(error, LOGEXPORT_USAGE, "The path of --output-dir is too long.");
        enum logexport_status status = npy_write(path, &tensors[i], error);
        if (status != LOGEXPORT_OK)
            return status;
    }
    return LOGEXPORT_OK;
}

static enum logexport_status run_graph(const struct arguments *arguments,
                                       const struct le_model *model, struct logexport_error *error)
{
    const struct le_value_info *values;
    const char *names[LE_MAX_VALUES];
    struct le_tensor inputs[LE_MAX_VALUES] = {{0}}, outputs[LE_MAX_VALUES];
    size_t count = le_model_outputs(model, &values);
    for (size_t i = 0; i < count; i++)
        names[i] = values[i].name;
    enum logexport_status status = read_inputs(arguments, model, inputs, error);
    if (status == LOGEXPORT_OK &&
        (status = le_model_run(model, inputs, names, outputs, count, error)) == LOGEXPORT_OK) {
        status = write_outputs(arguments->output_dir, model, outputs, error);
        for (size_t i = 0; i < count; i++)
            le_tensor_release(model, &outputs[i]);
    }
    for (size_t i = 0; i < LE_MAX_VALUES; i++)
        free(inputs[i].data);
    return status;
}

int command_check(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct logexport_error error;
    struct le_loaded loaded = {.bundle.fd = -1};
    logexport_options_init(&arguments.options, sizeof arguments.options);
    if (!read_arguments(argc, argv, &arguments))
        return EXIT_BAD;
    enum logexport_status status =
        le_load_metadata(&loaded, arguments.bundle, &arguments.options, &error);
    if (status == LOGEXPORT_OK)
        status = le_load_model(&loaded, &arguments.options, &error);
    if (status == LOGEXPORT_OK)
        status = run_graph(&arguments, loaded.model, &error);
    le_loaded_free(&loaded);
    return status == LOGEXPORT_OK ? EXIT_DONE : complain("%s", error.text);
}
