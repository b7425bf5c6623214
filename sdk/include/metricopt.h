/*
 * metricopt.h: write a plugin for metricopt in C, or in any language that can call C. This is ABI version 1.
 *
 * A plugin is a shared library that exports one function, `metricopt_plugin_v1`. The host calls it once and receives
 * a `metricopt_plugin`, which lists metrics and tasks as tables of functions. `examples/c` holds two metrics to copy.
 * The header needs nothing but the standard library; C11 and C++17 compile it without a warning.
 *
 * Rules
 *
 * 1. Everything passed in is borrowed for the duration of the call. What the handshake hands over (`metricopt_host`,
 *    `metricopt_plugin`, tables and their texts) must stay where it is for the life of the process: nothing is
 *    unloaded. Static data is the simplest way.
 * 2. Everything of variable length goes out through a callback of the caller: `metricopt_sink` for text,
 *    `metricopt_emit` for tensors. No memory changes its owner, so both sides may use allocators of their own.
 * 3. Owned across the boundary are only handles, made by `create` and `open` and ended once by `destroy` and `close`,
 *    and the tensor that `gradients` returns.
 * 4. A struct that begins with `size` only grows at its end. Set `size` to the `sizeof` of your own struct; before you
 *    read a field of the host's, ask `METRICOPT_HAS`. A null function means "not offered". Lists of such structs are
 *    arrays of pointers.
 * 5. Nothing unwinds across the boundary: a C++ function must catch everything and return METRICOPT_PANIC, after which
 *    its handle is only destroyed.
 *
 * Text is UTF-8. Pointers are never null unless the comment says so. Functions may be called from any thread, also
 * those of one table at the same time; for one handle see METRICOPT_CONCURRENT.
 */
#ifndef METRICOPT_H
#define METRICOPT_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the ABI; the exported function ends in it. */
#define METRICOPT_ABI_VERSION 1
/* Raised by what is added without breaking a rule; nobody is ever refused for it. */
#define METRICOPT_ABI_MINOR 1

/* What this file is compiled for, as `metricopt_plugin.target` wants it. Not defined where no host runs. */
#if defined(__linux__) && !defined(__ANDROID__) && defined(__x86_64__) && !defined(__ILP32__)
#define METRICOPT_TARGET "x86_64-linux"
#elif defined(__linux__) && !defined(__ANDROID__) && defined(__aarch64__) && !defined(__ILP32__)
#define METRICOPT_TARGET "aarch64-linux"
#elif defined(__APPLE__) && defined(__MACH__) && defined(__x86_64__)
#define METRICOPT_TARGET "x86_64-macos"
#elif defined(__APPLE__) && defined(__MACH__) && defined(__aarch64__)
#define METRICOPT_TARGET "aarch64-macos"
#endif

/* Name and version of the compiler, for `metricopt_plugin.compiler`. */
#if defined(__clang__)
#define METRICOPT_COMPILER "clang " __clang_version__
#elif defined(__GNUC__)
#define METRICOPT_COMPILER "gcc " __VERSION__
#else
#define METRICOPT_COMPILER "unknown"
#endif

/* Makes a function visible outside of the library, also under `-fvisibility=hidden`. */
#if defined(__GNUC__)
#define METRICOPT_EXPORT __attribute__((visibility("default")))
#else
#define METRICOPT_EXPORT
#endif

/* A literal as the initialiser of a `metricopt_str`: `metricopt_str name = METRICOPT_STR("f1");`. */
#define METRICOPT_STR(literal) { "" literal "", sizeof("" literal "") - 1 }

/* Whether a struct of the other side reaches as far as `field`; `pointer` may be null. */
#define METRICOPT_HAS(type, pointer, field) \
    ((pointer) != NULL && (pointer)->size >= offsetof(type, field) + sizeof((pointer)->field))

/* ------------------------------------------------------------------------------------------------ texts and errors */

/* Borrowed text, not terminated. */
typedef struct metricopt_str {
    const char *data; /* First byte; may be null if `len` is 0. */
    size_t len;       /* Number of bytes. */
} metricopt_str;

/* Takes text: a callback of the caller, for the duration of the call and only from the calling thread. */
typedef struct metricopt_sink {
    void *context; /* Goes back to `write`; may be null. */
    /* Takes a piece of text, which it copies. May be called several times: the pieces are joined. */
    void (*write)(void *context, metricopt_str text);
} metricopt_sink;

/*
 * What a function returns. Where it is not METRICOPT_OK, the sink `error` holds the reason: plain text, or JSON as
 * `metricopt_fail` and its like below write it: `{"message": "...", "kind": "undefined" or "data", "causes": ["..."],
 * "help": ["..."]}`, of which all but the message may be left out. Messages are lower case without a full stop.
 */
enum metricopt_status {
    METRICOPT_OK = 0,            /* Done. */
    METRICOPT_ERROR = 1,         /* Failed. */
    METRICOPT_PANIC = 2,         /* Threw: the handle is only destroyed after that. */
    METRICOPT_CONFIGURATION = 3, /* The configuration is at fault. */
    METRICOPT_UNSUPPORTED = 4,   /* Not offered. */
    METRICOPT_CANCELLED = 5      /* The user asked to stop. */
};

/* --------------------------------------------------------------------------------------------------------- tensors */

/*
 * The next three structs are those of DLPack 1.x, byte for byte, under names of their own: `dlpack.h` may be included
 * too, and a `metricopt_dl_tensor` copied field by field into a `DLTensor`.
 */

/* `DLDevice`. */
typedef struct metricopt_dl_device {
    int32_t device_type; /* METRICOPT_DL_CPU or METRICOPT_DL_CUDA. */
    int32_t device_id;   /* Which of them, from 0. */
} metricopt_dl_device;

