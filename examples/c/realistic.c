/*
 * A metric as one would ship it, in C. `examples/metric-realistic` is the same in Rust: both give the same values to
 * the last bit, because both do the same operations in the same order. Read `smallest.c` first.
 *
 *     cc -std=c11 -O2 -ffp-contract=off -shared -fPIC -I../../sdk/include realistic.c -o librealistic.so
 *
 * `-ffp-contract=off` matters: without it a compiler may fuse `a * b + c` into one operation that rounds once, and the
 * values then differ between machines.
 */
#include <math.h>
#include <metricopt.h>

/* What the host handed over; it stays valid for the life of the process. */
static const metricopt_host *the_host = NULL;

/* ---------------------------------------------------------------------------------------------------- options */

/* A configured metric: what a handle points to. Never written after `create`, so threads may share it. */
struct costs {
    double false_positive;
    double false_negative;
    double confusion;
};

/* One option: what it is called, where it goes, and what is allowed. */
struct option {
    const char *name;
    double *value;
    int may_be_zero;
};

static int32_t create(const void *context, metricopt_str config, void **handle, metricopt_sink error) {
    /* The defaults again, for a host that leaves out what the user did not set. */
    struct costs read = {.false_positive = 1.0, .false_negative = 10.0, .confusion = 1.0};
    const struct option options[] = {
        {"false_positive", &read.false_positive, 0},
        {"false_negative", &read.false_negative, 0},
        {"confusion", &read.confusion, 1},
    };
    (void)context;

    /* A bad option must not cost the user a training run. Keys that are no options were refused by the host, which
     * knows the schema. */
    for (size_t at = 0; at < sizeof options / sizeof options[0]; at++) {
        const char *problem = NULL;
        if (metricopt_config_number(config, options[at].name, options[at].value) < 0) {
            problem = "` is not a number";
        } else if (!(*options[at].value > 0.0) && !(options[at].may_be_zero && *options[at].value == 0.0)) {
            problem = options[at].may_be_zero ? "` is less than 0" : "` is not above 0";
        }
        if (problem != NULL) {
            metricopt_begin_error(error, "");
            metricopt_add_text(error, metricopt_text("`"));
            metricopt_add_text(error, metricopt_text(options[at].name));
            metricopt_add_text(error, metricopt_text(problem));
            return metricopt_end_error(error, METRICOPT_CONFIGURATION);
        }
    }

    /* The handle is ours until `destroy`; the host never looks inside. */
    struct costs *kept = malloc(sizeof *kept);
    if (kept == NULL) {
        return metricopt_fail(error, METRICOPT_ERROR, "out of memory");
    }
    *kept = read;
    *handle = kept;
    return METRICOPT_OK;
}

static void destroy(void *handle) {
    free(handle);
}

/* ------------------------------------------------------------------------------------------------- arithmetic */

/* What the cheapest constant decision costs; above 0. Only the labels decide it. */
static int32_t baseline(const struct costs *costs, const metricopt_classification *input, double *cheapest,
                        metricopt_sink error) {
    /* Before anything is allocated: a tensor without rows may claim any number of columns. */
    if (input->rows == 0) {
        return metricopt_undefined(error, "no samples");
    }
    uint64_t *samples = calloc(input->classes, sizeof *samples);
    if (samples == NULL) {
        return metricopt_fail(error, METRICOPT_ERROR, "out of memory");
    }
    for (size_t row = 0; row < input->rows; row++) {
        samples[input->labels[row]] += 1;
    }
    uint64_t negatives = samples[0], positives = input->rows - negatives, largest = 0;
    for (size_t class = 1; class < input->classes; class++) {
        largest = samples[class] > largest ? samples[class] : largest;
    }
    free(samples);

    /* Among the other classes the most frequent one costs the least. */
    double always_0 = costs->false_negative * (double)positives;
    double always_largest =
        costs->false_positive * (double)negatives + costs->confusion * (double)(positives - largest);
    *cheapest = always_0 < always_largest ? always_0 : always_largest;
    if (!(*cheapest > 0.0)) {
        return metricopt_undefined(error, "a constant decision costs nothing");
    }
    return METRICOPT_OK;
}

static int32_t relative_to(double cheapest, const struct costs *costs, const metricopt_classification *input,
                           double *value, metricopt_sink error) {
    uint64_t false_positives = 0, false_negatives = 0, mixed_up = 0;
    int32_t status = metricopt_check_decisions(input, error);
    if (status != METRICOPT_OK) {
        return status;
    }
    for (size_t row = 0; row < input->rows; row++) {
        size_t label = (size_t)input->labels[row];
        size_t class = metricopt_decision(input, row);
        false_positives += label == 0 && class != 0;
        false_negatives += label != 0 && class == 0;
        mixed_up += label != 0 && class != 0 && class != label;
    }
    double cost = costs->false_positive * (double)false_positives + costs->false_negative * (double)false_negatives +
                  costs->confusion * (double)mixed_up;
    *value = cost / cheapest;
    if (*value > 1.0) {
        metricopt_log(the_host, METRICOPT_LOG_DEBUG, "example-realistic-c", "a constant decision would cost less");
    }
    return METRICOPT_OK;
}

