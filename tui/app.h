/*
 * app.h: the workbench, from its first frame to its last line.
 */
#ifndef TUI_APP_H
#define TUI_APP_H

#include "cli.h"

struct app_options {
    struct cli *cli;    /* model, session, seed, threads, config, folders */
    const char *script; /* key script to run on a plain grid, or NULL */
    const char *editor; /* command of CAI_EDITOR, VISUAL or EDITOR; NULL: vi */
    const char *login;  /* author of edits when the config names none; may be NULL */
    int no_color;       /* NO_COLOR is set and not empty */
    int force_color;    /* --color */
};

/* Returns the exit status. Main thread; takes the terminal until it returns. */
int app_run(const struct app_options *opts);

/* "ncurses 6.4, readline 8.2": for --version. */
const char *app_library_versions(void);

#endif
