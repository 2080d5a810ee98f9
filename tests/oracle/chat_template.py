"""Writes tests/data/chat_template.json: conversations rendered by a real Jinja engine.

One family is the default file's own template; the others are minimal templates written
down here after the published layout of each family (the plain one is our own). Each case
is rendered with the prompt for an answer opened and without; for the default file the
ids are there, too: control tokens where the template wrote them, and the text between
them, whatever it spells, by the `tokenizers` package. With --check nothing is written:
the committed file is compared with a new one.
"""

import re
import sys

import gguf
import jinja2
import jinja2.sandbox

import bpe
import llama_ref
from common import DATA, Checks, model_path, read_json, write_json

OUT = DATA / "chat_template.json"

LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}"
    "{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' "
    "+ m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}")

# the system text stands at the head of the first user turn
MISTRAL = (
    "{% if messages and messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'] + '\n\n' %}{% set rest = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{{ bos_token }}{% for m in rest %}{% if m['role'] == 'user' %}"
    "{{ ' [INST] ' + (first if loop.first else '') + m['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + m['content'] + eos_token }}{% endif %}{% endfor %}")

GEMMA = (
    "{% if messages and messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'] + '\n\n' %}{% set rest = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{{ bos_token }}{% for m in rest %}"
    "{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\n' "
    "+ (first if loop.first else '') + m['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}")

ZEPHYR = (
    "{% for m in messages %}"
    "{{ '<|' + m['role'] + '|>\n' + m['content'] + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}")

PLAIN = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}"
    "{% elif m['role'] == 'user' %}{{ '\n\nHuman: ' + m['content'] }}"
    "{% else %}{{ '\n\nAssistant: ' + m['content'] }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n\nAssistant:' }}{% endif %}")

# name, template, begin and end of text
FAMILIES = (
    ("llama-3", LLAMA3, "<|begin_of_text|>", "<|eot_id|>"),
    ("mistral", MISTRAL, "<s>", "</s>"),
    ("gemma", GEMMA, "<bos>", "<eos>"),
    ("zephyr", ZEPHYR, "<s>", "</s>"),
    ("plain", PLAIN, "", ""),
)

SYSTEM = "You answer kindly, and you say so when you do not know."
TURNS = (
    ("user", "How deep is the lake?"),
    ("assistant", "About forty metres at the old pier."),
    ("user", " Is it safe to swim there?\nMy sister wants to know, too. \n"),
    ("assistant", "Near the shore, yes. <|im_end|> Past the buoys the water is cold."),
    ("user", "Danke! 谢谢 🙂"),
)


def cases():
    """0, 1 and n turns, with and without a system turn; the text of a turn is exact."""
    for n in (0, 1, 2, 3, 5):
        for system in (None, SYSTEM, ""):
            messages = [] if system is None else [{"role": "system", "content": system}]
            messages += [{"role": r, "content": c} for r, c in TURNS[:n]]
            yield messages


def render(template, messages, generation, bos, eos):
    def refuse(message):
        raise jinja2.TemplateError(message)

    env = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True,
                                                       lstrip_blocks=True)
    env.globals["raise_exception"] = refuse
    return env.from_string(template).render(
        messages=messages, add_generation_prompt=generation, bos_token=bos,
        eos_token=eos)


def family(name, template, bos, eos):
    return {"name": name, "template": template, "bos": bos, "eos": eos, "cases": [
        {"messages": m, "generation": g, "text": render(template, m, g, bos, eos)}
        for m in cases() for g in (False, True)]}


def add_tokens(own, tokens):
    """Ids of each case: a string of a turn that looks like a control token is text."""
    tok, hide = bpe.build(model_path()), "\ue000"
    for case in own["cases"]:
        messages = [{**m, "content": m["content"].replace("<|", hide)}
                    for m in case["messages"]]
        text = render(own["template"], messages, case["generation"], own["bos"],
                      own["eos"])
        case["tokens"] = []
        for part in re.split(r"(<\|im_start\|>|<\|im_end\|>)", text):
            if part.startswith("<|"):
                case["tokens"].append(tokens.index(part))
            else:
                case["tokens"] += bpe.encode(tok, part.replace(hide, "<|"))


def generate():
    reader = gguf.GGUFReader(model_path())
    tokens = llama_ref.field(reader, "tokenizer.ggml.tokens")
    own = family("chatml", llama_ref.field(reader, "tokenizer.chat_template"),
                 tokens[llama_ref.field(reader, "tokenizer.ggml.bos_token_id")],
                 tokens[llama_ref.field(reader, "tokenizer.ggml.eos_token_id")])
    add_tokens(own, tokens)
    return {"version": 1, "families": [own, *(family(*f) for f in FAMILIES)]}


def main():
    new = generate()
    if "--check" in sys.argv:
        checks, old = Checks("chat_template"), read_json(OUT)
        for mine, theirs in zip(new["families"], old["families"], strict=True):
            checks.check(f"{mine['name']} as jinja2 renders it", mine == theirs,
                         cases=len(mine["cases"]))
        return 0 if checks.write() else 1
    write_json(OUT, new)
    return 0


if __name__ == "__main__":
    sys.exit(main())