/* `DLDataType`. */
typedef struct metricopt_dl_data_type {
    uint8_t code;   /* METRICOPT_DL_INT, METRICOPT_DL_UINT or METRICOPT_DL_FLOAT. */
    uint8_t bits;   /* Bits of one element. */
    uint16_t lanes; /* Always 1. */
} metricopt_dl_data_type;

/* `DLTensor`; here always in the memory of the CPU, row-major and contiguous. */
typedef struct metricopt_dl_tensor {
    void *data;                   /* First element, aligned, to be read only; may be null if there is none. */
    metricopt_dl_device device;   /* Where the elements are. */
    int32_t ndim;                 /* Number of dimensions; 0 for a single number. */
    metricopt_dl_data_type dtype; /* Type of the elements. */
    int64_t *shape;               /* `ndim` extents, outermost first, to be read only; may be null if `ndim` is 0. */
    int64_t *strides;             /* Null: row-major and contiguous. */
    uint64_t byte_offset;         /* Always 0. */
} metricopt_dl_tensor;

enum metricopt_dl_device_type {
    METRICOPT_DL_CPU = 1, /* Memory of the CPU. */
    METRICOPT_DL_CUDA = 2 /* A CUDA device; only in `metricopt_open.device`. */
};

/* The element types that cross are f32, f64, i64 and u8. */
enum metricopt_dl_type_code {
    METRICOPT_DL_INT = 0,  /* Signed integers. */
    METRICOPT_DL_UINT = 1, /* Unsigned integers. */
    METRICOPT_DL_FLOAT = 2 /* Floating point. */
};

/* A named tensor, to be read only. */
typedef struct metricopt_view {
    metricopt_str name;         /* The name, such as `scores`. */
    metricopt_dl_tensor tensor; /* The tensor. */
} metricopt_view;

/* The named tensors of one candidate: of one adapter that is being tried. */
typedef struct metricopt_candidate {
    const metricopt_view *views; /* The first of `views_len` views; may be null if there is none. */
    size_t views_len;            /* Number of views. */
} metricopt_candidate;

/* Which tensors make up a prediction. N samples, C classes, D dimensions, M detections, G true boxes. */
enum metricopt_kind {
    METRICOPT_CLASSIFICATION = 0, /* `scores` f32 [N] or [N, C], `labels` i64 [N]. */
    METRICOPT_RETRIEVAL = 1,      /* `embeddings` f32 [N, D], `labels` i64 [N]; there may be
                                     `query_embeddings` f32 [Q, D], `query_labels` i64 [Q]; where only some
                                     items are queries, `query_rows` i64 [Q]. */
    METRICOPT_DETECTION = 2,      /* `boxes` f32 [M, 4] (x1, y1, x2, y2), `scores` f32 [M], `labels` i64 [M],
                                     `image_ids` i64 [M], `gt_boxes` f32 [G, 4], `gt_labels` i64 [G],
                                     `gt_image_ids` i64 [G], `gt_difficult` u8 [G]. */
    METRICOPT_NAMED = 3           /* Any tensors, by name. */
};

/* ------------------------------------------------------------------------------------------------ host and plugin */

/* What every longer call carries. */
typedef struct metricopt_call {
    size_t size;      /* Size of this struct. */
    uint32_t threads; /* Number of threads the call may use, at least 1; the result must not depend on it. */
    uint32_t flags;   /* Ignore those not known. */
    void *context;    /* Goes back to `cancelled`; may be null. */
    /* Says from any thread whether the user asked to stop: not 0 if so. May be null; see `metricopt_cancelled`. */
    int32_t (*cancelled)(void *context);
} metricopt_call;

/* How much a log line matters. */
enum metricopt_log_level {
    METRICOPT_LOG_ERROR = 1,   /* Something failed. */
    METRICOPT_LOG_WARNING = 2, /* Something is not as it should be. */
    METRICOPT_LOG_INFO = 3,    /* Something worth knowing happened. */
    METRICOPT_LOG_DEBUG = 4,   /* For whoever looks for a fault. */
    METRICOPT_LOG_TRACE = 5    /* Everything. */
};

/* What the host offers a plugin, for the life of the process. */
typedef struct metricopt_host {
    size_t size;        /* Size of this struct. */
    uint32_t minor;     /* Minor version of the host's ABI. */
    uint32_t max_level; /* The most detailed level that is logged at all. */
    uint64_t features;  /* Ignore those not known. */
    void *context;      /* Goes back to `log`; may be null. */
    /* Logs from any thread; `target` says where the line comes from. May be null; see `metricopt_log`. */
    void (*log)(void *context, uint32_t level, metricopt_str target, metricopt_str message);
} metricopt_host;

struct metricopt_metric;
struct metricopt_task;

/* What a library offers: one package, and the next. */
typedef struct metricopt_plugin {
    size_t size;                                   /* sizeof(metricopt_plugin). */
    uint32_t minor;                                /* METRICOPT_ABI_MINOR. */
    uint32_t reserved;                             /* Zero. */
    uint64_t features;                             /* Zero. */
    metricopt_str name;                            /* Name of the plugin: lower case with hyphens. */
    metricopt_str version;                         /* Its version. */
    metricopt_str target;                          /* METRICOPT_TARGET: must be the host's. */
    metricopt_str sdk;                             /* What it was written with, for information; may be empty. */
    metricopt_str compiler;                        /* METRICOPT_COMPILER, for information; may be empty. */
    metricopt_str libtorch;                        /* Empty without tasks, else the version of libtorch it was compiled
                                                      against, such as `2.11.0`: must be the host's. */
    const struct metricopt_metric *const *metrics; /* `metrics_len` pointers to metrics; null if there are none. */
    size_t metrics_len;                            /* Number of metrics. */
    const struct metricopt_task *const *tasks;     /* `tasks_len` pointers to tasks; null if there are none. */
    size_t tasks_len;                              /* Number of tasks. */
    const struct metricopt_plugin *next;           /* The next package of the same library; null for none. */
} metricopt_plugin;

