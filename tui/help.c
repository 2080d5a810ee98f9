/* help.c: the overlay of all actions: the current context first, filtered by what is
 * typed after '/', run with Enter. Disabled rows stay, dimmed, with the reason. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "ui.h"

static int passes(size_t i, const char *filter)
{
    const struct action *a = action_at(i);
    char line[512], keys[64];

    action_keys(i, keys, sizeof keys);
    snprintf(line, sizeof line, "%s %s %s", a->name, keys, a->help);
    return !filter[0] || search_text(line, strlen(line), 0, filter) != SIZE_MAX;
}

void help_filter(struct app *app)
{
    if (!app->help_rows)
        app->help_rows = xcalloc(action_count(), sizeof *app->help_rows);
    app->help.n = 0;
    /* rows of this context alone, then the common ones, then the others */
    for (int group = 0; group < 3; group++)
        for (size_t i = 0; i < action_count(); i++) {
            unsigned c = action_at(i)->contexts;
            int here = (c & app->help_ctx) != 0, alone = (c & ~app->help_ctx) == 0;
            int g = here && alone ? 0 : here ? 1 : 2;
            if (g == group && passes(i, app->filter))
                app->help_rows[app->help.n++] = i;
        }
    list_place(&app->help, app->help.n, app->help.sel);
}

unsigned help_run(struct app *app)
{
    size_t i;
    const struct action *a;

    if (app->help.n == 0)
        return FX_NONE;
    i = app->help_rows[app->help.sel];
    a = action_at(i);
    layer_pop(app);
    if (!(a->contexts & app_context(app)))
        return app_say(app, ROLE_WARN, "%s belongs to another screen", a->name);
    return action_run(app, i, "");
}

void help_paint(struct app *app, struct rect body)
{
    int w = body.w < 96 ? body.w : 96;
    struct rect box = {body.x + (body.w - w) / 2, body.y, w, body.h}, in;
    char title[160];

    help_filter(app);
    if (app->filter[0])
        snprintf(title, sizeof title, "Help: %s", app->filter);
    else
        snprintf(title, sizeof title, "Help   / filters   Enter runs");
    in = grid_box(&app->grid, box, ROLE_BORDER_FOCUS, title);
    list_layout(&app->help, in.h);
    if (app->help.n == 0)
        grid_str(&app->grid, in, 0, 0, ROLE_DIM, 0, "Nothing matches.");
    for (int y = 0; y < in.h && app->help.top + (size_t)y < app->help.n; y++) {
        size_t row = app->help.top + (size_t)y, i = app->help_rows[row];
        const struct action *a = action_at(i);
        struct rect line = {in.x - 1, in.y + y, in.w + 2, 1};
        unsigned attrs = row == app->help.sel ? ATTR_REVERSE : 0;
        const char *denied = (a->contexts & app->help_ctx) ? action_denied(app, i) : NULL;
        enum role role = denied || !(a->contexts & app->help_ctx) ? ROLE_DIM : ROLE_TEXT;
        char keys[64];
        int narrow = in.w < 64, x = narrow ? 12 : 37;

        if (attrs)
            grid_fill(&app->grid, line, ROLE_TEXT, attrs);
        action_keys(i, keys, sizeof keys);
        grid_cut(&app->grid, line, 1, 0, denied ? ROLE_DIM : ROLE_KEY, attrs, keys,
                 strlen(keys), narrow ? 10 : 13);
        if (!narrow)
            grid_cut(&app->grid, line, 15, 0, role, attrs, a->name, strlen(a->name), 21);
        if (denied) {
            x += grid_str(&app->grid, line, x, 0, ROLE_WARN, attrs, "not now: ");
            grid_cut(&app->grid, line, x, 0, ROLE_DIM, attrs, denied, strlen(denied),
                     line.w - x - 1);
        } else {
            grid_cut(&app->grid, line, x, 0, role, attrs, a->help, strlen(a->help),
                     line.w - x - 1);
        }
    }
}
