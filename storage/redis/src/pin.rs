//! Which instances exactly are in use.

use std::fmt;
use std::str::FromStr;

/// The identity of the Redis in use: what a gate epoch is bound to.
///
/// Its printed form is `address|run id|replication id|groups`, several joined by `;`; groups are
/// numbers and ranges joined by `,`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// One for each primary that has a group, in the order of their lowest groups.
    pub shards: Vec<ShardPin>,
}

/// One primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardPin {
    /// `host:port`.
    pub address: String,
    /// New with every start of the process.
    pub run_id: String,
    /// New with every promotion, and with what else breaks the history of its data.
    pub replication_id: String,
    /// The groups that it decides, ascending.
    pub groups: Vec<u16>,
}

/// A printed pin could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the identity of a Redis: expected `address|run id|replication id|groups`")]
pub struct PinError;

impl Pin {
    /// Which shard decides each of the groups 0..; none where one has none.
    pub(crate) fn shard_of_groups(&self, groups: u16) -> Option<Vec<usize>> {
        let shard = |group| self.shards.iter().position(|shard| shard.groups.contains(&group));
        (0..groups).map(shard).collect()
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, shard) in self.shards.iter().enumerate() {
            let comma = if index == 0 { "" } else { ";" };
            let ShardPin { address, run_id, replication_id, groups } = shard;
            write!(f, "{comma}{address}|{run_id}|{replication_id}|")?;
            for (index, (first, last)) in ranges(groups).into_iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(f, "{comma}{first}")?;
                if last > first {
                    write!(f, "-{last}")?;
                }
            }
        }
        Ok(())
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        Ok(Self { shards: text.split(';').map(shard).collect::<Result<_, _>>()? })
    }
}

fn shard(text: &str) -> Result<ShardPin, PinError> {
    let mut fields = text.split('|');
    let mut next = || fields.next().filter(|field| !field.is_empty()).ok_or(PinError);
    let (address, run_id, replication_id) = (next()?.into(), next()?.into(), next()?.into());
    let ranges = next()?.split(',').map(range).collect::<Result<Vec<_>, _>>()?;
    let groups = ranges.into_iter().flatten().collect();
    if fields.next().is_some() {
        return Err(PinError);
    }
    Ok(ShardPin { address, run_id, replication_id, groups })
}

fn range(text: &str) -> Result<std::ops::RangeInclusive<u16>, PinError> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.parse().map_err(|_| PinError);
    Ok(number(first)?..=number(last)?)
}

fn ranges(groups: &[u16]) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for group in groups {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*group) => *last = *group,
            _ => ranges.push((*group, *group)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_prints_and_reads_back() {
        let shard = |address: &str, groups: &[u16]| ShardPin {
            address: address.into(),
            run_id: "0a1b".into(),
            replication_id: "2c3d".into(),
            groups: groups.into(),
        };
        let pin = Pin { shards: vec![shard("a:1", &[0, 1, 2, 7, 9, 10]), shard("b:1", &[3])] };
        assert_eq!(pin.to_string(), "a:1|0a1b|2c3d|0-2,7,9-10;b:1|0a1b|2c3d|3");
        assert_eq!(pin.to_string().parse(), Ok(pin));
        for text in ["", "a|b|c", "a|b|c|", "a|b|c|x", "a|b|c|1|", "a||c|1", "a|b|c|1;"] {
            assert_eq!(text.parse::<Pin>(), Err(PinError), "{text}");
        }
    }
}
