/* action.c: see action.h. The table is in action_table.h, what rows do in actions.c. */
#include "action.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "action_table.h"

enum { KEYS_PER_ACTION = 6 };

#define ROW(id, name, keys, contexts, hint, help, denied, run)                           \
    {name, keys, contexts, hint, help, denied, run},
static const struct action actions[] = {ACTIONS(ROW)};
#undef ROW
enum { N_ACTIONS = sizeof actions / sizeof *actions };

static uint32_t bound[N_ACTIONS][KEYS_PER_ACTION];

size_t action_count(void)
{
    return N_ACTIONS;
}

const struct action *action_at(size_t i)
{
    return &actions[i];
}

void action_keys(size_t i, char *out, size_t size)
{
    size_t len = 0;

    out[0] = '\0';
    for (int k = 0; k < KEYS_PER_ACTION && bound[i][k]; k++) {
        char name[16];
        int n;
        keys_name(name, bound[i][k]);
        n = snprintf(out + len, size - len, "%s%s", k ? " " : "", name);
        if (n < 0 || (size_t)n >= size - len)
            break;
        len += (size_t)n;
    }
}

int action_of_key(uint32_t key, unsigned context)
{
    for (size_t i = 0; i < N_ACTIONS; i++)
        for (int k = 0; k < KEYS_PER_ACTION && (actions[i].contexts & context); k++)
            if (bound[i][k] == key)
                return (int)i;
    return -1;
}

int action_find(const char *name)
{
    for (size_t i = 0; i < N_ACTIONS; i++)
        if (strcmp(actions[i].name, name) == 0)
            return (int)i;
    return -1;
}

const char *action_denied(const struct app *app, size_t i)
{
    return actions[i].denied ? actions[i].denied(app) : NULL;
}

unsigned action_run(struct app *app, size_t i, const char *arg)
{
    const char *denied = action_denied(app, i);
    unsigned fx;

    if (denied)
        return app_say(app, ROLE_WARN, "%s: %s", actions[i].name, denied);
    app->arg = arg;
    fx = actions[i].run(app);
    app->arg = "";
    return fx | FX_PAINT;
}

/* Reads "j <Down>"; returns 0 when a name is no key. */
static int parse_keys(uint32_t keys[KEYS_PER_ACTION], const char *text)
{
    int n = 0;

    memset(keys, 0, KEYS_PER_ACTION * sizeof *keys);
    while (*text) {
        size_t len = 0;
        uint32_t key;
        if (*text == ' ') {
            text++;
            continue;
        }
        key = keys_parse(text, &len);
        if (key == KEY_NONE || n == KEYS_PER_ACTION)
            return 0;
        keys[n++] = key;
        text += len;
    }
    return 1;
}

/* Another action that hears the key where action i does, -1 when it is free. */
static int clash(size_t i, uint32_t key)
{
    for (size_t j = 0; j < N_ACTIONS; j++)
        for (int k = 0; k < KEYS_PER_ACTION && j != i; k++)
            if (bound[j][k] == key && (actions[j].contexts & actions[i].contexts))
                return (int)j;
    return -1;
}

static void bind_user(size_t i, const char *text, int line, char *warning, size_t size)
{
    uint32_t keys[KEYS_PER_ACTION];

    if (!parse_keys(keys, text)) {
        snprintf(warning, size, "config.json: line %d: %s: \"%.40s\" is no key", line,
                 actions[i].name, text);
        return;
    }
    for (int k = 0; k < KEYS_PER_ACTION && keys[k]; k++) {
        int other = clash(i, keys[k]);
        char name[16];
        if (other < 0)
            continue;
        /* the user's choice wins; the loser is said, not silently dropped */
        keys_name(name, keys[k]);
        snprintf(warning, size, "config.json: line %d: %s takes %s from %s", line,
                 actions[i].name, name, actions[other].name);
        for (int m = 0, to = 0; m < KEYS_PER_ACTION; m++) {
            uint32_t kept = bound[other][m];
            bound[other][m] = 0;
            if (kept && kept != keys[k])
                bound[other][to++] = kept;
        }
    }
    memcpy(bound[i], keys, sizeof keys);
}

void action_bind(const cJSON *user_keys, const struct config_dirs *dirs, char *warning,
                 size_t size)
{
    const cJSON *item, *one;

    for (size_t i = 0; i < N_ACTIONS; i++) {
        int good = parse_keys(bound[i], actions[i].keys);
        assert(good && "a key of the action table has no name");
        (void)good;
    }
    for (size_t i = 0; i < N_ACTIONS; i++)
        for (int k = 0; k < KEYS_PER_ACTION && bound[i][k]; k++)
            assert(clash(i, bound[i][k]) < 0 && "two actions hear one key");
    cJSON_ArrayForEach(item, user_keys)
    {
        int i = action_find(item->string);
        char joined[128] = "";
        if (i < 0) {
            snprintf(warning, size,
                     "config.json: line %d: no action is named \"%.60s\"; ? lists them",
                     config_line_of(dirs, item->string), item->string);
            continue;
        }
        if (cJSON_IsString(item))
            snprintf(joined, sizeof joined, "%s", item->valuestring);
        cJSON_ArrayForEach(one, item)
        {
            size_t used = strlen(joined);
            if (cJSON_IsString(one))
                snprintf(joined + used, sizeof joined - used, " %s", one->valuestring);
        }
        bind_user((size_t)i, joined, config_line_of(dirs, item->string), warning, size);
    }
}