/*
 * The one function that a plugin exports: define it. Called once, before everything else. Null declines; log why.
 */
METRICOPT_EXPORT const metricopt_plugin *metricopt_plugin_v1(const metricopt_host *host);

/* --------------------------------------------------------------------------------------------------------- metrics */

/* Which way a metric improves. */
enum metricopt_direction {
    METRICOPT_MINIMISE = 0, /* Lower is better. */
    METRICOPT_MAXIMISE = 1  /* Higher is better. */
};

/* Flag of a metric: one handle may be used from several threads at once; without it the host takes turns. */
#define METRICOPT_CONCURRENT UINT64_C(1)
/* Flag of a metric: only the order of the scores counts. */
#define METRICOPT_RANK_BASED UINT64_C(2)
/* Flag of a metric: equal scores are ordered by the place of their rows, so that these may not be shuffled. */
#define METRICOPT_TIES_BY_INDEX UINT64_C(4)

/* A metric. It must be a pure function of configuration and predictions. */
typedef struct metricopt_metric {
    size_t size;            /* sizeof(metricopt_metric). */
    const void *context;    /* Goes back to `create`; may be null. */
    metricopt_str name;     /* The name users type: lower case with hyphens. */
    metricopt_str docs;     /* Definition and source in Markdown, the first sentence a summary; may be empty if the
                               schema has a `description`. */
    metricopt_str schema;   /* JSON schema of the configuration; empty if there is none. */
    metricopt_str defaults; /* The default configuration, a JSON object with every key there is; empty for `{}`. */
    uint32_t kind;          /* The prediction kind it takes, of `enum metricopt_kind`. */
    uint32_t direction;     /* METRICOPT_MINIMISE or METRICOPT_MAXIMISE. */
    uint64_t flags;         /* Any of METRICOPT_CONCURRENT, METRICOPT_RANK_BASED and METRICOPT_TIES_BY_INDEX. */
    double low;             /* The least value, or minus infinity. A value outside is reported as a fault. */
    double high;            /* The greatest value, or infinity. */
    /*
     * Configures the metric from a JSON object that holds every key of `defaults` and no other. Fills `handle`, which
     * may be null: it only goes back to the functions below. Where it fails there is no handle.
     */
    int32_t (*create)(const void *context, metricopt_str config, void **handle, metricopt_sink error);
    /*
     * Fills `value` with the metric on one set of predictions, in its natural sense: an F1 of 0.68 is 0.68. Never NaN:
     * where the definition gives no value, return `metricopt_undefined`.
     */
    int32_t (*evaluate)(void *handle, const metricopt_view *views, size_t views_len, const metricopt_call *call,
                        double *value, metricopt_sink error);
    /* Ends a handle; nothing else is called with it any more. */
    void (*destroy)(void *handle);
    /*
     * Fills the `candidates_len` values of all candidates of one step, in order. Null unless they can share work: they
     * are predictions on the same rows, so that labels and true boxes are the same in all. The values must be those of
     * `evaluate`, bit for bit. Without it the host spreads the candidates over its threads by itself.
     */
    int32_t (*evaluate_many)(void *handle, const metricopt_candidate *candidates, size_t candidates_len,
                             const metricopt_call *call, double *values, metricopt_sink error);
    /* Writes the whole configuration as JSON; null if that is what `create` was given. */
    int32_t (*configuration)(void *handle, metricopt_sink json);
} metricopt_metric;

/* ----------------------------------------------------------------------------------------------------------- tasks */

/* Parts of the data. */
enum metricopt_split {
    METRICOPT_TRAIN = 0,      /* Rows to train on. */
    METRICOPT_VALIDATION = 1, /* Rows to choose by. */
    METRICOPT_TEST = 2        /* Rows to report. */
};

/* Which units of a split a prediction is about. */
enum metricopt_part {
    METRICOPT_ALL = 0,   /* All of them. */
    METRICOPT_FOLD = 1,  /* One fold of several. */
    METRICOPT_SAMPLE = 2 /* A random sample. */
};

/* What a task is opened with. */
typedef struct metricopt_open {
    size_t size;                /* Size of this struct. */
    metricopt_dl_device device; /* Where the network lives. */
    uint64_t seed;              /* Seed of splits, initialisation and training. */
    metricopt_str cache;        /* Folder for results that can be computed again; empty to keep nothing. */
    const metricopt_call *call; /* Threads to use and the wish to stop. */
    void *context;              /* Goes back to `progress`; may be null. */
    /* Hears what is being done, how much is done, of how much; only from the calling thread. May be null. */
    void (*progress)(void *context, metricopt_str doing, uint64_t done, uint64_t total);
} metricopt_open;

/* One minibatch of the surrogate loss. Its rows must follow from these fields alone. */
typedef struct metricopt_batch {
    size_t size;                /* Size of this struct. */
    uint32_t split;             /* Of `enum metricopt_split`. */
    uint32_t reserved;          /* Zero. */
    uint64_t seed;              /* Seed of the run that asks. */
    uint64_t step;              /* Step within that run, from 0. */
    uint64_t rows;              /* Number of rows. */
    double fraction;            /* Share of the split that this run may see, above 0 to 1. */
    const float *class_weights; /* Weight of each class in the loss; null if there are none. */
    size_t class_weights_len;   /* Number of weights; 0 for none. */
} metricopt_batch;

