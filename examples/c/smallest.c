/*
 * The smallest metric in C: one function, two tables, one exported function. `examples/metric-smallest` is the same in
 * Rust.
 *
 *     cc -std=c11 -O2 -ffp-contract=off -shared -fPIC -I../../sdk/include smallest.c -o libsmallest.so
 */
#include <metricopt.h>

/* Nothing to configure, so nothing to remember: the handle stays null. */
static int32_t create(const void *context, metricopt_str config, void **handle, metricopt_sink error) {
    (void)context, (void)config, (void)handle, (void)error;
    return METRICOPT_OK;
}

static void destroy(void *handle) {
    (void)handle;
}

static int32_t evaluate(void *handle, const metricopt_view *views, size_t views_len, const metricopt_call *call,
                        double *value, metricopt_sink error) {
    metricopt_classification input;
    uint64_t of_class_0 = 0, found = 0;
    (void)handle, (void)call;

    /* The host promises tensors, not their values. These two check everything that is read below. */
    int32_t status = metricopt_get_classification(views, views_len, &input, error);
    if (status == METRICOPT_OK) {
        status = metricopt_check_decisions(&input, error);
    }
    if (status != METRICOPT_OK) {
        return status;
    }
    for (size_t row = 0; row < input.rows; row++) {
        if (input.labels[row] == 0) {
            of_class_0 += 1;
            found += metricopt_decision(&input, row) == 0;
        }
    }
    if (of_class_0 == 0) {
        return metricopt_undefined(error, "no samples of class 0");
    }
    *value = (double)found / (double)of_class_0;
    return METRICOPT_OK;
}

static const metricopt_metric SPECIFICITY = {
    .size = sizeof(metricopt_metric),
    .name = METRICOPT_STR("specificity-c"),
    .docs = METRICOPT_STR("Specificity: share of the samples of class 0 that are decided to be of class 0.\n"
                          "\n"
                          "Undefined where no sample is of class 0."),
    .kind = METRICOPT_CLASSIFICATION,
    .direction = METRICOPT_MAXIMISE,
    /* Nothing is shared between calls, so several threads may call at once. */
    .flags = METRICOPT_CONCURRENT,
    .low = 0.0,
    .high = 1.0,
    .create = create,
    .evaluate = evaluate,
    .destroy = destroy,
};

static const metricopt_metric *const METRICS[] = {&SPECIFICITY};

static const metricopt_plugin PLUGIN = {
    .size = sizeof(metricopt_plugin),
    .minor = METRICOPT_ABI_MINOR,
    .name = METRICOPT_STR("example-smallest-c"),
    .version = METRICOPT_STR("0.1.0"),
    .target = METRICOPT_STR(METRICOPT_TARGET),
    .compiler = METRICOPT_STR(METRICOPT_COMPILER),
    .metrics = METRICS,
    .metrics_len = 1,
};

const metricopt_plugin *metricopt_plugin_v1(const metricopt_host *host) {
    (void)host;
    return &PLUGIN;
}
