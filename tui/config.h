/*
 * config.h: the user's settings file and the folders of the XDG convention.
 *
 * $XDG_CONFIG_HOME/cai/config.json: {"model": "PATH", "author": "NAME", "keys":
 * {"ACTION": "KEY" or ["KEY", ...]}}. Absent: defaults. An unknown key is a warning with
 * its line. The environment arrives as arguments: main alone reads it.
 */
#ifndef TUI_CONFIG_H
#define TUI_CONFIG_H

#include <cjson/cJSON.h>
#include <stddef.h>

enum { CONFIG_PATH_MAX = 4096 };

/* Where things live; all absolute, no final slash. */
struct config_dirs {
    char config[CONFIG_PATH_MAX];   /* .../cai: config.json */
    char data[CONFIG_PATH_MAX];     /* .../cai: models/, sessions/ */
    char state[CONFIG_PATH_MAX];    /* .../cai: prompt histories, last session */
    char share[CONFIG_PATH_MAX];    /* constitutions/, prompts: of the build tree when run
                                       from one, else of the installation */
    char sessions[CONFIG_PATH_MAX]; /* new sessions go here */
};

struct config {
    char model[CONFIG_PATH_MAX]; /* "" when the file names none */
    char author[128];            /* of edits; "" : the login name */
    cJSON *keys;                 /* object action -> key(s), or NULL */
    char warning[512];           /* "" when there is nothing to say */
};

/* exe: path of the running program, from /proc/self/exe. Missing variables may be NULL.
 * Returns 0 and a message when neither HOME nor the XDG variables are set. */
int config_dirs_find(struct config_dirs *d, const char *exe, const char *home,
                     const char *xdg_config, const char *xdg_data, const char *xdg_state,
                     char *err, size_t errlen);

/* Reads the file; a damaged one is a warning and the defaults. */
void config_load(struct config *c, const struct config_dirs *d);
void config_free(struct config *c);

/* Line of the first "key" in the file, from 1; 0 when it cannot be read. */
int config_line_of(const struct config_dirs *d, const char *key);

/* The model to use: the first that is set of option, session, config; else the default.
 */
void config_model_path(char path[CONFIG_PATH_MAX], const char *option,
                       const char *session, const struct config *c,
                       const struct config_dirs *d);

#endif
