#include "sim_scenario.h"

#include "sim_replay.h"
#include "sim_scenario_int.h"

/* The gateway's defaults first; what a scenario says is laid over them. */
static sl_status load_defaults(struct sim_scenario *s, struct sl_buf *errors)
{
    return gw_conf_load(NULL, &s->gateway, errors, &s->owners[0]);
}

static sl_status check(const char *file_name, struct sim_scenario *s, struct sl_buf *errors)
{
    struct sl_conf_check c = {file_name, s->owners[1], errors, true};
    sim_scenario_resolve(s, &c);
    return c.ok ? SL_OK : SL_EINVAL;
}

static sl_status finish_loading(const char *file_name, sl_status status,
                                const struct sim_replay *replay, struct sim_scenario *s,
                                struct sl_buf *errors)
{
    if (status == SL_OK && replay != NULL)
        sim_replay_lay_over(replay, s);
    if (status == SL_OK)
        status = check(file_name, s, errors);
    if (status != SL_OK)
        sim_scenario_finish(s);
    return status;
}

sl_status sim_scenario_load(const char *path, const struct sl_conf_over *over, size_t count,
                            const struct sim_replay *replay, struct sim_scenario *out,
                            struct sl_buf *errors)
{
    struct sl_conf_key table[SIM_KEYS_MAX];
    sim_scenario_table(table);
    *out = (struct sim_scenario){0};
    sl_status status = load_defaults(out, errors);
    if (status == SL_OK)
        status = sl_conf_load_over(path, over, count, table, out, errors, &out->owners[1]);
    return finish_loading(path, status, replay, out, errors);
}

sl_status sim_scenario_parse(const char *file_name, struct sl_span text, struct sim_scenario *out,
                             struct sl_buf *errors)
{
    struct sl_conf_key table[SIM_KEYS_MAX];
    sim_scenario_table(table);
    *out = (struct sim_scenario){0};
    sl_status status = load_defaults(out, errors);
    if (status == SL_OK)
        status = sl_conf_parse(file_name, text, table, out, errors, &out->owners[1]);
    return finish_loading(file_name, status, NULL, out, errors);
}

void sim_scenario_finish(struct sim_scenario *s)
{
    for (size_t i = 0; i < 2; i++)
        sl_conf_destroy(s->owners[i]);
    *s = (struct sim_scenario){0};
}

sl_status sim_scenario_reference(struct sl_buf *out)
{
    struct sl_conf_key table[SIM_KEYS_MAX];
    sim_scenario_table(table);
    return sl_conf_reference(table, out);
}