/* Which units a prediction is asked for: rows, or whatever the task counts in. */
typedef struct metricopt_rows {
    size_t size;    /* Size of this struct. */
    uint32_t split; /* Of `enum metricopt_split`. */
    uint32_t part;  /* Of `enum metricopt_part`. */
    uint64_t fold;  /* Which fold, from 0. */
    uint64_t folds; /* Of how many folds. */
    uint64_t seed;  /* Seed of the sample. */
    uint64_t units; /* Number of units in the sample. */
} metricopt_rows;

/* Takes predictions: a callback of the caller, for the duration of the call. */
typedef struct metricopt_emit {
    void *context; /* Goes back to `emit`; may be null. */
    /*
     * Takes the candidates from number `first` on, only from the calling thread; copies what it needs. If the result
     * is not 0, return METRICOPT_ERROR at once.
     */
    int32_t (*emit)(void *context, size_t first, const metricopt_candidate *candidates, size_t candidates_len);
} metricopt_emit;

/*
 * A task: data, a frozen network with an adapter, and a surrogate loss. Tensors are pointers to `at::Tensor` of the one
 * libtorch that host and plugins share, so a task is written in C++ or against a binding. One thread at a time uses a
 * handle, not always the same. P adapters are asked for at once; an adapter has D components.
 */
typedef struct metricopt_task {
    size_t size;            /* sizeof(metricopt_task). */
    const void *context;    /* Goes back to `check` and `open`; may be null. */
    metricopt_str name;     /* The name users type: lower case with hyphens. */
    metricopt_str docs;     /* What it is in Markdown, the first sentence a summary; may be empty if the schema has a
                               `description`. */
    metricopt_str schema;   /* JSON schema of the configuration; empty if there is none. */
    metricopt_str defaults; /* The default configuration, a JSON object; empty for `{}`. */
    metricopt_str metric;   /* The metric that is tuned when the user names none. */
    uint32_t kind;          /* The prediction kind it yields, of `enum metricopt_kind`. */
    uint32_t reserved;      /* Zero. */
    uint64_t flags;         /* Zero. */
    /* Reads the data and makes or loads the network; fills `handle`. */
    int32_t (*open)(const void *context, metricopt_str config, const metricopt_open *open, void **handle,
                    metricopt_sink error);
    /* Writes layout of the adapter, sizes of the splits and facts as JSON. */
    int32_t (*describe)(void *handle, metricopt_sink json, metricopt_sink error);
    /*
     * Losses and gradients at the adapters `phis`, an `at::Tensor` f32 [P, D] that stays the host's, each with a batch
     * of its own. Fills `losses` [P], and `gradients` with a new `at::Tensor` f32 [P, D] that becomes the host's.
     */
    int32_t (*gradients)(void *handle, void *phis, const metricopt_batch *const *batches, size_t batches_len,
                         const metricopt_call *call, double *losses, void **gradients, metricopt_sink error);
    /* Predictions at the adapters `phis`, an `at::Tensor` f32 [P, D] that stays the host's; each is emitted once. */
    int32_t (*predict)(void *handle, void *phis, const metricopt_rows *rows, const metricopt_call *call,
                       metricopt_emit emit, metricopt_sink error);
    /* Ends a handle; nothing else is called with it any more. */
    void (*close)(void *handle);
    /* Checks a configuration without opening anything; null if there is nothing to check. */
    int32_t (*check)(const void *context, metricopt_str config, metricopt_sink error);
    /*
     * Emits the network with the adapter `phi`, an `at::Tensor` f32 [D] that stays the host's, folded into its weights,
     * by the names that the file of the pre-trained weights has: one candidate with one tensor a call, numbered from 0.
     * Null if it is not offered. Since minor 1.
     */
    int32_t (*fold)(void *handle, void *phi, metricopt_emit emit, metricopt_sink error);
    /* What the engine should take instead of its own defaults, JSON by section and key; empty for nothing. Since minor 1. */
    metricopt_str engine_defaults;
} metricopt_task;

/*
 * ========================================================================================================= helpers
 *
 * What follows is no part of the ABI: inline functions that make a metric short and safe. They check what the SDK for
 * Rust checks and say the same of it. None of them allocates or keeps a pointer; all may be called from any thread.
 */

/* Terminated text, borrowed. */
static inline metricopt_str metricopt_text(const char *text) {
    metricopt_str str;
    str.data = text;
    str.len = strlen(text);
    return str;
}

/* Whether two texts are the same; `other` is terminated. */
static inline int metricopt_is(metricopt_str text, const char *other) {
    size_t len = strlen(other);
    return text.len == len && (len == 0 || memcmp(text.data, other, len) == 0);
}

/* Writes a log line if the host wants it; `host` is what `metricopt_plugin_v1` was given, or null. */
static inline void metricopt_log(const metricopt_host *host, uint32_t level, const char *target, const char *message) {
    if (METRICOPT_HAS(metricopt_host, host, log) && host->log != NULL && level <= host->max_level) {
        host->log(host->context, level, metricopt_text(target), metricopt_text(message));
    }
}

/* Whether the user asked to stop: then return `metricopt_fail(error, METRICOPT_CANCELLED, "cancelled")`. */
static inline int metricopt_cancelled(const metricopt_call *call) {
    return METRICOPT_HAS(metricopt_call, call, cancelled) && call->cancelled != NULL &&
           call->cancelled(call->context) != 0;
}

/* ---------------------------------------------------------------------------------------------------------- errors */

/* Writes terminated text to a sink as it is, for JSON of your own. */
static inline void metricopt_write(metricopt_sink sink, const char *text) {
    if (sink.write != NULL) {
        sink.write(sink.context, metricopt_text(text));
    }
}

/* Begins the message of an error of kind "undefined", "data" or "". The next three functions add to it and end it. */
static inline void metricopt_begin_error(metricopt_sink error, const char *kind) {
    metricopt_write(error, "{\"kind\":\"");
    metricopt_write(error, kind);
    metricopt_write(error, "\",\"message\":\"");
}

