#!/usr/bin/env python3
"""What the `checks` of a prompt mean, and a test of the shipped prompt sets.

All checks of a row must hold. Text is folded first (typographic apostrophes, runs of white
space, case), except for min_items. Run as a program it tests that every reference answer
passes its own checks, that an echo of the prompt fails them, and that no held-out prompt
comes near a train prompt, a principle or a few-shot.
"""

import glob
import json
import re
import sys

UNITS = {w: i for i, w in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen twenty".split())}
TENS = {w: 10 * i for i, w in enumerate(
    "twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
DIGITS = re.compile(r"(?<![\w.,])-?\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|(?<![\w.])-?\d+(?:\.\d+)?")
ITEM = re.compile(r"\s*([-*\u2022]|\d+[.)])\s+\S")


def fold(text):
    plain = text.replace("\u2018", "'").replace("\u2019", "'")
    return re.sub(r"\s+", " ", plain).strip().lower()


def occurs(folded, value):
    """At a word start; anywhere when value begins with something else than a letter."""
    value = fold(value)
    at = folded.find(value)
    while at >= 0:
        if at == 0 or not folded[at - 1].isalnum() or not value[0].isalnum():
            return True
        at = folded.find(value, at + 1)
    return False


def numbers(folded):
    """All numbers, in digits or in English words up to ninety-nine."""
    found = [float(m.group().replace(",", "")) for m in DIGITS.finditer(folded)]
    for match in re.finditer(r"[a-z]+(?:-[a-z]+)?", folded):
        word, parts = match.group(), match.group().split("-")
        if word in UNITS:
            found.append(UNITS[word])
        elif word in TENS:
            found.append(TENS[word])
        elif len(parts) == 2 and parts[0] in TENS and 0 < UNITS.get(parts[1], 0) < 10:
            found.append(TENS[parts[0]] + UNITS[parts[1]])
    return found


def items(text):
    """Entries of the longest list: marked lines, or short parts of one sentence."""
    lines = sum(bool(ITEM.match(line)) for line in text.splitlines())
    parts = [re.split(r"[,;]|\sand\s|\sor\s", s) for s in re.split(r"[.!?:\n]", text)]
    short = [sum(1 <= len(p.split()) <= 4 for p in s) for s in parts if len(s) > 1]
    return max([lines, *short])


KINDS = {
    "contains": lambda c, text, folded: occurs(folded, c["value"]),
    "not_contains": lambda c, text, folded: not occurs(folded, c["value"]),
    "contains_any": lambda c, text, folded: any(occurs(folded, v) for v in c["value"]),
    "at_least": lambda c, text, folded: sum(occurs(folded, v) for v in c["of"]) >= c["value"],
    "matches": lambda c, text, folded: re.search(c["value"], folded, re.I) is not None,
    "number": lambda c, text, folded: any(abs(n - c["value"]) < 1e-9 for n in numbers(folded)),
    "min_items": lambda c, text, folded: items(text) >= c["value"],
    "min_words": lambda c, text, folded: len(folded.split()) >= c["value"],
}


def passes(check, text):
    return KINDS[check["kind"]](check, text, fold(text))


# ---------------------------------------------------------------- the test

SETS = ("red-team", "benign", "alarming")
STOP = set("a an and are as at be been but by can could do does for from get give had has have how "
           "i if in into is it its like make me my not of on or our out should so some tell than "
           "that the their them then there they this to up us was we were what when where which "
           "who why will with would write you your".split())


def content(text):
    return [w for w in re.findall(r"[a-z0-9']+", fold(text)) if w not in STOP]


def grams(words, n):
    return {tuple(words[i:i + n]) for i in range(len(words) - n + 1)}


def texts_of(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts_of(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts_of(item)


def load(name):
    with open(f"sessions/prompts/{name}.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def near(held_out, known):
    """Pairs that share a content 4-gram or over half of their words."""
    seen = [(t, grams(content(t), 4), set(content(t))) for t in known]
    for row in held_out:
        words = content(row["prompt"])
        four, bag = grams(words, 4), set(words)
        for text, other_four, other_bag in seen:
            both = bag & other_bag
            if four & other_four or (bag and len(both) > 0.5 * len(bag | other_bag)):
                yield f"{row['id']} is near \"{text[:60]}\""


def main():
    rows = {name: load(name) for name in SETS}
    every = [r for name in SETS for r in rows[name]]
    checked = rows["benign"] + rows["alarming"]
    shipped = [t for f in glob.glob("constitutions/**/*.json", recursive=True)
               for t in texts_of(json.load(open(f, encoding="utf-8")))]
    known = [r["prompt"] for r in every if r["split"] == "train"] + shipped
    problems = {
        "ids-are-unique": [r["id"] for r in every
                           if sum(o["id"] == r["id"] for o in every) > 1],
        "counts": [n for n, least in zip(SETS, (200, 200, 120)) if len(rows[n]) < least],
        "half-is-held-out": [n for n in SETS if 2 * sum(r["split"] == "held-out" for r in rows[n])
                             != len(rows[n])],
        "references-pass": [r["id"] for r in checked
                            if not all(passes(c, r["reference"]) for c in r["checks"])],
        "echoes-fail": [r["id"] for r in checked
                        if all(passes(c, r["prompt"]) for c in r["checks"])],
        "held-out-is-apart": list(near([r for r in every if r["split"] == "held-out"], known)),
    }
    for name, found in problems.items():
        print(f"FAIL {name}" if found else f"ok {name}")
        for line in found[:10]:
            print(f"    {line}")
    return any(problems.values())


if __name__ == "__main__":
    sys.exit(main())
