#!/usr/bin/env python3
"""Checks a JSON file against a JSON schema:   check_schema.py SCHEMA FILE

The part of JSON Schema (draft 2020-12) that our schemas use, with the standard library alone; a keyword that it does not know is an error,
so that nothing passes unchecked. Exit code 0: valid; 1: not, with the first reasons; 2: bad usage or an unknown keyword.
"""

import json
import re
import sys

TYPES = {
    "object": lambda x: isinstance(x, dict),
    "array": lambda x: isinstance(x, list),
    "string": lambda x: isinstance(x, str),
    "integer": lambda x: isinstance(x, int) and not isinstance(x, bool),
    "number": lambda x: isinstance(x, (int, float)) and not isinstance(x, bool),
    "null": lambda x: x is None,
}
REMARKS = {"$schema", "title", "description", "$defs"}


def check(value, schema, root, at):
    """Yields a sentence for everything that is wrong with value."""
    for keyword, wanted in schema.items():
        if keyword in REMARKS:
            continue
        if keyword == "$ref":
            target = root
            for part in wanted.removeprefix("#/").split("/"):
                target = target[part]
            yield from check(value, target, root, at)
        elif keyword == "type":
            names = wanted if isinstance(wanted, list) else [wanted]
            if not any(TYPES[name](value) for name in names):
                yield f"{at}: {value!r:.60} is no {' or '.join(names)}"
        elif keyword == "enum":
            if value not in wanted:
                yield f"{at}: {value!r:.60} is none of {wanted}"
        elif keyword == "const":
            if value != wanted:
                yield f"{at}: {value!r:.60} is not {wanted!r}"
        elif keyword == "oneOf":
            fitting = sum(not any(check(value, one, root, at)) for one in wanted)
            if fitting != 1:
                yield f"{at}: fits {fitting} of the forms that it must have one of"
        elif keyword == "pattern":
            if isinstance(value, str) and not re.search(wanted, value):
                yield f"{at}: {value!r:.60} does not match {wanted}"
        elif keyword == "minLength":
            if isinstance(value, str) and len(value) < wanted:
                yield f"{at}: is too short"
        elif keyword in ("minimum", "exclusiveMinimum"):
            if TYPES["number"](value) and (value < wanted or (value == wanted and keyword == "exclusiveMinimum")):
                yield f"{at}: {value} is below {wanted}"
        elif keyword == "required":
            if isinstance(value, dict):
                yield from (f"{at}: lacks {name}" for name in wanted if name not in value)
        elif keyword == "properties":
            if isinstance(value, dict):
                for name in wanted:
                    if name in value:
                        yield from check(value[name], wanted[name], root, f"{at}.{name}")
        elif keyword == "additionalProperties":
            if isinstance(value, dict):
                for name in value.keys() - schema.get("properties", {}).keys():
                    if wanted is False:
                        yield f"{at}: has the unknown key {name}"
                    else:
                        yield from check(value[name], wanted, root, f"{at}.{name}")
        elif keyword == "propertyNames":
            if isinstance(value, dict):
                for name in value:
                    yield from check(name, wanted, root, f"{at}: the key {name}")
        elif keyword == "items":
            if isinstance(value, list):
                for i, item in enumerate(value):
                    yield from check(item, wanted, root, f"{at}[{i}]")
        elif keyword == "minItems":
            if isinstance(value, list) and len(value) < wanted:
                yield f"{at}: has {len(value)} items, expected {wanted} or more"
        elif keyword == "uniqueItems":
            if isinstance(value, list) and len({json.dumps(item) for item in value}) < len(value):
                yield f"{at}: has an item twice"
        else:
            print(f"{at}: the schema has the unknown keyword {keyword}", file=sys.stderr)
            sys.exit(2)


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as schema, open(sys.argv[2], encoding="utf-8") as file:
        root = json.load(schema)
        wrong = list(check(json.load(file), root, root, "the file"))
    for sentence in wrong[:10]:
        print(sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
