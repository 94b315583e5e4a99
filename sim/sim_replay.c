#include "sim_replay.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#define DAY_US (86400 * SL_US_PER_S)

/* A text with a number, in the order in which they were met first. */
struct name {
    UT_hash_handle hh;
    uint32_t number;
    char text[];
};

struct sim_replay {
    struct sim_past_call *calls;
    size_t count;
    struct name *models, *tiers, *accounts, *sizes;
    struct sim_model_row *model_rows; /* by number, as the next */
    struct sim_group_row *group_rows;
    int64_t *ran_us, *ran_count; /* of each model, what ran */
};

static struct name *intern(struct name **names, const char *text)
{
    struct name *n;
    HASH_FIND_STR(*names, text, n);
    if (n != NULL)
        return n;
    size_t bytes = strlen(text) + 1;
    n = calloc(1, sizeof *n + bytes);
    if (n == NULL)
        return NULL;
    memcpy(n->text, text, bytes);
    n->number = HASH_COUNT(*names);
    HASH_ADD_STR(*names, text, n);
    return n;
}

static void forget(struct name **names)
{
    struct name *n = *names;
    HASH_CLEAR(hh, *names);
    while (n != NULL) {
        struct name *next = n->hh.next;
        free(n);
        n = next;
    }
}

void sim_replay_destroy(struct sim_replay *r)
{
    if (r == NULL)
        return;
    forget(&r->models);
    forget(&r->tiers);
    forget(&r->accounts);
    forget(&r->sizes);
    free(r->calls);
    free(r->model_rows);
    free(r->group_rows);
    free(r->ran_us);
    free(r->ran_count);
    free(r);
}

/* ---- one receipt */

struct receipt {
    const char *account, *tier, *model, *size;
    int64_t ended_us, declared_us, used_us, queue_us;
};

static const char *text_of(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static int64_t number_of(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

/* false: an orphan, or no receipt. */
static bool read_receipt(const json_t *o, struct receipt *out)
{
    const json_t *account = json_array_get(json_object_get(o, "accounts"), 0);
    *out = (struct receipt){.account = json_string_value(account),
                            .tier = text_of(o, "tier"),
                            .model = text_of(o, "model"),
                            .size = text_of(o, "size"),
                            .ended_us = number_of(o, "ended_at_us"),
                            .declared_us = number_of(o, "declared_us"),
                            .used_us = number_of(o, "used_us"),
                            .queue_us = number_of(o, "queue_us")};
    return out->account != NULL && out->tier[0] != '\0' && out->model[0] != '\0' &&
           out->ended_us > 0 && out->declared_us > 0 && out->used_us >= 0 && out->queue_us >= 0;
}

static sl_status add_call(struct sim_replay *r, const struct receipt *from)
{
    const struct name *model = intern(&r->models, from->model);
    const struct name *tier = intern(&r->tiers, from->tier);
    const struct name *account = intern(&r->accounts, from->account);
    const struct name *size = intern(&r->sizes, from->size);
    if (model == NULL || tier == NULL || account == NULL || size == NULL)
        return SL_ENOMEM;
    r->calls[r->count++] =
        (struct sim_past_call){.at_us = from->ended_us - from->used_us - from->queue_us,
                               .group = tier->number,
                               .model = model->number,
                               .visitor = account->number,
                               .run_us = from->used_us,
                               .declared_us = from->declared_us,
                               .size = size->text};
    return SL_OK;
}

/* ---- all of them */

static sl_status take_receipts(struct sim_replay *r, const json_t *rows, struct sl_error *why)
{
    size_t count = json_array_size(rows);
    if (count == 0 || count > SIM_REPLAY_CALLS_MAX) {
        sl_error_set(why, SL_REASON_BAD_INPUT,
                     "there are %zu receipts; 1 to %d can be played (sluice receipts --everybody "
                     "--limit N --json writes them)",
                     count, SIM_REPLAY_CALLS_MAX);
        return SL_EINVAL;
    }
    r->calls = calloc(count, sizeof *r->calls);
    sl_status s = r->calls == NULL ? SL_ENOMEM : SL_OK;
    for (size_t i = 0; s == SL_OK && i < count; i++) {
        struct receipt receipt;
        if (read_receipt(json_array_get(rows, i), &receipt))
            s = add_call(r, &receipt);
    }
    if (s == SL_OK && r->count == 0) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "none of %zu receipts is of a call", count);
        s = SL_EINVAL;
    }
    return s;
}

static int compare(const void *a, const void *b)
{
    const struct sim_past_call *x = a, *y = b;
    if (x->at_us != y->at_us)
        return x->at_us < y->at_us ? -1 : 1;
    return x->visitor < y->visitor ? -1 : x->visitor > y->visitor;
}