/* Adds text to the message of an error. */
static inline void metricopt_add_text(metricopt_sink error, metricopt_str text) {
    static const char HEX[] = "0123456789abcdef";
    size_t start = 0, at;
    metricopt_str plain;
    if (error.write == NULL) {
        return;
    }
    for (at = 0; at <= text.len; at++) {
        int end = at == text.len;
        unsigned char byte = end ? 0 : (unsigned char)text.data[at];
        if (!end && byte >= 0x20 && byte != '"' && byte != '\\') {
            continue;
        }
        plain.data = text.data + start;
        plain.len = at - start;
        if (plain.len > 0) {
            error.write(error.context, plain);
        }
        if (!end) {
            char escape[7] = "\\u0000";
            escape[4] = HEX[byte >> 4];
            escape[5] = HEX[byte & 15];
            metricopt_write(error, escape);
        }
        start = at + 1;
    }
}

/* Adds a whole number to the message of an error. */
static inline void metricopt_add_integer(metricopt_sink error, int64_t number) {
    char digits[24];
    size_t at = sizeof digits - 1;
    /* Unsigned, since the least number has no positive counterpart. */
    uint64_t rest = number < 0 ? UINT64_C(0) - (uint64_t)number : (uint64_t)number;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0);
    if (number < 0) {
        digits[--at] = '-';
    }
    metricopt_write(error, digits + at);
}

/* Ends the message of an error and returns `status`. */
static inline int32_t metricopt_end_error(metricopt_sink error, int32_t status) {
    metricopt_write(error, "\"}");
    return status;
}

/* Fails with a status and a message: `return metricopt_fail(error, METRICOPT_CONFIGURATION, "`k` is 0");`. */
static inline int32_t metricopt_fail(metricopt_sink error, int32_t status, const char *message) {
    metricopt_begin_error(error, "");
    metricopt_add_text(error, metricopt_text(message));
    return metricopt_end_error(error, status);
}

/* Fails because the definition of the metric gives no value here. */
static inline int32_t metricopt_undefined(metricopt_sink error, const char *message) {
    metricopt_begin_error(error, "undefined");
    metricopt_add_text(error, metricopt_text(message));
    return metricopt_end_error(error, METRICOPT_ERROR);
}

/* Fails because a tensor is missing, malformed or inconsistent. */
static inline int32_t metricopt_bad_data(metricopt_sink error, const char *message) {
    metricopt_begin_error(error, "data");
    metricopt_add_text(error, metricopt_text(message));
    return metricopt_end_error(error, METRICOPT_ERROR);
}

/* --------------------------------------------------------------------------------------------------------- tensors */

/* The tensor of that name, or null. */
static inline const metricopt_view *metricopt_find(const metricopt_view *views, size_t views_len, const char *name) {
    size_t at;
    for (at = 0; at < views_len; at++) {
        if (metricopt_is(views[at].name, name)) {
            return &views[at];
        }
    }
    return NULL;
}

/* Finds the tensor of that name, or fails with a message that lists what there is. */
static inline int32_t metricopt_get(const metricopt_view *views, size_t views_len, const char *name,
                                    const metricopt_view **view, metricopt_sink error) {
    size_t at;
    *view = metricopt_find(views, views_len, name);
    if (*view != NULL) {
        return METRICOPT_OK;
    }
    metricopt_begin_error(error, "data");
    metricopt_add_text(error, metricopt_text("tensor `"));
    metricopt_add_text(error, metricopt_text(name));
    metricopt_add_text(error, metricopt_text("` is missing; there are "));
    for (at = 0; at < views_len; at++) {
        metricopt_add_text(error, metricopt_text(at == 0 ? "`" : ", `"));
        metricopt_add_text(error, views[at].name);
        metricopt_add_text(error, metricopt_text("`"));
    }
    if (views_len == 0) {
        metricopt_add_text(error, metricopt_text("none"));
    }
    return metricopt_end_error(error, METRICOPT_ERROR);
}

/* Fails because a tensor is not what is needed: "tensor `name` WHAT". */
static inline int32_t metricopt_bad_tensor(const metricopt_view *view, const char *what, metricopt_sink error) {
    metricopt_begin_error(error, "data");
    metricopt_add_text(error, metricopt_text("tensor `"));
    metricopt_add_text(error, view->name);
    metricopt_add_text(error, metricopt_text("` "));
    metricopt_add_text(error, metricopt_text(what));
    return metricopt_end_error(error, METRICOPT_ERROR);
}

/*
 * The elements of a tensor, if it has that type and number of dimensions: `ndim` of them, any number if it is negative.
 * Use `metricopt_get_f32` and its like.
 */
static inline int32_t metricopt_elements(const metricopt_view *view, uint8_t code, uint8_t bits, int32_t ndim,
                                         const void **data, size_t *len, metricopt_sink error) {
    const metricopt_dl_tensor *tensor = &view->tensor;
    size_t product = 1;
    int32_t at;
    if (tensor->device.device_type != METRICOPT_DL_CPU || tensor->strides != NULL) {
        return metricopt_bad_tensor(view, "is not contiguous in the memory of the CPU", error);
    }
    if (tensor->dtype.code != code || tensor->dtype.bits != bits || tensor->dtype.lanes != 1) {
        return metricopt_bad_tensor(view, "has an element type that is not expected", error);
    }
    if (tensor->ndim < 0 || (ndim >= 0 && tensor->ndim != ndim)) {
        return metricopt_bad_tensor(view, "has a number of dimensions that is not expected", error);
    }
    for (at = 0; at < tensor->ndim; at++) {
        int64_t extent = tensor->shape[at];
        if (extent < 0 || (extent > 0 && product > SIZE_MAX / 8 / (size_t)extent)) {
            return metricopt_bad_tensor(view, "has an impossible shape", error);
        }
        product *= (size_t)extent;
    }
    if (product > 0 && tensor->data == NULL) {
        return metricopt_bad_tensor(view, "has a null pointer", error);
    }
    *data = tensor->data == NULL ? NULL : (const char *)tensor->data + tensor->byte_offset;
    *len = product;
    return METRICOPT_OK;
}

