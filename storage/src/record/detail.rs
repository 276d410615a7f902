//! What people are told beyond a reason's text.

use router::detail::{BrokenLimit, Detail};
use router::policy::{Scope, Window};

use super::DecodeError;
use super::field::{Field, ValueReader, ValueWriter, codes, variants};

variants!(Detail, "detail", Text = 1, Limit = 2);

codes!(
    Scope,
    "limit scope",
    Client = 1,
    Operator = 2,
    Terminal = 3,
    Float = 4,
    Biller = 5,
    Originator = 6,
);
codes!(Window, "limit window", Day = 1, Month = 2);

/// An array: the number of the limit's kind, and what the kind tells.
impl Field for BrokenLimit {
    fn write(&self, out: &mut ValueWriter<'_>) {
        match self {
            Self::Most(amount) => write_kind(1, &[amount], out),
            Self::Least(amount) => write_kind(2, &[amount], out),
            Self::Count { max, scope, window } => write_kind(3, &[max, scope, window], out),
            Self::Sum { max, scope, window } => write_kind(4, &[max, scope, window], out),
            Self::NetDebit(cap) => write_kind(5, &[cap], out),
            Self::Remaining { least, most } => write_kind(6, &[least, most], out),
            Self::Products(products) => write_kind(7, &[products], out),
            Self::Bill(most) => write_kind(8, &[most], out),
        }
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        const FIELD: &str = "broken limit";
        let start = reader.at();
        let len = reader.list_len(FIELD)?;
        Ok(match (reader.code(FIELD)?, len) {
            (1, 2) => Self::Most(Field::read(reader)?),
            (2, 2) => Self::Least(Field::read(reader)?),
            (3, 4) => Self::Count {
                max: Field::read(reader)?,
                scope: Field::read(reader)?,
                window: Field::read(reader)?,
            },
            (4, 4) => Self::Sum {
                max: Field::read(reader)?,
                scope: Field::read(reader)?,
                window: Field::read(reader)?,
            },
            (5, 2) => Self::NetDebit(Field::read(reader)?),
            (6, 3) => Self::Remaining { least: Field::read(reader)?, most: Field::read(reader)? },
            (7, 2) => Self::Products(Field::read(reader)?),
            (8, 2) => Self::Bill(Field::read(reader)?),
            _ => return reader.invalid(FIELD, start),
        })
    }
}

/// Something that writes itself; for values of several types in one list.
trait Item {
    fn put(&self, out: &mut ValueWriter<'_>);
}

impl<T: Field> Item for T {
    fn put(&self, out: &mut ValueWriter<'_>) {
        self.write(out);
    }
}

fn write_kind(kind: u64, values: &[&dyn Item], out: &mut ValueWriter<'_>) {
    out.array(values.len() + 1);
    out.unsigned(kind);
    values.iter().for_each(|value| value.put(out));
}

#[cfg(test)]
mod tests {
    use router::money::{Currency, Money};

    use super::*;

    #[test]
    fn every_detail_reads_back() {
        let pesos = |minor| Money::new(minor, Currency::from_code("MXN").expect("a currency"));
        let (scope, window) = (Scope::Terminal, Window::Month);
        let limits = [
            BrokenLimit::Most(pesos(1)),
            BrokenLimit::Least(pesos(2)),
            BrokenLimit::Count { max: 3, scope, window },
            BrokenLimit::Sum { max: pesos(4), scope: Scope::Client, window: Window::Day },
            BrokenLimit::NetDebit(pesos(5)),
            BrokenLimit::Remaining { least: pesos(6), most: pesos(7) },
            BrokenLimit::Products("credit".into()),
            BrokenLimit::Bill(pesos(8)),
        ];
        let details = limits.into_iter().map(Detail::Limit).chain([Detail::Text("a".into())]);
        for expect in details {
            let mut out = Vec::new();
            expect.write(&mut ValueWriter::new(&mut out));
            let mut reader = ValueReader::new(&out);
            assert_eq!(Detail::read(&mut reader), Ok(expect));
            assert_eq!(reader.finish(), Ok(()));
        }
        assert!(Detail::read(&mut ValueReader::new(&[9])).is_err());
    }
}
