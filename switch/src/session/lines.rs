//! Starts what a participant's lines need: who dials it, who listens for it, who watches deadlines.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use parking_lot::Mutex;
use router::id::ParticipantId;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::dial;
use super::listen::{self, Door};
use crate::adapter::iso8583::Iso8583Participant;
use crate::adapter::iso8583::tls::ListenerTls;
use crate::admission::Admission;
use crate::config::{Iso8583Config, ParticipantConfig};
use crate::engine::Engine;
use crate::outbound::Host;

/// Starts and ends the lines of participants, while the switch runs too.
pub struct Lines {
    engine: Arc<Engine>,
    limits: Arc<Iso8583Config>,
    tls: Option<Arc<ListenerTls>>,
    admission: Arc<Admission>,
    /// Addresses that are for one participant alone, each with what closes it.
    own: Mutex<HashMap<ParticipantId, (SocketAddr, CancellationToken)>>,
}

/// An address of one participant alone that is taken and not served yet.
#[derive(Debug)]
pub struct OwnAddress {
    /// Whose it is.
    pub participant: ParticipantId,
    /// As it was configured; port 0 takes a free one.
    pub configured: SocketAddr,
    /// Takes its calls.
    pub listener: TcpListener,
}

impl Lines {
    /// Nothing started yet.
    pub fn new(
        engine: Arc<Engine>,
        limits: Iso8583Config,
        tls: Option<Arc<ListenerTls>>,
        admission: Arc<Admission>,
    ) -> Self {
        Self { engine, limits: Arc::new(limits), tls, admission, own: Mutex::default() }
    }

    /// The TLS of all addresses where participants call; none for plain TCP.
    pub fn tls(&self) -> Option<&Arc<ListenerTls>> {
        self.tls.as_ref()
    }

    /// Takes lines at the address where everybody may call.
    pub fn listen(&self, listener: TcpListener) {
        self.open(listener, None, CancellationToken::new());
    }

    /// Takes lines at an address of one participant alone; at another of it no more.
    pub fn listen_for(&self, address: OwnAddress) {
        let OwnAddress { participant, configured, listener } = address;
        let closed = CancellationToken::new();
        let before = self.own.lock().insert(participant, (configured, closed.clone()));
        if let Some((_, before)) = before {
            before.cancel();
        }
        self.open(listener, Some(participant), closed);
    }

    /// Closes the addresses of participants that have none in a configuration.
    pub fn close_others(&self, configs: &[ParticipantConfig]) {
        let kept = |id: &ParticipantId| {
            configs.iter().any(|config| config.id == *id && config.listen.is_some())
        };
        self.own.lock().retain(|id, (_, closed)| {
            let is_kept = kept(id);
            if !is_kept {
                closed.cancel();
            }
            is_kept
        });
    }

    /// Takes the addresses of a configuration that are not served yet.
    ///
    /// Errors: the address that cannot be had, and why; none is taken then.
    pub async fn take(
        &self,
        configs: &[ParticipantConfig],
    ) -> Result<Vec<OwnAddress>, (SocketAddr, std::io::Error)> {
        let mut taken = Vec::new();
        for (participant, configured) in self.not_served(configs) {
            let bound = TcpListener::bind(configured).await;
            let listener = bound.map_err(|error| (configured, error))?;
            taken.push(OwnAddress { participant, configured, listener });
        }
        Ok(taken)
    }

    fn not_served(&self, configs: &[ParticipantConfig]) -> Vec<(ParticipantId, SocketAddr)> {
        let own = self.own.lock();
        let wanted = configs.iter().filter_map(|config| Some((config.id, config.listen?)));
        let is_served = |(id, address): &(ParticipantId, SocketAddr)| {
            own.get(id).is_some_and(|(served, _)| served == address)
        };
        wanted.filter(|wanted| !is_served(wanted)).collect()
    }

    fn open(&self, listener: TcpListener, owner: Option<ParticipantId>, closed: CancellationToken) {
        let door = Door {
            limits: Arc::clone(&self.limits),
            tls: self.tls.clone(),
            owner,
            closed: closed.clone(),
            admission: Arc::clone(&self.admission),
        };
        let work = listen::run(Arc::clone(&self.engine), listener, door);
        self.engine.tasks.critical_until("lines", closed, work);
    }

    /// Watches a participant's deadlines and opens the lines that we dial, until it is retired.
    pub fn start(&self, participant: &Arc<Iso8583Participant>) {
        let (tasks, ending) = (&self.engine.tasks, participant.ending().clone());
        let watched = Arc::clone(participant);
        tasks.critical_until("deadlines", ending.clone(), async move {
            tokio::select! {
                () = ending.cancelled() => {}
                () = watched.in_flight().watch_deadlines() => {}
            }
        });
        let Some(reach) = &participant.config.reach else { return };
        // What address a name has is not known before it is called.
        if let Host::Ip(ip) = reach.address.host {
            self.admission.know(ip);
        }
        for _ in 0..reach.lines {
            let (engine, participant) = (Arc::clone(&self.engine), Arc::clone(participant));
            let kept = dial::keep(engine, participant, reach.clone(), Arc::clone(&self.limits));
            tasks.service("dial", kept);
        }
    }
}