/*
 * Finds a tensor and gives its elements, row-major, and their number, which is the product of its extents. `ndim` is
 * the number of dimensions it must have, negative for any; `metricopt_find` gives its shape. Where it fails both are
 * null and 0.
 */
static inline int32_t metricopt_get_f32(const metricopt_view *views, size_t views_len, const char *name, int32_t ndim,
                                        const float **data, size_t *len, metricopt_sink error) {
    const metricopt_view *view;
    const void *elements = NULL;
    int32_t status = metricopt_get(views, views_len, name, &view, error);
    *len = 0;
    if (status == METRICOPT_OK) {
        status = metricopt_elements(view, METRICOPT_DL_FLOAT, 32, ndim, &elements, len, error);
    }
    *data = (const float *)elements;
    return status;
}

/* As `metricopt_get_f32`, for doubles. */
static inline int32_t metricopt_get_f64(const metricopt_view *views, size_t views_len, const char *name, int32_t ndim,
                                        const double **data, size_t *len, metricopt_sink error) {
    const metricopt_view *view;
    const void *elements = NULL;
    int32_t status = metricopt_get(views, views_len, name, &view, error);
    *len = 0;
    if (status == METRICOPT_OK) {
        status = metricopt_elements(view, METRICOPT_DL_FLOAT, 64, ndim, &elements, len, error);
    }
    *data = (const double *)elements;
    return status;
}

/* As `metricopt_get_f32`, for integers. */
static inline int32_t metricopt_get_i64(const metricopt_view *views, size_t views_len, const char *name, int32_t ndim,
                                        const int64_t **data, size_t *len, metricopt_sink error) {
    const metricopt_view *view;
    const void *elements = NULL;
    int32_t status = metricopt_get(views, views_len, name, &view, error);
    *len = 0;
    if (status == METRICOPT_OK) {
        status = metricopt_elements(view, METRICOPT_DL_INT, 64, ndim, &elements, len, error);
    }
    *data = (const int64_t *)elements;
    return status;
}

/* As `metricopt_get_f32`, for bytes. */
static inline int32_t metricopt_get_u8(const metricopt_view *views, size_t views_len, const char *name, int32_t ndim,
                                       const uint8_t **data, size_t *len, metricopt_sink error) {
    const metricopt_view *view;
    const void *elements = NULL;
    int32_t status = metricopt_get(views, views_len, name, &view, error);
    *len = 0;
    if (status == METRICOPT_OK) {
        status = metricopt_elements(view, METRICOPT_DL_UINT, 8, ndim, &elements, len, error);
    }
    *data = (const uint8_t *)elements;
    return status;
}

/* -------------------------------------------------------------------------------------------------- classification */

/* Scores and labels after `metricopt_get_classification`: finite scores, labels from 0 to `classes - 1`. */
typedef struct metricopt_classification {
    const float *scores;   /* `rows` times `columns` scores, row-major. */
    const int64_t *labels; /* `rows` labels. */
    size_t rows;           /* Number of samples; may be 0. */
    size_t columns;        /* 1 for binary scores, which are those of class 1; else the number of classes. */
    size_t classes;        /* Number of classes; 2 for binary scores. */
} metricopt_classification;

/* Reads and checks the tensors of METRICOPT_CLASSIFICATION. */
static inline int32_t metricopt_get_classification(const metricopt_view *views, size_t views_len,
                                                   metricopt_classification *input, metricopt_sink error) {
    const metricopt_view *scores, *labels;
    size_t scores_len = 0, at;
    int32_t status = metricopt_get(views, views_len, "scores", &scores, error);
    memset(input, 0, sizeof *input);
    if (status == METRICOPT_OK) {
        status = metricopt_get(views, views_len, "labels", &labels, error);
    }
    if (status == METRICOPT_OK) {
        status = metricopt_get_f32(views, views_len, "scores", -1, &input->scores, &scores_len, error);
    }
    if (status == METRICOPT_OK) {
        status = metricopt_get_i64(views, views_len, "labels", 1, &input->labels, &input->rows, error);
    }
    if (status != METRICOPT_OK) {
        return status;
    }
    if (scores->tensor.ndim != 1 && scores->tensor.ndim != 2) {
        return metricopt_bad_tensor(scores, "does not have the shape [N] or [N, C]", error);
    }
    input->columns = scores->tensor.ndim == 1 ? 1 : (size_t)scores->tensor.shape[1];
    if (scores->tensor.ndim == 2 && input->columns < 2) {
        return metricopt_bad_tensor(scores, "does not have at least 2 columns", error);
    }
    if ((size_t)scores->tensor.shape[0] != input->rows) {
        return metricopt_bad_tensor(labels, "does not have a label for each row of `scores`", error);
    }
    input->classes = input->columns == 1 ? 2 : input->columns;
    for (at = 0; at < scores_len; at++) {
        uint32_t bits;
        memcpy(&bits, &input->scores[at], sizeof bits);
        /* All ones in the exponent: infinity or NaN. Compilers may optimise comparisons with NaN away. */
        if ((bits & 0x7F800000u) == 0x7F800000u) {
            metricopt_begin_error(error, "data");
            metricopt_add_text(error, metricopt_text("tensor `scores` is not finite at element "));
            metricopt_add_integer(error, (int64_t)at);
            return metricopt_end_error(error, METRICOPT_ERROR);
        }
    }
    for (at = 0; at < input->rows; at++) {
        int64_t label = input->labels[at];
        if (label < 0 || (uint64_t)label >= input->classes) {
            metricopt_begin_error(error, "data");
            metricopt_add_text(error, metricopt_text("tensor `labels` holds "));
            metricopt_add_integer(error, label);
            metricopt_add_text(error, metricopt_text(" at row "));
            metricopt_add_integer(error, (int64_t)at);
            metricopt_add_text(error, metricopt_text(", expected 0..="));
            metricopt_add_integer(error, (int64_t)input->classes - 1);
            return metricopt_end_error(error, METRICOPT_ERROR);
        }
    }
    return METRICOPT_OK;
}

