# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the command prints as JSON against its schema in docs/. Knows the few words those schemas use, refuses
any other, and, stricter than a schema, takes a member that is not described for a mistake."""
import json
import os

TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
SILENT = {"$schema", "$defs", "title", "description", "properties", "additionalProperties"}


def load(name):
    docs = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")
    with open(os.path.join(docs, name), encoding="utf-8") as f:
        return json.load(f)


def is_type(name, value):
    if name in ("integer", "number"):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole or (name == "number" and isinstance(value, float))
    return isinstance(value, TYPES[name])


def check_word(root, word, rule, value, where):
    """Mistakes, as lines."""
    if word == "type":
        names = rule if isinstance(rule, list) else [rule]
        good = any(is_type(name, value) for name in names)
    elif word == "const":
        good = value == rule
    elif word == "enum":
        good = value in rule
    elif word == "anyOf":
        good = any(not check(root, one, value, where) for one in rule)
    elif word == "minimum":
        good = not is_type("number", value) or value >= rule
    elif word in ("minLength", "maxLength"):
        good = not isinstance(value, str) or (len(value) >= rule if word == "minLength" else len(value) <= rule)
    elif word == "required":
        missing = [key for key in rule if isinstance(value, dict) and key not in value]
        return [f"{where}: {key} is missing" for key in missing]
    elif word == "items":
        items = value if isinstance(value, list) else []
        return [line for i, one in enumerate(items) for line in check(root, rule, one, f"{where}[{i}]")]
    elif word == "$ref":
        target = root
        for key in rule.removeprefix("#/").split("/"):
            target = target[key]
        return check(root, target, value, where)
    else:
        good = word in SILENT
    return [] if good else [f"{where}: {word} {json.dumps(rule)[:80]}: {json.dumps(value)[:80]}"]


def check(root, schema, value, where="$"):
    """Every mistake as a line."""
    found = []
    for word, rule in schema.items():
        found += check_word(root, word, rule, value, where)
    known, others = schema.get("properties"), schema.get("additionalProperties")
    if isinstance(value, dict) and (known is not None or others is not None):
        for key, member in value.items():
            rule = (known or {}).get(key, others)
            found += check(root, rule, member, f"{where}.{key}") if rule is not None else \
                [f"{where}.{key}: not described"]
    return found


def mistakes(name, value):
    root = load(name)
    return check(root, root, value)
