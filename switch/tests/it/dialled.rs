//! A bank that the switch dials and that answers what no bank should: frames that are too long, that
//! come byte by byte, or that are no messages. Its payments are undone, its line is opened anew where
//! it must be, and everybody else's payments go on. Messages are laid out by hand.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use loadtest::simulator::issuer::IssuerHandle;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::api::{Api, Reply, card_payment};
use crate::harness::{eventually, issuer};
use crate::program::{Running, Site};
use crate::scripted::{Message, ScriptedBank};

/// Pause between two bytes of a slow answer: far below every deadline.
const DRIP: Duration = Duration::from_millis(20);
/// Answers of one kind.
const ROUNDS: usize = 3;
/// Frames of a flood, long and short ones.
const FLOOD: usize = 5_000;
/// What the process may grow by, in KiB: its caches fill while it works.
const GROWTH_KIB_MAX: u64 = 48 * 1024;

/// How the bank answers a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Conduct {
    Right,
    /// A length that no message may have, and as many bytes as the line takes.
    Oversized,
    /// The right length, and then one byte after another, more slowly than a frame may take.
    Dripping,
    /// A frame of bytes that are no message.
    Garbage,
    /// The answer, cut off behind its bitmap.
    CutOff,
    /// An amount of letters.
    Letters,
    /// No response code.
    NoCode,
    /// Thousands of frames of garbage.
    Flood,
}

impl Conduct {
    /// Whether the line ends of it.
    fn ends_line(self) -> bool {
        match self {
            Self::Oversized | Self::Dripping => true,
            Self::Right | Self::Garbage | Self::CutOff | Self::Letters => false,
            Self::NoCode | Self::Flood => false,
        }
    }

    fn answer(self, bank: &ScriptedBank, request: &Message) {
        let line = request.line;
        let say = |bytes: &[u8]| bank.say_raw(line, bytes);
        match self {
            Self::Right => bank.answer(request, &request.answer("00")),
            // The switch ends the line as soon as it knows the length.
            Self::Oversized => while say(&[0xff; 4096]) {},
            Self::Dripping => {
                let mut is_open = say(&[0x01, 0x00]);
                while is_open {
                    std::thread::park_timeout(DRIP);
                    is_open = say(b"0");
                }
            }
            Self::Garbage => drop(say(&framed(b"<html>Service</html>"))),
            Self::CutOff => drop(say(&framed(b"0210\x72\x20\0\0\x02\0\0\0"))),
            Self::Letters => bank.answer(request, &request.answer("00").with(4, "ABCDEFGHIJKL")),
            Self::NoCode => bank.answer(request, &request.answer("00").without(39)),
            Self::Flood => {
                let frames = [framed(b"abcd"), framed(&[b'x'; 4_000])].concat();
                let written = (0..FLOOD / 2).take_while(|_| say(&frames)).count();
                assert_eq!(written, FLOOD / 2, "the line takes them all");
            }
        }
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = u16::try_from(message.len()).expect("a short message");
    [&len.to_be_bytes()[..], message].concat()
}

/// A switch in a process of its own, a good bank, and one that conducts itself as said.
struct Town {
    site: Site,
    running: Running,
    wrong: ScriptedBank,
    conduct: Arc<Mutex<Conduct>>,
    api: Api,
    _issuer: IssuerHandle,
}

impl Town {
    async fn start() -> Self {
        let conduct = Arc::new(Mutex::new(Conduct::Right));
        let of_script = Arc::clone(&conduct);
        let wrong = ScriptedBank::open(move |bank, message| match message.mti.as_str() {
            "0200" => {
                let conduct = *of_script.lock();
                conduct.answer(bank, message);
            }
            _ => bank.answer(message, &message.answer("00")),
        });
        let issuer = issuer().await;
        let extra = format!(
            "[[participants]]\nid = \"bank-w\"\nconnect = \"{}\"\n\
             response_timeout_ms = 1500\nreconnect_min_ms = 20\nreconnect_max_ms = 200\n\
             [[routes]]\nrails = [\"card\"]\nto = [\"bank-w\"]\n",
            wrong.addr
        );
        let site = Site::new(issuer.addr(), &extra);
        let running = site.start_with(&["--set", "iso8583.partial_frame_timeout_ms=500"]);
        site.bank().await;
        site.wait_for_lines("bank-b").await;
        site.wait_for_lines("bank-w").await;
        let api = site.api("isp-ve");
        let town = Self { site, running, wrong, conduct, api, _issuer: issuer };
        // Until then, whether a bill is registered is not known.
        town.gauge("cauce_backoffice_up", 1).await;
        town
    }

    async fn gauge(&self, series: &str, value: u64) {
        let line = format!("{series} {value}\n");
        eventually(&line, async || self.site.metrics().await.contains(&line).then_some(())).await;
    }

    /// Ends the wrong bank's line, and waits for the next: each tells of its messages anew.
    async fn another_line(&self) {
        let opened = self.wrong.lines_opened();
        self.wrong.hang_up(opened - 1);
        self.is_opened_after(opened).await;
    }

    /// Waits for a line that is opened after so many.
    async fn is_opened_after(&self, opened: usize) {
        let is_opened = async || (self.wrong.lines_opened() > opened).then_some(());
        eventually("another line", is_opened).await;
        self.gauge("cauce_participant_lines{participant=\"bank-w\"}", 1).await;
    }

    /// A payment at the wrong bank.
    async fn pay(&self, key: &str) -> Reply {
        let body = json!({
            "rail": "card", "amount": { "currency": "VES", "minor": 15_000 }, "bill": key,
            "payer": { "card": { "number": "4111111111111111", "expiry": "3012" } },
        });
        self.api.pay(key, &body).await
    }

