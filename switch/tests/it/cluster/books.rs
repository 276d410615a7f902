//! What is left when everything is quiet: the lanes' records, the gate's balances, and what the
//! bank and the merchants saw – laid side by side.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use loadtest::audit::client::ClientClaim;
use loadtest::audit::issuer::IssuerTruth;
use loadtest::audit::journal::Journal;
use loadtest::audit::{Evidence, Mismatch, Notice, audit};
use router::id::{AccountId, Folio, Lane, PaymentId};
use router::invariant::{guard_agrees, one_approval_per_key, trial_balance};
use router::ledger::Ledger;
use router::message::IdempotencyKey;
use router::money::Currency;
use router::outcome::Outcome;
use router::record::{Intent, Record, ReversalStep};
use router::time::Timestamp;
use storage::guard::{Balance, Guard};
use storage_cql::{Control, Cql, CqlSettings, Lanes, frames};
use storage_redis::{Form, Gate, RedisGuard};

use crate::cluster::town::{Town, cassandra};

/// A lane that no node has: whoever looks at the gate must not be taken for a node.
const NOBODY: Lane = Lane(4_095);

/// What all lanes hold, and the gate.
pub struct Books {
    /// The export, a line a record.
    pub export: String,
    lives: BTreeMap<PaymentId, Life>,
    outcomes: Vec<(PaymentId, Outcome)>,
    /// What came into each account from outside payments.
    put_in: BTreeMap<AccountId, (i64, Currency)>,
    balances: BTreeMap<AccountId, Option<Balance>>,
    /// What all entries make.
    ledger: Ledger,
}

/// One payment that was sent, as its records tell it.
struct Life {
    intent: Box<Intent>,
    is_approved: bool,
    /// When what it reserved was given back; none while it has it.
    ended: Option<Timestamp>,
}

impl Books {
    /// Reads everything; blocks. Something may be under way: then the gate is ahead or behind.
    pub async fn read(town: &Town) -> Result<Self, String> {
        let exported = town.cauce(&["journal", "export", "--format", "json"]).await;
        if !exported.status.success() {
            return Err(String::from_utf8_lossy(&exported.stderr).into_owned());
        }
        let mut books = Self {
            export: String::from_utf8_lossy(&exported.stdout).into_owned(),
            lives: BTreeMap::new(),
            outcomes: Vec::new(),
            put_in: BTreeMap::new(),
            balances: BTreeMap::new(),
            ledger: Ledger::default(),
        };
        tokio::task::block_in_place(|| books.read_servers(town))?;
        Ok(books)
    }

    fn read_servers(&mut self, town: &Town) -> Result<(), String> {
        let settings = CqlSettings::new(cassandra().addresses(), &town.keyspace);
        let cql = Cql::connect(&settings).map_err(|error| error.to_string())?;
        for row in Lanes::new(&cql).all().map_err(|error| error.to_string())? {
            let records = frames::records(&cql, row.lane).map_err(|error| error.to_string())?;
            for record in records {
                self.take(record.map_err(|damage| damage.to_string())?.1);
            }
        }
        let row = Control::new(&cql).gate().map_err(|error| error.to_string())?;
        let row = row.ok_or("there is no gate")?;
        let form = Form::Single { url: town.redis_url() };
        let settings = storage_redis::RedisSettings::new(form, &town.keyspace);
        let gate = Arc::new(Gate::new(settings).map_err(|error| error.to_string())?);
        gate.open(row.epoch, row.pin.parse().map_err(|_| format!("the pin: {row:?}"))?);
        let mut guard = RedisGuard::new(gate, NOBODY);
        for (account, (_, currency)) in &self.put_in {
            let balance = guard.balance(*account, *currency).map_err(|error| error.to_string())?;
            self.balances.insert(*account, balance);
        }
        Ok(())
    }

    fn take(&mut self, record: Record) {
        record.entry().into_iter().for_each(|entry| self.ledger.post(entry));
        match record {
            Record::Intent(intent) => {
                let life = Life { intent, is_approved: false, ended: None };
                self.lives.insert(life.intent.payment, life);
            }
            Record::Outcome(concluded) => {
                self.ended(concluded.payment, concluded.outcome, concluded.at);
            }
            Record::Inquiry(inquiry) => {
                if let Some(outcome) = inquiry.finding.outcome() {
                    self.ended(inquiry.payment, outcome, inquiry.at);
                }
            }
            Record::Expired(expired) => {
                if let Some(life) = self.lives.get_mut(&expired.payment) {
                    life.ended = Some(expired.at);
                }
            }
            Record::Reversal(reversal) => {
                let is_over = matches!(reversal.step, ReversalStep::Confirmed(_));
                if let Some(life) = self.lives.get_mut(&reversal.payment).filter(|_| is_over) {
                    // What it reserved ends with its first reversal.
                    life.ended.get_or_insert(reversal.at);
                }
            }
            Record::Account(movement) => {
                for (account, gained) in movement.entry.guarded_moves() {
                    self.put_in.entry(account).or_insert((0, gained.currency)).0 += gained.minor;
                }
            }
            Record::Refused(_)
            | Record::Rerouted(_)
            | Record::LateAnswer(_)
            | Record::Event(_)
            | Record::NoticeMark(_)
            | Record::EarlyReversal(_)
            | Record::Awaiting(_)
            | Record::Confirming(_)
            | Record::Refund(_) => {}
        }
    }