/* ------------------------------------------------------------------------------------------------- evaluation */

static int32_t evaluate(void *handle, const metricopt_view *views, size_t views_len, const metricopt_call *call,
                        double *value, metricopt_sink error) {
    metricopt_classification input;
    double cheapest;
    (void)call;

    int32_t status = metricopt_get_classification(views, views_len, &input, error);
    if (status == METRICOPT_OK) {
        status = baseline(handle, &input, &cheapest, error);
    }
    if (status == METRICOPT_OK) {
        status = relative_to(cheapest, handle, &input, value, error);
    }
    return status;
}

/* The candidates of one step have the same labels, so that the baseline is computed once for all of them. */
static int32_t evaluate_many(void *handle, const metricopt_candidate *candidates, size_t candidates_len,
                             const metricopt_call *call, double *values, metricopt_sink error) {
    double cheapest = 0.0;
    for (size_t at = 0; at < candidates_len; at++) {
        metricopt_classification input;
        /* Whoever presses Ctrl-C should not have to wait for the rest. */
        if (metricopt_cancelled(call)) {
            return metricopt_fail(error, METRICOPT_CANCELLED, "cancelled");
        }
        int32_t status =
            metricopt_get_classification(candidates[at].views, candidates[at].views_len, &input, error);
        if (status == METRICOPT_OK && at == 0) {
            status = baseline(handle, &input, &cheapest, error);
        }
        if (status == METRICOPT_OK) {
            status = relative_to(cheapest, handle, &input, &values[at], error);
        }
        if (status != METRICOPT_OK) {
            return status;
        }
    }
    return METRICOPT_OK;
}

/* ----------------------------------------------------------------------------------------------------- tables */

static const metricopt_metric NORMALISED_COST = {
    .size = sizeof(metricopt_metric),
    .name = METRICOPT_STR("normalised-cost-c"),
    .docs = METRICOPT_STR(
        "Normalised cost: what the decisions cost, relative to the cheapest decision that ignores the data.\n"
        "\n"
        "```text\n"
        "cost = false_positive FP + false_negative FN + confusion MIX\n"
        "NC   = cost / min over classes k of the cost of deciding for k every time\n"
        "```\n"
        "\n"
        "Class 0 is \"nothing there\". FP counts its samples that are decided otherwise, FN the samples of other\n"
        "classes that are decided to be of class 0, MIX the samples of other classes that are taken for one another.\n"
        "0 is perfect, and from 1 on the model is no use: a constant decision costs as much.\n"
        "\n"
        "Source: the normalised detection cost of Martin and Przybocki, The NIST 1999 Speaker Recognition Evaluation,\n"
        "2000; here with several classes.\n"
        "\n"
        "Degenerate input: undefined without samples, and where a constant decision costs nothing, as with labels of\n"
        "one class only."),
    /* `host describe` shows it; the keys are those of `defaults`. */
    .schema = METRICOPT_STR(
        "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {"
        "\"false_positive\": {\"type\": \"number\", \"description\": \"Cost of a false alarm, above 0.\"},"
        "\"false_negative\": {\"type\": \"number\", \"description\": \"Cost of a miss, above 0.\"},"
        "\"confusion\": {\"type\": \"number\", \"description\":"
        " \"Cost of taking one class for another, neither of them class 0; at least 0.\"}}}"),
    .defaults = METRICOPT_STR("{\"false_positive\": 1.0, \"false_negative\": 10.0, \"confusion\": 1.0}"),
    .kind = METRICOPT_CLASSIFICATION,
    .direction = METRICOPT_MINIMISE,
    .flags = METRICOPT_CONCURRENT,
    .low = 0.0,
    .high = INFINITY,
    .create = create,
    .evaluate = evaluate,
    .destroy = destroy,
    .evaluate_many = evaluate_many,
};

static const metricopt_metric *const METRICS[] = {&NORMALISED_COST};

static const metricopt_plugin PLUGIN = {
    .size = sizeof(metricopt_plugin),
    .minor = METRICOPT_ABI_MINOR,
    .name = METRICOPT_STR("example-realistic-c"),
    .version = METRICOPT_STR("0.1.0"),
    .target = METRICOPT_STR(METRICOPT_TARGET),
    .compiler = METRICOPT_STR(METRICOPT_COMPILER),
    .metrics = METRICS,
    .metrics_len = 1,
};

const metricopt_plugin *metricopt_plugin_v1(const metricopt_host *host) {
    the_host = host;
    return &PLUGIN;
}
