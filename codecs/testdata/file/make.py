"""Makes the files of this folder, with the csv module of Python and with openpyxl 3.1.

    python3 -m venv venv && venv/bin/pip install openpyxl==3.1.5 && venv/bin/python make.py

The tests read what was made; they do not run this.
"""
import csv
import datetime
import pathlib

from openpyxl import Workbook

HERE = pathlib.Path(__file__).parent

# Mexico: semicolons, decimal commas, latin-1, quotes where they are needed.
rows = [
    ["Recibo", "Cliente", "Contrato", "Importe", "Vence", "Parcial", "Minimo", "Producto", "Concepto", "Notas"],
    ["R-1001", "000123", "C-9", "1250,50", "15/12/2026", "SI", "100,00", "agua", "Servicio; diciembre", ""],
    ["R-1002", "000124", "", "99,9", "31/12/2026", "NO", "", "agua", 'Dice "urgente"', "x"],
    ["R-1003", "000125", "", "0,01", "", "", "", "", "Peña Ñandú", ""],
]
with open(HERE / "bills-mx.csv", "w", newline="", encoding="latin-1") as out:
    csv.writer(out, delimiter=";", quoting=csv.QUOTE_MINIMAL).writerows(rows)
bad = [
    rows[0],
    rows[1],
    ["", "000126", "", "12.50", "31/02/2026", "quizá", "", "agua", "Luz", ""],
    ["R-1005", "000127", "", "10,00", "01/12/2026", "SI", "20,00", "", "Luz", ""],
    ["R-1006", "000128", "", "10,00", "01/12/2026", "SI", "5,00", "", "Luz", ""],
]
with open(HERE / "bills-mx-bad-rows.csv", "w", newline="", encoding="latin-1") as out:
    csv.writer(out, delimiter=";").writerows(bad)

# Argentina: fixed width, three due dates, implied cents, a trailer with count and sum.
def detail(bill, client, amount, dues, partial, text):
    dues = dues + [("00000000", 0)] * (3 - len(dues))
    tail = "".join(f"{date:8}{cents:012d}" for date, cents in dues)
    return f"1{bill:<20}{client:<14}{amount:012d}{tail}{partial}{text:<32}"

bills = [
    ("A-0001-00012345", "20123456786", 1500000, [("05122026", 1500000), ("15122026", 1545000), ("28122026", 1600050)], "N", "Cuota diciembre"),
    ("A-0001-00012346", "27987654321", 250075, [("10122026", 250075)], "S", "Señal y abono"),
    ("A-0001-00012347", "30500001735", 1, [], "N", ""),
]
lines = [f"{'0DEMO' + '26112026':<140}"]
lines += [detail(*bill) for bill in bills]
lines += [f"{'9%08d%015d' % (len(bills), sum(bill[2] for bill in bills)):<140}"]
assert all(len(line) == 140 for line in lines)
(HERE / "bills-ar.txt").write_bytes("".join(line + "\r\n" for line in lines).encode("latin-1"))

# Venezuela: a workbook with numbers, dates, booleans, text, and an empty row.
book = Workbook()
sheet = book.active
sheet.title = "Facturas"
sheet.append(["Factura", "Cliente", "Monto", "Vencimiento", "Abono", "Concepto", "Notas"])
sheet.append(["V-1", "J-12345678-9", 1234.56, datetime.date(2026, 12, 15), True, "Teléfono", None])
sheet.append(["V-2", 4001, 0.1 + 0.2, datetime.datetime(2026, 12, 31), False, "'=apóstrofo", 7])
sheet.append([])
sheet.append(["V-3", "J-3", "10.00", "2027-01-31", 1, None, None])
sheet.append(["V-4", "J-4", -5, datetime.datetime(2026, 12, 31, 13, 30), "no", "=1+1", None])
book.save(HERE / "bills-ve.xlsx")