    /// How often messages of the wrong bank were refused, for any reason.
    async fn refused(&self) -> u64 {
        let text = self.site.metrics().await;
        let of_bank = "cauce_messages_refused_total{participant=\"bank-w\",";
        let lines = text.lines().filter(|line| line.starts_with(of_bank));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// What the log tells of the wrong bank's messages.
    fn told(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.site.log()).expect("a log");
        let texts = ["message not understood", "participant=\"bank-w\""];
        let lines = log.lines().filter(|line| texts.iter().all(|text| line.contains(text)));
        lines.map(str::to_owned).collect()
    }

    /// One wrong answer: its payment is undone, and the good bank's goes on meanwhile.
    async fn wrong_answer(&self, conduct: Conduct, round: usize) {
        *self.conduct.lock() = conduct;
        let opened = self.wrong.lines_opened();
        let key = format!("{conduct:?}-{round}");
        let good = card_payment(15_000, &format!("good-{key}"));
        let good_key = format!("good-{key}");
        let (wrong, good) = tokio::join!(self.pay(&key), self.api.pay(&good_key, &good));
        assert_eq!(good.text("/state"), "approved", "{conduct:?}: {good:?}");
        assert_eq!(
            (wrong.status, wrong.text("/state")),
            (202, "unknown"),
            "{conduct:?}: {wrong:?}"
        );
        if conduct.ends_line() {
            self.is_opened_after(opened).await;
        }
        let path = format!("/v1/payments/{}", wrong.text("/id"));
        eventually(&format!("the payment of {key} to be undone"), async || {
            (self.api.get(&path).await.text("/state") == "reversed").then_some(())
        })
        .await;
        let lives = self.wrong.lines_opened() == opened;
        assert_eq!(lives, !conduct.ends_line(), "{conduct:?}: whether the line lives");
    }

    /// Rounds of one conduct; then the log names participant and field, and the counter counts them.
    async fn check(&self, conduct: Conduct, (kind, field): (&str, &str), messages: u64) {
        self.another_line().await;
        let (before, told_before) = (self.refused().await, self.told().len());
        for round in 0..ROUNDS {
            self.wrong_answer(conduct, round).await;
        }
        let rounds = u64::try_from(ROUNDS).expect("a count");
        assert_eq!(self.refused().await - before, rounds * messages, "{conduct:?}");
        let told = self.told();
        let (kind, field) = (format!("kind=\"{kind}\""), format!("field={field}"));
        let is_told = |line: &&String| line.contains(&kind) && line.contains(&field);
        let of_kind = told.iter().filter(is_told).count();
        let lines = told.len() - told_before;
        assert!(of_kind > 0, "{conduct:?}: {kind} {field}: {told:#?}");
        assert!(lines <= ROUNDS, "{conduct:?}: one of a line and a minute is told: {told:#?}");
    }
}

/// What a process has of the machine.
#[derive(Debug)]
struct Footprint {
    resident_kib: u64,
    threads: usize,
    files: usize,
}

impl Footprint {
    fn of(running: &Running) -> Self {
        let process = PathBuf::from(format!("/proc/{}", running.id()));
        let count =
            |folder: &str| std::fs::read_dir(process.join(folder)).expect("it runs").count();
        // Source: proc_pid_status(5).
        let status = std::fs::read_to_string(process.join("status")).expect("it runs");
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.and_then(|text| text.trim().strip_suffix(" kB"));
        let resident_kib = resident.expect("a size").trim().parse().expect("a number");
        Self { resident_kib, threads: count("task"), files: count("fd") }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialled_bank_that_answers_wrongly_costs_its_own_payments_alone() {
    let town = Town::start().await;
    let approved = town.pay("first").await;
    assert_eq!((approved.status, approved.text("/state")), (201, "approved"), "{approved:?}");
    let flood = u64::try_from(FLOOD).expect("a count");
    let rows = [
        (Conduct::Garbage, ("bad_content", "0"), 1),
        (Conduct::CutOff, ("short_length", "2"), 1),
        (Conduct::Letters, ("bad_content", "4"), 1),
        (Conduct::NoCode, ("bad_answer", "39"), 1),
        (Conduct::Oversized, ("too_long", "frame"), 1),
        (Conduct::Dripping, ("unfinished_frame", "frame"), 1),
        (Conduct::Flood, ("bad_content", "0"), flood),
    ];
    town.wrong_answer(Conduct::Flood, ROUNDS).await;
    let before = Footprint::of(&town.running);
    for (conduct, told, messages) in rows {
        town.check(conduct, told, messages).await;
    }
    *town.conduct.lock() = Conduct::Right;
    let approved = town.pay("last").await;
    assert_eq!((approved.status, approved.text("/state")), (201, "approved"), "{approved:?}");
    town.gauge("cauce_participant_in_flight{participant=\"bank-w\"}", 0).await;
    town.gauge("cauce_participant_reversals_owed{participant=\"bank-w\"}", 0).await;
    eventually("files and threads to be as before", async || {
        let now = Footprint::of(&town.running);
        let is_flat = now.files <= before.files + 8 && now.threads <= before.threads + 8;
        is_flat.then_some(())
    })
    .await;
    let now = Footprint::of(&town.running);
    assert!(now.resident_kib < before.resident_kib + GROWTH_KIB_MAX, "{before:?} {now:?}");
    let listed: Value = town.api.get("/v1/payments?limit=200").await.body;
    assert!(!listed.to_string().contains("\"unknown\""), "{listed}");
    town.running.stop().await;
}