/* Fails if a sample cannot be assigned to a class: binary scores must be probabilities. */
static inline int32_t metricopt_check_decisions(const metricopt_classification *input, metricopt_sink error) {
    size_t row;
    for (row = 0; input->columns == 1 && row < input->rows; row++) {
        if (!(input->scores[row] >= 0.0f && input->scores[row] <= 1.0f)) {
            metricopt_begin_error(error, "data");
            metricopt_add_text(error, metricopt_text("tensor `scores` holds no probability at row "));
            metricopt_add_integer(error, (int64_t)row);
            return metricopt_end_error(error, METRICOPT_ERROR);
        }
    }
    return METRICOPT_OK;
}

/*
 * The class that a sample is assigned to: for binary scores 1 where the probability is at least 0.5, else the class
 * with the largest score, the first of equals. Call `metricopt_check_decisions` before.
 */
static inline size_t metricopt_decision(const metricopt_classification *input, size_t row) {
    const float *scores = input->scores + row * input->columns;
    size_t best = 0, column;
    if (input->columns == 1) {
        return scores[0] >= 0.5f;
    }
    for (column = 1; column < input->columns; column++) {
        if (scores[column] > scores[best]) {
            best = column;
        }
    }
    return best;
}

/* --------------------------------------------------------------------------------------------------- configuration */

/* Deeper nesting in a configuration counts as malformed. */
#define METRICOPT_JSON_DEPTH 64
/* A longer number in a configuration counts as malformed. */
#define METRICOPT_JSON_NUMBER 128

/* What is left of a JSON text; for `metricopt_config_number`. */
typedef struct metricopt_json {
    const char *at;  /* Next byte. */
    const char *end; /* Behind the last byte. */
} metricopt_json;

/* Passes over white space. */
static inline void metricopt_json_space(metricopt_json *json) {
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r')) {
        json->at++;
    }
}

/* Passes over white space and then `byte`, if that is next. */
static inline int metricopt_json_take(metricopt_json *json, char byte) {
    metricopt_json_space(json);
    if (json->at < json->end && *json->at == byte) {
        json->at++;
        return 1;
    }
    return 0;
}