static void count_from_midnight(struct sim_replay *r)
{
    qsort(r->calls, r->count, sizeof *r->calls, compare);
    int64_t midnight = r->calls[0].at_us / DAY_US * DAY_US;
    for (size_t i = 0; i < r->count; i++)
        r->calls[i].at_us -= midnight;
}

static void fill_runs(struct sim_replay *r)
{
    for (size_t i = 0; i < r->count; i++) {
        r->ran_us[r->calls[i].model] += r->calls[i].run_us;
        r->ran_count[r->calls[i].model] += r->calls[i].run_us > 0;
    }
    for (size_t i = 0; i < r->count; i++) {
        struct sim_past_call *c = &r->calls[i];
        int64_t count = r->ran_count[c->model];
        if (c->run_us == 0)
            c->run_us = count > 0 ? r->ran_us[c->model] / count + 1 : SL_US_PER_S;
    }
}

static int64_t longest_declared_ns(const struct sim_replay *r)
{
    int64_t most = 0;
    for (size_t i = 0; i < r->count; i++)
        most = r->calls[i].declared_us > most ? r->calls[i].declared_us : most;
    return sl_sat_mul(most, SL_NS_PER_US);
}

static void fill_rows(struct sim_replay *r)
{
    const struct name *n;
    int64_t declared_ns = longest_declared_ns(r);
    for (n = r->models; n != NULL; n = n->hh.next)
        r->model_rows[n->number] = (struct sim_model_row){.name = n->text,
                                                          .run = "1s",
                                                          .declared_ns = declared_ns,
                                                          .max_duration_ns = declared_ns};
    for (n = r->tiers; n != NULL; n = n->hh.next)
        r->group_rows[n->number] = (struct sim_group_row){.name = n->text,
                                                          .tier = n->text,
                                                          .visitors = HASH_COUNT(r->accounts),
                                                          .run = "",
                                                          .declares = "",
                                                          .size = "",
                                                          .leaves = "",
                                                          .deadline = ""};
}

static void *rows_of(size_t count, size_t bytes)
{
    return calloc(count > 0 ? count : 1, bytes);
}

static sl_status make_rows(struct sim_replay *r)
{
    size_t models = HASH_COUNT(r->models), tiers = HASH_COUNT(r->tiers);
    r->model_rows = rows_of(models, sizeof *r->model_rows);
    r->group_rows = rows_of(tiers, sizeof *r->group_rows);
    r->ran_us = rows_of(models, sizeof *r->ran_us);
    r->ran_count = rows_of(models, sizeof *r->ran_count);
    if (r->model_rows == NULL || r->group_rows == NULL || r->ran_us == NULL || r->ran_count == NULL)
        return SL_ENOMEM;
    count_from_midnight(r);
    fill_runs(r);
    fill_rows(r);
    return SL_OK;
}

static sl_status check(const struct sim_replay *r, struct sl_error *why)
{
    size_t models = HASH_COUNT(r->models), accounts = HASH_COUNT(r->accounts);
    if (models <= SIM_MODELS_MAX && accounts <= SIM_VISITORS_MAX)
        return SL_OK;
    sl_error_set(why, SL_REASON_BAD_INPUT,
                 "the receipts are of %zu models and %zu accounts; %d and %d can be played", models,
                 accounts, SIM_MODELS_MAX, SIM_VISITORS_MAX);
    return SL_EINVAL;
}

sl_status sim_replay_load(const char *path, struct sim_replay **out, struct sl_error *why)
{
    json_error_t wrong;
    sl_error_set(why, SL_REASON_NO_CAPACITY, "no memory for the receipts");
    json_t *root = json_load_file(path, 0, &wrong);
    struct sim_replay *r = calloc(1, sizeof *r);
    sl_status s = r == NULL ? SL_ENOMEM : SL_OK;
    if (root == NULL) {
        sl_error_set(why, SL_REASON_BAD_INPUT, "%s:%d: %s", path, wrong.line, wrong.text);
        s = SL_EINVAL;
    }
    if (s == SL_OK)
        s = take_receipts(r, json_object_get(root, "receipts"), why);
    if (s == SL_OK)
        s = check(r, why);
    if (s == SL_OK)
        s = make_rows(r);
    json_decref(root);
    if (s != SL_OK) {
        sim_replay_destroy(r);
        return s;
    }
    *out = r;
    return SL_OK;
}

const struct sim_past_call *sim_replay_calls(const struct sim_replay *r, size_t *count)
{
    *count = r->count;
    return r->calls;
}

void sim_replay_lay_over(const struct sim_replay *r, struct sim_scenario *s)
{
    s->models = (struct sl_conf_seq){r->model_rows, HASH_COUNT(r->models)};
    s->visitors = (struct sl_conf_seq){r->group_rows, HASH_COUNT(r->tiers)};
    s->length_ns = r->calls[r->count - 1].at_us * SL_NS_PER_US + SL_NS_PER_S;
    s->replay = r;
}
