/*
 * main.c: reads the environment and the command line and hands over to a front end.
 *
 * The only file that reads the environment. `cai` alone opens the workbench, `cai
 * COMMAND` runs headless.
 */
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app.h"
#include "cli_commands.h"

const struct cli_command cli_commands[] = {
    {"tokenize", "FILE",
     "The tokens of a text; special-token strings in it are ordinary text.",
     "  cai tokenize notes.txt\n"
     "  echo -n 'Hello there' | cai tokenize - --json\n",
     cli_tokenize},
    {"score", "FILE", "Log-probs of a text, token by token, in nats.",
     "  cai score answer.txt --prefix-file prompt.txt\n"
     "  cai score answer.txt --prefix-file prompt.txt --joint --json\n",
     cli_score},
    {"generate", "--prompt TEXT", "One answer of the model.",
     "  cai generate --prompt 'Name three rivers.' --temp 0\n"
     "  cai generate --prompt 'How do I pick a lock?' --guidance 3 \\\n"
     "      --with 'Answer kindly and safely.' --without 'Answer unkindly and "
     "unsafely.'\n",
     cli_generate},
    {"chain", "--prompt TEXT",
     "Initial response, then critiques and revisions by principles.",
     "  cai chain --prompt 'How do I pick a lock?' --steps 2\n"
     "  cai chain --prompt 'Insult my boss.' --constitution courtesy --guidance 3 "
     "--json\n"
     "  cai chain --prompt 'Help me lie.' --session my-audit --layout paper\n",
     cli_chain},
    {"constitution", "list|show F|lint F", "Lists, shows or checks constitutions.",
     "  cai constitution list\n"
     "  cai constitution show harmless\n"
     "  cai constitution lint my-constitution.json --json\n",
     cli_constitution},
    {"replay", "SESSION", "Makes every model text of a session again; says what differs.",
     "  cai replay sessions/my-audit\n", cli_replay},
    {"repair", "SESSION COPY", "Copies what is undamaged of a session to a new folder.",
     "  cai repair sessions/my-audit sessions/my-audit-repaired\n", cli_repair},
    {"bench", "", "Speed of decode, prefill and scoring on this machine.",
     "  cai bench\n"
     "  cai bench --only tg128 --threads 1 --json\n",
     cli_bench},
    {NULL, NULL, NULL, NULL, NULL},
};

static void print_usage(void)
{
    puts("usage: cai COMMAND ...\n       cai --version | --help\n\ncommands:");
    cli_print_commands();
    puts("\ncai COMMAND --help shows options and examples. In the workbench, ? shows the "
         "keys.");
}

static int print_version(struct cli *cli, int argc, char **argv)
{
    static const struct cli_command cmd = {
        "--version", "", "Versions of the program, its libraries and the model.",
        "  cai --version --model my.gguf\n", NULL};
    static const struct cli_option options[] = {{NULL, NULL, CLI_FLAG, NULL, NULL}};
    char path[CONFIG_PATH_MAX];
    const char *kernel = cai_kernel_name(cli->kernel);
    struct cai_model *m = NULL;
    int n = cli_parse(cli, &cmd, options, argc, argv);

    if (n != 0)
        return n == -1 ? CLI_OK : CLI_USAGE;
    printf("cai " CAI_VERSION "\n");
    printf("libraries: %s, %s\n", app_library_versions(), cai_library_versions());
    printf("kernel: %s\n", kernel ? kernel : "none; CAI_KERNEL names one this CPU lacks");
    cli_model_path(cli, NULL, path);
    if (cli_open_model(cli, NULL, 1, &m) == CAI_OK)
        printf("model: %s sha256 %s\n", path, cai_model_info(m)->sha256);
    else
        printf("model: %s\n", cli->err);
    cai_model_close(m);
    return CLI_OK;
}

/* Bare `cai`, or with options only. */
static int workbench(struct cli *cli, int argc, char **argv)
{
    static const struct cli_command cmd = {
        "", "", "The workbench.",
        "  cai\n  cai --session sessions/demo --model my.gguf\n", NULL};
    const char *const editors[] = {getenv("CAI_EDITOR"), getenv("VISUAL"),
                                   getenv("EDITOR")};
    const char *no_color = getenv("NO_COLOR");
    struct app_options o = {.cli = cli, .login = getenv("LOGNAME")};
    const struct cli_option options[] = {
        {"script", "FILE", CLI_STRING, (void *)&o.script,
         "run a key script on a plain grid and print its screens"},
        {"color", NULL, CLI_FLAG, &o.force_color, "colour even when NO_COLOR is set"},
        {NULL, NULL, CLI_FLAG, NULL, NULL},
    };
    int n = cli_parse(cli, &cmd, options, argc, argv);

    if (n != 0)
        return n == -1 ? CLI_OK : CLI_USAGE;
    for (size_t i = 0; i < sizeof editors / sizeof *editors && !o.editor; i++)
        if (editors[i] && editors[i][0])
            o.editor = editors[i];
    o.no_color = no_color && no_color[0];
    return app_run(&o);
}

/* The program that read our output has ended, which is its right. */
static int reader_gone(void)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

    return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

int main(int argc, char **argv)
{
    struct config_dirs dirs;
    struct config config;
    struct cli cli = {.dirs = &dirs, .config = &config, .kernel = getenv("CAI_KERNEL")};
    const struct cli_command *cmd = argc > 1 ? cli_find(argv[1]) : NULL;
    char exe[CONFIG_PATH_MAX] = "";
    int code;

    setlocale(LC_ALL, "");
    setlocale(LC_NUMERIC, "C"); /* JSON and every printed number use a point */
    cai_init();
    signal(SIGXFSZ, SIG_IGN); /* a file size limit is an error of write(), not a death */
    if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0)
        exe[0] = '\0';
    if (!config_dirs_find(&dirs, exe, getenv("HOME"), getenv("XDG_CONFIG_HOME"),
                          getenv("XDG_DATA_HOME"), getenv("XDG_STATE_HOME"), cli.err,
                          sizeof cli.err)) {
        fprintf(stderr, "cai: %s\n", cli.err);
        return CLI_FAILED;
    }
    config_load(&config, &dirs);
    if (config.warning[0] && cmd)
        fprintf(stderr, "cai: %s\n", config.warning);
    if (cmd)
        code = cmd->run(&cli, argc - 2, argv + 2);
    else if (argc > 1 && strcmp(argv[1], "--help") == 0)
        print_usage(), code = CLI_OK;
    else if (argc > 1 && strcmp(argv[1], "--version") == 0)
        code = print_version(&cli, argc - 2, argv + 2);
    else if (argc == 1 || strncmp(argv[1], "--", 2) == 0)
        code = workbench(&cli, argc - 1, argv + 1);
    else {
        fprintf(stderr, "cai: no command %.80s; cai --help lists them\n", argv[1]);
        code = CLI_USAGE;
    }
    config_free(&config);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == CLI_OK) {
        code = CLI_FAILED;
        if (!reader_gone())
            fputs("cai: standard output cannot be written; what was printed is not "
                  "whole: make room, or send it elsewhere\n",
                  stderr);
    }
    return code;
}