    /// A payment has an outcome.
    fn ended(&mut self, payment: PaymentId, outcome: Outcome, at: Timestamp) {
        if let Some(life) = self.lives.get_mut(&payment) {
            life.is_approved = matches!(outcome, Outcome::Approved(_));
            life.ended = matches!(outcome, Outcome::Declined(_)).then_some(at);
        }
        self.outcomes.push((payment, outcome));
    }

    /// Payments in the journal that were sent.
    pub fn sent(&self) -> usize {
        self.lives.len()
    }

    /// What everybody tells.
    pub fn evidence(&self, town: &Town, claims: &[ClientClaim]) -> Evidence {
        let mut issuers = IssuerTruth::default();
        issuers.add_effects("bank-b", &town.issuer.truth());
        let journal = Journal::read(self.export.as_bytes()).expect("an export");
        let notices = town.merchant.heard().into_iter().map(|heard| Notice {
            webhook_id: heard.webhook_id,
            kind: heard.kind,
            payment: heard.payment,
        });
        let notices = Some(notices.collect());
        Evidence { claims: claims.to_vec(), journal, issuers, notices }
    }

    /// Everything that is wrong, in words; whether it may still come right by itself.
    pub fn mismatches(&self, evidence: &Evidence) -> (Vec<String>, bool) {
        let found = audit(evidence);
        let mut may_settle = found.iter().all(Mismatch::may_settle);
        let mut all: Vec<String> = found.iter().map(Mismatch::to_string).collect();
        let own = self.own(&evidence.issuers);
        may_settle &= own.is_empty();
        all.extend(own);
        // What is under way is held, and the endings that nobody told the gate of are told soon.
        all.extend(self.balances_off());
        (all, may_settle)
    }

    fn own(&self, issuers: &IssuerTruth) -> Vec<String> {
        let mut wrong = Vec::new();
        wrong.extend(trial_balance(&self.ledger).err().map(|violation| violation.to_string()));
        let keyed = self.outcomes.iter().filter_map(|(payment, outcome)| {
            Some((self.lives.get(payment)?.intent.request.key, outcome))
        });
        wrong.extend(one_approval_per_key(keyed).err().map(|violation| violation.to_string()));
        let mut debits: HashMap<IdempotencyKey, (i64, Vec<Folio>)> = HashMap::new();
        for life in self.lives.values() {
            let folio = life.intent.folio;
            let debited = issuers.payments.get(&folio.to_string()).map_or(0, |it| it.net_debits);
            let of_key = debits.entry(life.intent.request.key).or_default();
            of_key.0 += debited;
            of_key.1.push(folio);
        }
        let twice = debits.values().filter(|(debits, _)| *debits > 1);
        wrong.extend(
            twice.map(|(debits, folios)| format!("{debits} debits of one key: {folios:?}")),
        );
        wrong
    }

    /// Accounts whose balance at the gate is not what the journal says, once nothing is open.
    fn balances_off(&self) -> Vec<String> {
        let mut off = Vec::new();
        for (account, (put_in, currency)) in &self.put_in {
            let in_gate = self.balances[account].map_or(0, |balance| balance.balance.into());
            let agrees = guard_agrees(&self.ledger, *account, *currency, in_gate);
            off.extend(agrees.err().map(|violation| violation.to_string()));
            let holds = self.lives.values().filter(|life| life.ended.is_none());
            let (mut spent, mut held) = (0, 0);
            for life in holds {
                let of_account = life.intent.plan.reservation.holds.iter();
                let amounts = of_account.filter(|hold| hold.account == *account);
                let amount: i64 = amounts.map(|hold| hold.amount.minor).sum();
                *(if life.is_approved { &mut spent } else { &mut held }) += amount;
            }
            let (balance, expected) = (self.balances[account], (put_in - spent, held));
            if balance.map(|balance| (balance.balance, balance.held)) != Some(expected) {
                off.push(format!("{account}: the gate says {balance:?}, the journal {expected:?}"));
            }
            if put_in - spent - held < 0 {
                off.push(format!("{account} is overdrawn: {put_in} put in, {spent} spent, {held}"));
            }
        }
        off
    }