/* Reads the four digits of `\u0041`; negative if there are none. */
static inline int32_t metricopt_json_hex(metricopt_json *json) {
    int32_t value = 0;
    int count;
    for (count = 0; count < 4; count++) {
        char byte = json->at < json->end ? *json->at++ : '?';
        int32_t digit;
        if (byte >= '0' && byte <= '9') {
            digit = byte - '0';
        } else if (byte >= 'a' && byte <= 'f') {
            digit = byte - 'a' + 10;
        } else if (byte >= 'A' && byte <= 'F') {
            digit = byte - 'A' + 10;
        } else {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* Reads what follows a backslash into at most 4 bytes of UTF-8; their number, or 0 if it is malformed. */
static inline size_t metricopt_json_escape(metricopt_json *json, char bytes[4]) {
    static const char LETTERS[] = "\"\\/bfnrt", MEANINGS[] = "\"\\/\b\f\n\r\t";
    char letter = json->at < json->end ? *json->at++ : '\0';
    const char *found = letter == '\0' ? NULL : strchr(LETTERS, letter);
    int32_t code, low;
    if (found != NULL) {
        bytes[0] = MEANINGS[found - LETTERS];
        return 1;
    }
    code = letter == 'u' ? metricopt_json_hex(json) : -1;
    if (code < 0 || (code >= 0xDC00 && code < 0xE000)) {
        return 0;
    }
    if (code < 0x80) {
        bytes[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        bytes[0] = (char)(0xC0 | (code >> 6));
        bytes[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0xD800 || code >= 0xE000) {
        bytes[0] = (char)(0xE0 | (code >> 12));
        bytes[1] = (char)(0x80 | ((code >> 6) & 0x3F));
        bytes[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    /* The first half of a pair, which needs the second. */
    if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u') {
        return 0;
    }
    json->at += 2;
    low = metricopt_json_hex(json);
    if (low < 0xDC00 || low >= 0xE000) {
        return 0;
    }
    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    bytes[0] = (char)(0xF0 | (code >> 18));
    bytes[1] = (char)(0x80 | ((code >> 12) & 0x3F));
    bytes[2] = (char)(0x80 | ((code >> 6) & 0x3F));
    bytes[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* Passes over a string behind its opening quote: 1 if it says `wanted`, 0 if something else, -1 if it is malformed. */
static inline int metricopt_json_string(metricopt_json *json, metricopt_str wanted) {
    size_t matched = 0;
    int same = 1;
    while (json->at < json->end) {
        char bytes[4];
        size_t len = 1;
        bytes[0] = *json->at++;
        if (bytes[0] == '"') {
            return same && matched == wanted.len;
        }
        if ((unsigned char)bytes[0] < 0x20) {
            return -1;
        }
        if (bytes[0] == '\\') {
            len = metricopt_json_escape(json, bytes);
            if (len == 0) {
                return -1;
            }
        }
        same = same && len <= wanted.len - matched && memcmp(wanted.data + matched, bytes, len) == 0;
        matched += same ? len : 0;
    }
    return -1;
}

/* Passes over digits; how many. */
static inline size_t metricopt_json_digits(metricopt_json *json) {
    const char *start = json->at;
    while (json->at < json->end && *json->at >= '0' && *json->at <= '9') {
        json->at++;
    }
    return (size_t)(json->at - start);
}

/* Reads a number, rounded to the nearest double: 1, or -1 if it is malformed, too long or too large. */
static inline int metricopt_json_number(metricopt_json *json, double *value) {
    /* `strtod` wants a terminator, and the decimal point of whatever language the program speaks. */
    static const char POINTS[] = ".,";
    char copy[METRICOPT_JSON_NUMBER + 1];
    const char *start = json->at, *leading;
    size_t len, point = 0;
    int which;
    if (json->at < json->end && *json->at == '-') {
        json->at++;
    }
    leading = json->at;
    len = metricopt_json_digits(json);
    if (len == 0 || (len > 1 && *leading == '0')) {
        return -1;
    }
    if (json->at < json->end && *json->at == '.') {
        point = (size_t)(json->at++ - start);
        if (metricopt_json_digits(json) == 0) {
            return -1;
        }
    }
    if (json->at < json->end && (*json->at == 'e' || *json->at == 'E')) {
        json->at++;
        if (json->at < json->end && (*json->at == '+' || *json->at == '-')) {
            json->at++;
        }
        if (metricopt_json_digits(json) == 0) {
            return -1;
        }
    }
    len = (size_t)(json->at - start);
    if (len > METRICOPT_JSON_NUMBER) {
        return -1;
    }
    memcpy(copy, start, len);
    copy[len] = '\0';
    for (which = 0; which < 2; which++) {
        char *end;
        double read;
        if (point > 0) {
            copy[point] = POINTS[which];
        }
        read = strtod(copy, &end);
        if (end == copy + len) {
            if (!(read >= -1.7976931348623157e308 && read <= 1.7976931348623157e308)) {
                return -1;
            }
            *value = read;
            return 1;
        }
    }
    return -1;
}

/* Passes over `rest` if it is next. */
static inline int metricopt_json_word(metricopt_json *json, const char *rest) {
    size_t len = strlen(rest);
    if ((size_t)(json->end - json->at) < len || memcmp(json->at, rest, len) != 0) {
        return -1;
    }
    json->at += len;
    return 0;
}

/* Passes over a value: 1 if it is a number, which is read, 0 if it is something else, -1 if it is malformed. */
static inline int metricopt_json_value(metricopt_json *json, double *number, int depth) {
    metricopt_str nothing;
    double ignored;
    int is_object, is_list;
    nothing.data = NULL;
    nothing.len = 0;
    if (metricopt_json_take(json, '"')) {
        return metricopt_json_string(json, nothing) < 0 ? -1 : 0;
    }
    is_object = metricopt_json_take(json, '{');
    is_list = !is_object && metricopt_json_take(json, '[');
    if (is_object || is_list) {
        char closing = is_object ? '}' : ']';
        if (depth >= METRICOPT_JSON_DEPTH) {
            return -1;
        }
        if (metricopt_json_take(json, closing)) {
            return 0;
        }
        do {
            if (is_object && (!metricopt_json_take(json, '"') || metricopt_json_string(json, nothing) < 0 ||
                              !metricopt_json_take(json, ':'))) {
                return -1;
            }
            if (metricopt_json_value(json, &ignored, depth + 1) < 0) {
                return -1;
            }
        } while (metricopt_json_take(json, ','));
        return metricopt_json_take(json, closing) ? 0 : -1;
    }
    if (metricopt_json_take(json, 't')) {
        return metricopt_json_word(json, "rue");
    }
    if (metricopt_json_take(json, 'f')) {
        return metricopt_json_word(json, "alse");
    }
    if (metricopt_json_take(json, 'n')) {
        return metricopt_json_word(json, "ull");
    }
    return metricopt_json_number(json, number);
}

/*
 * Reads a number from a configuration, a JSON object: the value of `key` at its top level.
 *
 * Returns 1 and fills `value`; 0 if the object has no such key; -1 if the text is no JSON object or the key's value is
 * no number. `value` stays as it is unless the result is 1, so that it may hold a default. Of a key that stands there
 * twice the last counts, as everywhere in the host. Any bytes may be passed.
 */
static inline int metricopt_config_number(metricopt_str config, const char *key, double *value) {
    metricopt_json json;
    metricopt_str wanted = metricopt_text(key);
    double found = 0.0;
    int result = 0;
    if (config.len == 0 || config.data == NULL) {
        return -1;
    }
    json.at = config.data;
    json.end = config.data + config.len;
    if (!metricopt_json_take(&json, '{')) {
        return -1;
    }
    if (!metricopt_json_take(&json, '}')) {
        do {
            double number = 0.0;
            int is_wanted, is_number;
            if (!metricopt_json_take(&json, '"')) {
                return -1;
            }
            is_wanted = metricopt_json_string(&json, wanted);
            if (is_wanted < 0 || !metricopt_json_take(&json, ':')) {
                return -1;
            }
            is_number = metricopt_json_value(&json, &number, 1);
            if (is_number < 0) {
                return -1;
            }
            if (is_wanted) {
                found = number;
                result = is_number ? 1 : -1;
            }
        } while (metricopt_json_take(&json, ','));
        if (!metricopt_json_take(&json, '}')) {
            return -1;
        }
    }
    metricopt_json_space(&json);
    if (json.at != json.end) {
        return -1;
    }
    if (result == 1) {
        *value = found;
    }
    return result;
}

#ifdef __cplusplus
}
#endif

#endif /* METRICOPT_H */
