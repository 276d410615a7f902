//! The faults: what breaks, for how long, and how it is mended.

use std::sync::Arc;
use std::time::Duration;

use loadtest::simulator::issuer::Mood;
use parking_lot::Mutex;
use rand::RngExt;
use rand::rngs::StdRng;
use rig::{FakeClock, Proxy};

use crate::cluster::chaos::report::Report;
use crate::cluster::node::pause;
use crate::cluster::redis::RedisPair;
use crate::cluster::town::{Town, cassandra};

/// One fault.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// kill -9 of a node; its keeper starts it again.
    Kill(usize),
    /// SIGSTOP of a node.
    Sleep(usize, Duration),
    /// The wall clock of a node is so many days ahead, or behind.
    WrongClock(usize, i64, Duration),
    /// Another process starts under the name of a node, which may live or not.
    TwinName(usize, Duration),
    /// FLUSHALL.
    Flush,
    /// Redis is killed and started again, empty.
    RedisRestarts,
    /// SIGSTOP of Redis.
    RedisSleeps(Duration),
    /// Redis dies; its replica, which has not heard of the last moments, takes its place.
    RedisFailsOver(Duration),
    /// The replica takes the place of a primary that lives on, and to which one node's connections
    /// stand: that node sleeps while it happens.
    RedisSplits(usize, Duration),
    /// The cable between all nodes and Redis.
    RedisCable(Cable, Duration),
    /// The cable between one node and Cassandra.
    CqlCable(usize, Cable, Duration),
    /// SIGSTOP of Cassandra.
    CassandraSleeps(Duration),
    /// The bank hears nothing.
    BankDeaf(Duration),
    /// The bank closes every line.
    BankHangsUp(Duration),
}

/// What a cable does.
#[derive(Debug, Clone, Copy)]
pub enum Cable {
    /// Ends all connections.
    Cut,
    /// Swallows requests.
    CutTowardsServer,
    /// Swallows answers: it is done, and nobody learns of it.
    CutTowardsClient,
    /// Takes longer.
    Slow(Duration),
}

impl Fault {
    /// Draws one.
    pub fn draw(random: &mut StdRng) -> Self {
        let node = random.random_range(0..2);
        let mut ms = |from: u64, to: u64| Duration::from_millis(random.random_range(from..to));
        let (short, long, tail) = (ms(200, 4_000), ms(1_000, 6_000), ms(100, 800));
        let (server, slow) = (ms(1_000, 3_000), ms(5, 120));
        let cable = match random.random_range(0..4) {
            0 => Cable::Cut,
            1 => Cable::CutTowardsServer,
            2 => Cable::CutTowardsClient,
            _ => Cable::Slow(slow),
        };
        let days = random.random_range(-10..10);
        match random.random_range(0..23) {
            0..4 => Self::Kill(node),
            4..6 => Self::Sleep(node, long),
            6..8 => Self::Flush,
            8 => Self::RedisRestarts,
            9 => Self::RedisSleeps(short),
            10..12 => Self::RedisFailsOver(tail),
            12..14 => Self::RedisSplits(node, tail),
            14 => Self::RedisCable(cable, short),
            15..17 => Self::CqlCable(node, cable, short),
            17 => Self::CassandraSleeps(server),
            18 => Self::BankDeaf(short),
            20..22 => Self::WrongClock(node, days, short),
            22.. => Self::TwinName(node, long),
            _ => Self::BankHangsUp(short),
        }
    }

    /// Its kind, for counting.
    pub fn kind(&self) -> String {
        let text = format!("{self:?}");
        let kind = text.split(['(', ' ']).next().unwrap_or_default().to_owned();
        match self {
            Self::RedisCable(cable, _) | Self::CqlCable(_, cable, _) => {
                let cable = format!("{cable:?}");
                format!("{kind} {}", cable.split('(').next().unwrap_or_default())
            }
            _ => kind,
        }
    }
}

