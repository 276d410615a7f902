"""Answers for pyiso8583: a request a line in, an answer a line out, both JSON.

["spec", {…}]     the format from now on; no answer
["encode", {…}]   {"bytes": hex} or {"error": message, "field": name}
["decode", hex]   {"values": {…}} or {"error": message, "field": name, "at": offset}
"""

import importlib.metadata
import json
import sys

import iso8583


def encode(message, spec):
    try:
        encoded, _ = iso8583.encode(message, spec)
    except iso8583.EncodeError as error:
        return {"error": error.msg, "field": error.field}
    return {"bytes": encoded.hex()}


def decode(text, spec):
    try:
        values, _ = iso8583.decode(bytes.fromhex(text), spec)
    except iso8583.DecodeError as error:
        return {"error": error.msg, "field": error.field, "at": error.pos}
    except KeyError as error:
        # It looks a field up in the format without asking whether it is there.
        return {"error": "undefined", "field": error.args[0]}
    return {"values": {name: value for name, value in values.items() if name not in ("p", "1")}}


def main():
    spec = None
    print(json.dumps({"version": importlib.metadata.version("pyiso8583")}), flush=True)
    for line in sys.stdin:
        request, argument = json.loads(line)
        if request == "spec":
            spec = argument
            continue
        answer = encode(argument, spec) if request == "encode" else decode(argument, spec)
        print(json.dumps(answer), flush=True)


main()