    /// Limits and floats that were overrun at some instant. A payment surely holds what it reserved
    /// from when the bank saw its request (`seen`) until the record that ended it.
    pub fn overruns(&self, seen: &HashMap<String, Timestamp>) -> Vec<String> {
        let mut steps: Vec<(Timestamp, i8, &Life)> = Vec::new();
        for life in self.lives.values() {
            let Some(begun) = seen.get(&life.intent.folio.to_string()) else { continue };
            // Instants of two programs on one machine: a little less than what is certain.
            let begun = Timestamp(begun.0 + 3_000);
            if life.ended.is_some_and(|ended| ended <= begun) {
                continue;
            }
            steps.push((begun, 1, life));
            steps.extend(life.ended.map(|ended| (ended, -1, life)));
        }
        steps.sort_by_key(|(at, sign, _)| (*at, *sign));
        let mut wrong = Vec::new();
        let mut counters: HashMap<u128, i64> = HashMap::new();
        let mut taken: HashMap<AccountId, i64> = HashMap::new();
        for (at, sign, life) in steps {
            let (folio, sign) = (life.intent.folio, i64::from(sign));
            for counter in &life.intent.plan.reservation.counters {
                let value = counters.entry(counter.key.0).or_default();
                *value += sign * counter.delta;
                if *value > counter.ceiling {
                    wrong.push(format!(
                        "{folio}: a counter at {value} of {} at {at}",
                        counter.ceiling
                    ));
                }
            }
            for hold in &life.intent.plan.reservation.holds {
                let value = taken.entry(hold.account).or_default();
                *value += sign * hold.amount.minor;
                let put_in = self.put_in.get(&hold.account).map_or(0, |(minor, _)| *minor);
                if put_in - *value < hold.floor_minor {
                    wrong.push(format!(
                        "{folio}: {value} of {put_in} taken from {} at {at}",
                        hold.account
                    ));
                }
            }
        }
        wrong
    }

    /// Each party's story, altered in one place: the audit must notice every one.
    ///
    /// Shape: something was approved, from a float too, and everything agrees.
    pub fn notice_lies(
        &mut self,
        town: &Town,
        claims: &[ClientClaim],
        seen: &HashMap<String, Timestamp>,
    ) {
        let honest = self.evidence(town, claims);
        assert_eq!(self.mismatches(&honest).0, [""; 0]);
        let must_notice = |books: &Self, what: &str, evidence: &Evidence| {
            assert!(!books.mismatches(evidence).0.is_empty(), "{what} went unnoticed");
        };
        let is_approved = |claim: &&ClientClaim| claim.response_code.as_deref() == Some("00");
        let approved = claims.iter().find(is_approved).expect("an approval").clone();
        let folio = approved.folio.clone().expect("a folio");

        let mut lie = honest.clone();
        lie.claims.push(ClientClaim { rrn: "770099999999".to_owned(), ..approved.clone() });
        must_notice(self, "an approval that no journal holds", &lie);
        let mut lie = honest.clone();
        lie.issuers.payments.get_mut(&folio).expect("its debit").net_debits = 2;
        must_notice(self, "a second debit", &lie);
        let mut lie = honest.clone();
        let id = self.lives.values().find(|life| life.intent.folio.to_string() == folio);
        let id = id.expect("its intent").intent.payment.to_string();
        lie.notices.iter_mut().for_each(|notices| notices.retain(|it| it.payment != id));
        must_notice(self, "a notice that never came", &lie);

        let spent = |life: &&mut Life| {
            life.is_approved
                && life.ended.is_none()
                && !life.intent.plan.reservation.counters.is_empty()
                && !life.intent.plan.reservation.holds.is_empty()
                && seen.contains_key(&life.intent.folio.to_string())
        };
        let life = self.lives.values_mut().find(spent).expect("cash of a client and a float");
        let reservation = &mut life.intent.plan.reservation;
        reservation.counters[0].delta += 1;
        reservation.holds[0].amount.minor += 1;
        assert!(!self.overruns(seen).is_empty(), "a limit that is overrun went unnoticed");
        must_notice(self, "a balance that is off", &honest);
    }

    /// The records that name one of these words: ids, folios or references.
    pub fn records_about(&self, complaint: &str) -> Vec<&str> {
        let words: Vec<&str> = complaint
            .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .filter(|word| word.len() >= 12)
            .collect();
        let named = |line: &&str| words.iter().any(|word| line.contains(word));
        let ids = self.export.lines().filter(named).filter_map(|line| {
            let rest = line.split_once("\"payment\":\"")?.1;
            rest.split_once('"').map(|(id, _)| id)
        });
        let ids: Vec<&str> = ids.collect();
        self.export.lines().filter(|line| ids.iter().any(|id| line.contains(id))).collect()
    }
}

/// When the bank first saw each payment, from its own log: by folio.
pub fn first_seen(log: &str) -> HashMap<String, Timestamp> {
    let mut seen = HashMap::new();
    for line in log.lines() {
        let line: serde_json::Value = serde_json::from_str(line).expect("the bank's log");
        let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
        let asks = text("mti").starts_with("02") && !text("processing_code").starts_with("32");
        let at = text("at").parse::<jiff::Timestamp>().expect("an instant").as_microsecond();
        if asks && line["answer"].as_str().is_none_or(|code| code == "00") {
            seen.entry(text("rrn")).or_insert(Timestamp(at));
        }
    }
    seen
}
