#!/usr/bin/env python3
"""Writes the seeds of each fuzz target, fuzz/corpus/TARGET/seed-NAME, from the test data of codecs.

Nothing here is random: the same data give the same seeds. What a fuzzer has found beside them stays.
"""

import json
import pathlib

FUZZ = pathlib.Path(__file__).resolve().parent
DATA = FUZZ.parent / "codecs/testdata"
CONFIG = FUZZ.parent / "config"
OUT = FUZZ / "corpus"

# Where `build.rs` has put each format; 0 is the switch's own.
SPECS = sorted(path.stem for path in (DATA / "iso8583/specs").glob("*.json"))
# As in `codecs::frame::FrameSpec::PRESETS`: how each frames the four bytes "0800".
BASE1 = bytes.fromhex("16 01 02 001A 123456 654321 00 0000 000000 00 000000 00")
FRAMES = [
    b"\0\x040800",
    b"\0\0\x040800",
    b"\0\0\0\x040800",
    b"00040800",
    b"00040800",
    b"\0\x040800",
    b"\0\x09\x60\0\x01\0\x020800",
    b"\0\x04\0\x000800",
    b"\0\x1a\0\0" + BASE1 + b"0800",
    b"\0\0\0\x040800",
    b"\0\x060800",
    b"\0\x050800\x03",
    b"0800\x03",
]
# As in `fuzz_targets/file_bills.rs`.
FILES = {"bills-mx.csv": 0, "bills-mx-bad-rows.csv": 0, "bills-ar.txt": 1, "bills-ve.xlsx": 2}
PAYMENTS = [
    {"rail": "account", "amount": {"currency": "MXN", "minor": 50000},
     "payer": {"account": "002010077777777771"}},
    {"rail": "card", "amount": {"currency": "USD", "minor": 1}, "bill": "R-1", "client": "C-1",
     "payer": {"card": {"number": "4111111111111111", "expiry": "3012"}},
     "remaining_debt": {"currency": "USD", "minor": 1}, "metadata": {"a": [1, "b", None]}},
    {"rail": "cash_float", "amount": {"currency": "VES", "minor": 100}, "float_ref": "f-1",
     "operator": "op-1", "product": "p", "reference": "r", "terminal": "t"},
]


def seed(target, name, content):
    folder = OUT / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(content)


def rows(folder):
    for path in sorted(folder.glob("*.json")):
        yield path.stem, json.loads(path.read_text(encoding="utf-8"))


def iso8583():
    for path in sorted((DATA / "cauce87").glob("*.hex")):
        message = bytes.fromhex(path.read_text(encoding="ascii"))
        seed("cauce87", path.stem, message)
        seed("iso8583", path.stem, b"\0" + message)
        seed("dialect", path.stem, b"\0\0\0" + message)
    for name, vector in rows(DATA / "iso8583/vectors"):
        message = bytes.fromhex(vector["hex"])[2 if "framing" in vector else 0:]
        if "spec" in vector:
            choice = bytes([1 + SPECS.index(vector["spec"])])
            seed("iso8583", name, choice + message)
            seed("dialect", name, choice + b"\0\0" + message)
        else:
            seed("iso8583_spec", name, json.dumps(vector["inline_spec"]).encode())
    for path in sorted((DATA / "iso8583/specs").glob("*.json")):
        seed("iso8583_spec", path.stem, path.read_bytes())
    for path in sorted((CONFIG / "iso8583").glob("*.toml")):
        seed("iso8583_spec", path.stem, path.read_bytes())


def qr():
    targets = {"emvco-mpm": "qr_emv", "vietqr": "qr_emv", "pix": "qr_pix", "epc069-12": "qr_epc"}
    for name, vector in rows(DATA / "qr"):
        payload = vector["payload"].encode()
        if "payload_hex" in vector:
            payload = bytes.fromhex(vector["payload_hex"])
        seed(targets[vector["scheme"]], name, payload)


def iso20022():
    for path in sorted((DATA / "iso20022/vectors").glob("*.xml")):
        seed("iso20022", path.stem, path.read_bytes())


def security():
    algorithms = ["des", "tdes2", "tdes3", "aes128", "aes192", "aes256"]
    for at, row in enumerate(json.loads((DATA / "security/wrapped-keys.json").read_text())):
        algorithm, wrap = algorithms.index(row["algorithm"]), int(row["wrap"] != "tdes-ecb")
        check = bytes.fromhex(row["check_value"])
        head = bytes([algorithm, wrap, len(check)])
        material = bytes.fromhex(row["cryptogram"]) + check
        seed("security", f"material-{at}", b"\0" + head + material)
        seed("security", f"sent-{at}", b"\x01" + head + bytes.fromhex(row["key"]))
    for at, row in enumerate(json.loads((DATA / "security/pin-blocks.json").read_text())):
        pin = row["pin"].encode()
        block = bytes.fromhex(row["block"])
        seed("security", f"pin-{at}", bytes([2, 0, 0, len(pin)]) + pin + block)
    seed("security", "mac", bytes([3, 0, 5, 12]) + b"0200message " + b"\0" * 8)


def others():
    for at, frame in enumerate(FRAMES):
        seed("frame", f"preset-{at}", bytes([at, 8, 3]) + frame * 2)
    for name, layout in FILES.items():
        seed("file_bills", name, bytes([layout]) + (DATA / "file" / name).read_bytes())
    for at, payment in enumerate(PAYMENTS):
        seed("api_payment", str(at), json.dumps(payment).encode())


def json_bank():
    """Answers of the example bank to each operation, and to the reference that the target has."""
    amount = {"value": "12.50", "currency": "VES"}
    answer = {"id": "B-1", "order": "pay_01kbd0000000000000000000af", "amount": amount}
    states = ["APPROVED", "DECLINED", "OTP_REQUIRED", "REDIRECT", "REVERSED", "REFUNDED"]
    for operation in range(5):
        for state in states:
            body = answer | {"status": state, "error": {"code": "51"}, "authorization": "000001"}
            body["next"] = {"url": "https://bank.example/a", "expires_at": "2026-12-01T10:05:00Z"}
            head = bytes([operation]) + (422 if state == "DECLINED" else 200).to_bytes(2, "big")
            seed("json_bank", f"{operation}-{state}", head + json.dumps(body).encode())


if __name__ == "__main__":
    for stale in OUT.glob("*/seed-*"):
        stale.unlink()
    for write in (iso8583, qr, iso20022, security, others, json_bank):
        write()
    print(f"{sum(1 for _ in OUT.glob('*/seed-*'))} seeds in fuzz/corpus")
