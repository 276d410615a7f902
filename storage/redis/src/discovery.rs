//! Finding the instances in use.

use redis::{Value, cmd};

use crate::failure::{Failure, Why};
use crate::layout::Layout;
use crate::link::{Link, address_of, info_of, text_of};
use crate::pin::{Pin, ShardPin};
use crate::settings::{Form, RedisSettings};

impl Form {
    /// The address whose user, password and TLS the Redis servers themselves take.
    pub(crate) fn server_url(&self) -> &str {
        match self {
            Self::Single { url } => url,
            Self::Sentinel { urls, servers, .. } => {
                servers.as_deref().unwrap_or_else(|| urls.first().map_or("", String::as_str))
            }
            Self::Cluster { urls } => urls.first().map_or("", String::as_str),
        }
    }
}

/// Finds the instances in use and the identity of each; `compare` checks the clock of each.
pub(crate) fn discover(
    settings: &RedisSettings,
    layout: &Layout,
    compare: impl Fn(&mut Link) -> Result<(), Failure>,
) -> Result<Pin, Failure> {
    let homes = match &settings.form {
        Form::Single { url } => vec![(address_of(&info_of(url)?)?, vec![0])],
        Form::Sentinel { urls, master, .. } => {
            let ask = |url: &String| ask_sentinel(url, master, settings);
            vec![(first_answer(urls, ask)?, vec![0])]
        }
        Form::Cluster { urls } => first_answer(urls, |url| ask_cluster(url, settings, layout))?,
    };
    let identify = |(address, groups): Home| -> Result<ShardPin, Failure> {
        let mut link = Link::connect(settings.form.server_url(), Some(&address), settings)?;
        let identity = link.identify()?;
        compare(&mut link)?;
        let (run_id, replication_id) = (identity.run_id, identity.replication_id);
        Ok(ShardPin { address, run_id, replication_id, groups })
    };
    Ok(Pin { shards: homes.into_iter().map(identify).collect::<Result<_, _>>()? })
}

fn first_answer<T>(
    urls: &[String],
    ask: impl Fn(&String) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let mut last = Failure::new(Why::Other, "no address is given");
    for url in urls {
        match ask(url) {
            Ok(answer) => return Ok(answer),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

fn ask_sentinel(url: &str, master: &str, settings: &RedisSettings) -> Result<String, Failure> {
    let mut link = Link::connect(url, None, settings)?;
    let answer = link.ask(cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(master))?;
    let Value::Array(parts) = &answer else {
        let detail = format!("knows no primary named {master}");
        return Err(Failure::new(Why::Other, detail).at(&link.address));
    };
    let [host, port] = parts.as_slice() else { return Err(Failure::strange("SENTINEL")) };
    Ok(format!("{}:{}", text_of(host)?, text_of(port)?))
}

type Home = (String, Vec<u16>);

fn ask_cluster(url: &str, settings: &RedisSettings, layout: &Layout) -> Result<Vec<Home>, Failure> {
    let mut link = Link::connect(url, None, settings)?;
    let state = text_of(&link.ask(cmd("CLUSTER").arg("INFO"))?)?;
    if !state.contains("cluster_state:ok") {
        return Err(Failure::new(Why::NotServing, "the cluster is not whole").at(&link.address));
    }
    let Value::Array(rows) = link.ask(cmd("CLUSTER").arg("SLOTS"))? else {
        return Err(Failure::strange("CLUSTER SLOTS"));
    };
    let ranges = rows.iter().map(|row| range(row, &link.address)).collect::<Result<Vec<_>, _>>()?;
    let mut homes: Vec<Home> = Vec::new();
    for group in 0..layout.groups() {
        let slot = i64::from(layout.hash_slot(group));
        let home = ranges.iter().find(|(first, last, _)| (*first..=*last).contains(&slot));
        let (_, _, address) = home.ok_or_else(|| Failure::strange("a slot that no node has"))?;
        let group = u16::try_from(group).expect("invariant: groups are numbered by 16 bits");
        match homes.iter_mut().find(|(other, _)| other == address) {
            Some((_, groups)) => groups.push(group),
            None => homes.push((address.clone(), vec![group])),
        }
    }
    Ok(homes)
}

/// First slot, last slot and the primary's address.
fn range(row: &Value, asked: &str) -> Result<(i64, i64, String), Failure> {
    let strange = || Failure::strange("CLUSTER SLOTS");
    let Value::Array(row) = row else { return Err(strange()) };
    let [Value::Int(first), Value::Int(last), Value::Array(node), ..] = row.as_slice() else {
        return Err(strange());
    };
    let [host, Value::Int(port), ..] = node.as_slice() else { return Err(strange()) };
    let host = match host {
        Value::Nil => String::new(),
        other => text_of(other)?,
    };
    // A node that does not know its own name is where it was asked.
    let own = asked.rsplit_once(':').map_or(asked, |(host, _)| host);
    let host = if host.is_empty() || host == "?" { own } else { &host };
    Ok((*first, *last, format!("{host}:{port}")))
}