/// Where faults happen.
#[derive(Clone)]
pub struct Site {
    pub town: Arc<Town>,
    pub pair: Arc<RedisPair>,
    /// The wall clocks of the nodes.
    pub clocks: Arc<[FakeClock; 2]>,
    pub report: Arc<Mutex<Report>>,
}

impl Site {
    /// Breaks something, and mends it.
    pub async fn break_with(&self, fault: Fault) {
        let number = self.report.lock().begins(fault);
        let nodes = &self.town.nodes;
        match fault {
            Fault::Kill(node) => nodes[node].kill(),
            Fault::Sleep(node, lasts) => {
                nodes[node].pause();
                pause(lasts).await;
                nodes[node].resume();
            }
            Fault::WrongClock(node, days, lasts) => {
                self.clocks[node].set_ahead(days * 86_400).expect("a clock");
                pause(lasts).await;
                self.clocks[node].set_ahead(0).expect("a clock");
            }
            Fault::TwinName(node, lasts) => {
                let twin = self.town.twin(node);
                twin.launch();
                pause(lasts).await;
                twin.kill();
            }
            Fault::Flush => self.redis(|pair| drop(pair.primary().flush_all())).await,
            Fault::RedisRestarts => {
                self.redis(|pair| pair.primary().restart().expect("a restart")).await;
            }
            Fault::RedisSleeps(lasts) => {
                self.redis(|pair| drop(pair.primary().pause())).await;
                pause(lasts).await;
                self.redis(RedisPair::wake).await;
            }
            Fault::RedisFailsOver(tail) => {
                self.redis(RedisPair::cut_replication).await;
                pause(tail).await;
                self.redis(RedisPair::fail_over).await;
            }
            Fault::RedisSplits(node, tail) => {
                self.redis(RedisPair::cut_replication).await;
                pause(tail).await;
                nodes[node].pause();
                self.redis(RedisPair::promote).await;
                // Long enough for the other node to notice and open anew without it.
                pause(Duration::from_millis(2_500)).await;
                nodes[node].resume();
                pause(Duration::from_millis(1_000)).await;
                self.redis(RedisPair::rejoin).await;
            }
            Fault::RedisCable(cable, lasts) => self.cable(&self.pair.front, cable, lasts).await,
            Fault::CqlCable(node, cable, lasts) => self.cable(&nodes[node].cql, cable, lasts).await,
            Fault::CassandraSleeps(lasts) => {
                tokio::task::block_in_place(|| cassandra().pause(0)).expect("a pause");
                pause(lasts).await;
                tokio::task::block_in_place(|| cassandra().resume(0)).expect("a signal");
            }
            Fault::BankDeaf(lasts) => self.mood(Mood::Deaf, lasts).await,
            Fault::BankHangsUp(lasts) => self.mood(Mood::HangingUp, lasts).await,
        }
        self.report.lock().is_over(number);
    }

    /// Mends everything.
    pub async fn heal(&self) {
        self.town.issuer.set_mood(Mood::Working);
        for clock in self.clocks.iter() {
            clock.set_ahead(0).expect("a clock");
        }
        for node in &self.town.nodes {
            node.resume();
            node.cql.heal();
        }
        tokio::task::block_in_place(|| cassandra().resume(0)).expect("a signal");
        self.redis(RedisPair::heal).await;
    }

    async fn redis(&self, work: impl FnOnce(&RedisPair)) {
        tokio::task::block_in_place(|| work(&self.pair));
    }

    async fn cable(&self, proxy: &Proxy, cable: Cable, lasts: Duration) {
        match cable {
            Cable::Cut => proxy.cut(),
            Cable::CutTowardsServer => proxy.cut_towards_server(),
            Cable::CutTowardsClient => proxy.cut_towards_client(),
            Cable::Slow(delay) => proxy.delay(delay),
        }
        pause(lasts).await;
        proxy.heal();
    }

    async fn mood(&self, mood: Mood, lasts: Duration) {
        self.town.issuer.set_mood(mood);
        pause(lasts).await;
        self.town.issuer.set_mood(Mood::Working);
    }
}
