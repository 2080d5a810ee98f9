/* cli_output.c: how tokens, texts and jobs are shown without a workbench. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli_commands.h"
#include "log.h"

/* Length of the valid character at s, 0 when there is none. */
static size_t char_len(const char *s, size_t len)
{
    const unsigned char *p = (const unsigned char *)s;
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xC2 ? 0 : p[0] < 0xE0 ? 2 : p[0] < 0xF0 ? 3 : 4;

    if (n == 0 || p[0] > 0xF4 || n > len)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) ||
        (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return n;
}

cJSON *cli_token_json(const struct cai_model *m, int32_t id)
{
    size_t len, out = 0;
    const char *piece = cai_token_piece(m, id, &len);
    cJSON *token = cJSON_CreateObject();
    char text[3 * 256 + 1];

    for (size_t i = 0; i < len && out + 4 < sizeof text;) {
        size_t n = piece[i] ? char_len(piece + i, len - i) : 0; /* no NUL in JSON */
        memcpy(text + out, n ? piece + i : "\xEF\xBF\xBD", n ? n : 3);
        out += n ? n : 3;
        i += n ? n : 1;
    }
    text[out] = '\0';
    cJSON_AddNumberToObject(token, "id", id);
    cJSON_AddStringToObject(token, "piece", text);
    return token;
}

/* Characters that show nothing and turn or break the line: U+061C, U+200E, U+200F,
 * U+2028..U+202E, U+2066..U+2069. */
static int steers(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;

    if (n == 2)
        return (p[0] == 0xC2 && p[1] < 0xA0) || (p[0] == 0xD8 && p[1] == 0x9C);
    if (n != 3 || p[0] != 0xE2)
        return 0;
    return (p[1] == 0x80 &&
            (p[2] == 0x8E || p[2] == 0x8F || (p[2] >= 0xA8 && p[2] <= 0xAE))) ||
           (p[1] == 0x81 && p[2] >= 0xA6 && p[2] <= 0xA9);
}

static void print_safe(const char *text, size_t len, int keep_lines)
{
    for (size_t i = 0; i < len;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = char_len(text + i, len - i);
        if (n && !steers(text + i, n) &&
            ((c >= 0x20 && c != 0x7F) || (keep_lines && (c == '\n' || c == '\t'))))
            fwrite(text + i, 1, n, stdout);
        else if (c == '\n')
            fputs("\\n", stdout);
        else
            for (size_t j = 0; j < (n ? n : 1); j++)
                printf("\\x%02x", (unsigned char)text[i + j]);
        i += n ? n : 1;
    }
}

void cli_print_escaped(const char *text, size_t len)
{
    print_safe(text, len, 0);
}

void cli_print_text(const char *text, size_t len)
{
    if (isatty(STDOUT_FILENO))
        print_safe(text, len, 1);
    else
        fwrite(text, 1, len, stdout);
}

enum cai_status cli_wait_job(struct cli *cli, struct cai_inbox *inbox, uint64_t job,
                             cli_event_fn *on_event, void *arg)
{
    struct cai_event e;

    for (;;) {
        if (!cai_inbox_take(inbox, &e)) {
            cai_inbox_wait(inbox, -1);
            continue;
        }
        if (e.kind == CAI_EVENT_MODEL)
            log_line("model", e.status == CAI_OK ? "loaded" : e.message);
        if (e.kind == CAI_EVENT_JOB)
            log_line("job", e.status == CAI_OK ? "done" : e.message);
        if (e.kind == CAI_EVENT_MODEL && e.status != CAI_OK) {
            enum cai_status st = e.status;
            snprintf(cli->err, sizeof cli->err, "%s", e.message);
            cai_event_clear(&e);
            return st;
        }
        if (e.job == job && e.kind == CAI_EVENT_JOB) {
            enum cai_status st = e.status;
            snprintf(cli->err, sizeof cli->err, "%s", e.message);
            cai_event_clear(&e);
            return st;
        }
        if (on_event && e.job == job)
            on_event(arg, &e);
        cai_event_clear(&e);
    }
}
