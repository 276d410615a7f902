//! What people are told beyond a reason's text.

use router::limit::{BrokenLimit, Detail};
use router::policy::{Scope, Window};

use super::DecodeError;
use super::bytes::{Reader, put_blob, put_i64, put_money};

pub(super) fn put_detail(detail: &Detail, out: &mut Vec<u8>) {
    match detail {
        Detail::Text(text) => {
            out.push(0);
            put_blob(text.as_bytes(), out);
        }
        Detail::Limit(BrokenLimit::Most(amount)) => put_amount(1, *amount, out),
        Detail::Limit(BrokenLimit::Least(amount)) => put_amount(2, *amount, out),
        Detail::Limit(BrokenLimit::Count { max, scope, window }) => {
            out.push(3);
            put_i64(*max, out);
            put_per(*scope, *window, out);
        }
        Detail::Limit(BrokenLimit::Sum { max, scope, window }) => {
            put_amount(4, *max, out);
            put_per(*scope, *window, out);
        }
        Detail::Limit(BrokenLimit::NetDebit(cap)) => put_amount(5, *cap, out),
        Detail::Limit(BrokenLimit::Remaining { least, most }) => {
            put_amount(6, *least, out);
            put_money(*most, out);
        }
        Detail::Limit(BrokenLimit::Products(products)) => {
            out.push(7);
            put_blob(products.as_bytes(), out);
        }
    }
}

pub(super) fn detail(reader: &mut Reader<'_>) -> Result<Detail, DecodeError> {
    let at = reader.at();
    Ok(Detail::Limit(match reader.u8()? {
        0 => return reader.string().map(Detail::Text),
        1 => BrokenLimit::Most(reader.money()?),
        2 => BrokenLimit::Least(reader.money()?),
        3 => {
            let max = reader.i64()?;
            let (scope, window) = per(reader)?;
            BrokenLimit::Count { max, scope, window }
        }
        4 => {
            let max = reader.money()?;
            let (scope, window) = per(reader)?;
            BrokenLimit::Sum { max, scope, window }
        }
        5 => BrokenLimit::NetDebit(reader.money()?),
        6 => BrokenLimit::Remaining { least: reader.money()?, most: reader.money()? },
        7 => BrokenLimit::Products(reader.string()?),
        _ => return Err(DecodeError::Value { field: "detail", at }),
    }))
}

fn put_amount(tag: u8, amount: router::money::Money, out: &mut Vec<u8>) {
    out.push(tag);
    put_money(amount, out);
}

fn put_per(scope: Scope, window: Window, out: &mut Vec<u8>) {
    out.push(match scope {
        Scope::Client => 1,
        Scope::Operator => 2,
        Scope::Terminal => 3,
        Scope::Float => 4,
        Scope::Biller => 5,
        Scope::Originator => 6,
    });
    out.push(match window {
        Window::Day => 1,
        Window::Month => 2,
    });
}

fn per(reader: &mut Reader<'_>) -> Result<(Scope, Window), DecodeError> {
    let at = reader.at();
    let unknown = DecodeError::Value { field: "limit", at };
    let scope = match reader.u8()? {
        1 => Scope::Client,
        2 => Scope::Operator,
        3 => Scope::Terminal,
        4 => Scope::Float,
        5 => Scope::Biller,
        6 => Scope::Originator,
        _ => return Err(unknown),
    };
    let window = match reader.u8()? {
        1 => Window::Day,
        2 => Window::Month,
        _ => return Err(unknown),
    };
    Ok((scope, window))
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
        ];
        let details = limits.into_iter().map(Detail::Limit).chain([Detail::Text("a".into())]);
        for expect in details {
            let mut out = Vec::new();
            put_detail(&expect, &mut out);
            let mut reader = Reader::new(&out);
            assert_eq!(detail(&mut reader), Ok(expect));
            assert_eq!(reader.finish(), Ok(()));
        }
        assert!(detail(&mut Reader::new(&[9])).is_err());
    }
}
