//! `cauce-load simulate`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use loadtest::refusal::refusal;
use loadtest::simulator::acquirer::{Acquirer, AcquirerSettings, Answer, Fields, Order};
use loadtest::simulator::issuer::{Bookkeeping, Counts, Issuer, IssuerSettings, Latency, Profile};
use loadtest::simulator::json_bank::{JsonBank, JsonBankSettings, Misconduct};
use loadtest::simulator::merchant::{BillerEndpoint, Merchant, MerchantSettings, Script};
use router::money::{Currency, Money};

use crate::stop::StopSignals;
use crate::{print, say, usage};

/// A simulator.
#[derive(Debug, clap::Subcommand)]
pub enum Kind {
    /// A bank: the last two digits of an amount say what it answers.
    Issuer(IssuerArgs),
    /// A bank with a JSON API, that of config/participants/json/example-bank.toml.
    JsonBank(JsonBankArgs),
    /// A merchant that checks signatures and writes down the notices it hears.
    Merchant(MerchantArgs),
    /// An acquirer's line: pays once a second and prints each answer.
    Acquirer(AcquirerArgs),
}

/// Options of the bank.
#[derive(Debug, clap::Args)]
pub struct IssuerArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9583",
        value_parser = usage::loopback)]
    listen: SocketAddr,
    /// Participant it plays.
    #[arg(long, default_value = "bank-a")]
    participant: String,
    /// Seed of authorisations and misbehaviour.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write what it saw.
    #[arg(long)]
    truth: Option<PathBuf>,
    /// Keep no book: every request is decided by its amount alone and every reversal confirmed.
    /// For speed runs; a book takes about 400 bytes a payment.
    #[arg(long)]
    forget: bool,
    /// When amounts ending in 69 are answered, milliseconds.
    #[arg(long, default_value_t = 3_000)]
    late_ms: u64,
    /// Extra time before each answer, microseconds.
    #[arg(long, default_value_t = 0)]
    latency_us: u64,
    /// Greatest extra time; spreads it evenly from `--latency-us` up.
    #[arg(long)]
    latency_max_us: Option<u64>,
    /// Answers sent twice, in hundredths of a per cent.
    #[arg(long, default_value_t = 0)]
    twice: u32,
    /// Answers overtaken by later ones, in hundredths of a per cent.
    #[arg(long, default_value_t = 0)]
    out_of_order: u32,
    /// Requests after which the line is dropped, in hundredths of a per cent.
    #[arg(long, default_value_t = 0)]
    line_drop: u32,
    /// Approvals that are told as one of half the amount, in hundredths of a per cent.
    #[arg(long, default_value_t = 0)]
    contradicting: u32,
}

/// Options of the bank with a JSON API.
#[derive(Debug, clap::Args)]
pub struct JsonBankArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9581",
        value_parser = usage::loopback)]
    listen: SocketAddr,
    /// Participant it plays.
    #[arg(long, default_value = "bank-j")]
    participant: String,
    /// Seed of authorisations and misbehaviour.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write what it saw.
    #[arg(long)]
    truth: Option<PathBuf>,
    /// When amounts ending in 69 are answered, milliseconds.
    #[arg(long, default_value_t = 3_000)]
    late_ms: u64,
    /// Answers that go wrong, in hundredths of a per cent, as other-amount=100; may be given several
    /// times. One of: twice, other-amount, other-reference, broken-signature, error-inside, garbage,
    /// server-error, long-body, slow-body, dropped.
    #[arg(long, value_name = "KIND=SHARE")]
    misconduct: Vec<String>,
}

/// Options of the merchant.
#[derive(Debug, clap::Args)]
pub struct MerchantArgs {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9580",
        value_parser = usage::loopback)]
    listen: SocketAddr,
    /// Where to write the notices heard.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Path and signing secret, `/isp-ve=whsec_…`; may be given several times.
    #[arg(long, required = true)]
    biller: Vec<String>,
}

/// Options of the acquirer.
#[derive(Debug, clap::Args)]
pub struct AcquirerArgs {
    /// The switch's ISO 8583 address; loopback only.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8583",
        value_parser = usage::target)]
    target: SocketAddr,
    /// DE32.
    #[arg(long, default_value = "700001")]
    acquirer_id: String,
    /// Biller paid.
    #[arg(long, default_value = "isp-ve")]
    biller: String,
    /// Currency, ISO 4217.
    #[arg(long, default_value = "VES")]
    currency: String,
    /// Amount in minor units; its last two digits are the bank's cue.
    #[arg(long, default_value_t = 50_000)]
    amount: i64,
}

/// Runs a simulator until it is interrupted.
pub async fn simulate(kind: Kind) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::listen().context("signals cannot be heard")?;
    match kind {
        Kind::Issuer(args) => issuer(args, &mut signals).await?,
        Kind::JsonBank(args) => json_bank(args, &mut signals).await?,
        Kind::Merchant(args) => merchant(args, &mut signals).await?,
        Kind::Acquirer(args) => {
            signals.unless_received(acquirer(args)).await.unwrap_or(Ok(()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn issuer(args: IssuerArgs, signals: &mut StopSignals) -> anyhow::Result<()> {
    let min = Duration::from_micros(args.latency_us);
    let latency = match args.latency_max_us {
        Some(max) => Latency::Uniform { min, max: Duration::from_micros(max) },
        None if min.is_zero() => Latency::None,
        None => Latency::Fixed(min),
    };
    let IssuerArgs { twice, out_of_order, line_drop, contradicting, .. } = args;
    let settings = IssuerSettings {
        listen: args.listen,
        seed: args.seed,
        truth: args.truth,
        late_after: Duration::from_millis(args.late_ms),
        bookkeeping: if args.forget { Bookkeeping::None } else { Bookkeeping::Kept },
        profile: Profile { latency, twice, out_of_order, line_drop, contradicting },
        ..IssuerSettings::new(&args.participant)
    };
    let listen = settings.listen;
    let issuer = Issuer::start(settings)
        .await
        .with_context(|| format!("the bank cannot listen at {listen}; see --listen"))?;
    say(&format!("issuer {} listens at {}", args.participant, issuer.addr()));
    let mut sign_ons = issuer.sign_ons();
    let tell_sign_ons = async {
        while sign_ons.changed().await.is_ok() {
            issuer.signed_on().await;
            let count = *sign_ons.borrow_and_update();
            let plural = if count == 1 { "" } else { "s" };
            say(&format!("the switch has signed on; {count} sign-on{plural} so far"));
        }
        // The bank has ended its lines; only a signal ends the program.
        std::future::pending::<()>().await;
    };
    signals.unless_received(tell_sign_ons).await;
    tell_counts(&issuer.counts());
    issuer.stop().await?;
    Ok(())
}

fn tell_counts(counts: &Counts) {
    print(&format!(
        "lines {}  sign-ons {}  payments {} ({} of them again)",
        counts.lines, counts.sign_ons, counts.payments, counts.repeats
    ));
    print(&format!(
        "reversals {}  inquiries {}  refunds {}  answers {}  not understood {}",
        counts.reversals, counts.inquiries, counts.refunds, counts.answers, counts.not_understood
    ));
}

async fn json_bank(args: JsonBankArgs, signals: &mut StopSignals) -> anyhow::Result<()> {
    let misconduct = args.misconduct.iter().map(|text| misconduct(text));
    let settings = JsonBankSettings {
        listen: args.listen,
        seed: args.seed,
        truth: args.truth,
        late_after: Duration::from_millis(args.late_ms),
        misconduct: misconduct.collect::<Result<_, _>>()?,
        ..JsonBankSettings::new(&args.participant)
    };
    let listen = settings.listen;
    let bank = JsonBank::start(settings)
        .await
        .with_context(|| format!("the bank cannot listen at {listen}; see --listen"))?;
    say(&format!("bank {} listens at {}", args.participant, bank.url()));
    signals.received().await;
    let counts = bank.counts();
    print(&format!(
        "payments {}  reversals {}  inquiries {}  refused {}",
        counts.payments, counts.reversals, counts.inquiries, counts.refused
    ));
    bank.stop().await?;
    Ok(())
}

/// Reads `other-amount=100`.
fn misconduct(text: &str) -> anyhow::Result<(Misconduct, u32)> {
    let (name, share) = text.split_once('=').unwrap_or((text, ""));
    let known = Misconduct::NAMED.iter().find(|(own, _)| *own == name).map(|(_, it)| *it);
    let share = share.parse().ok().filter(|share| (0..=10_000).contains(share));
    known.zip(share).ok_or_else(|| {
        usage::wrong(format!("--misconduct takes a kind and a share up to 10000, not `{text}`"))
    })
}

async fn merchant(args: MerchantArgs, signals: &mut StopSignals) -> anyhow::Result<()> {
    let mut billers = Vec::new();
    for biller in &args.biller {
        let (path, secret) =
            biller.split_once('=').filter(|(path, _)| path.starts_with('/')).ok_or_else(|| {
                usage::wrong("--biller takes a path, `=` and a secret, as /isp-ve=whsec_…")
            })?;
        billers.push(BillerEndpoint {
            path: path.to_owned(),
            secret: secret.to_owned(),
            script: Script::Accept,
        });
    }
    let settings = MerchantSettings { listen: args.listen, log: args.log, billers };
    let listen = settings.listen;
    let merchant = Merchant::start(settings)
        .await
        .with_context(|| format!("the merchant cannot listen at {listen}; see --listen"))?;
    say(&format!("merchant listens at {}", merchant.addr()));
    signals.received().await;
    print(&format!("{} notices heard", merchant.heard().len()));
    merchant.stop().await?;
    Ok(())
}

/// Pays once a second for as long as it is let.
async fn acquirer(args: AcquirerArgs) -> anyhow::Result<()> {
    let currency = Currency::from_code(&args.currency).ok_or_else(|| {
        usage::wrong(format!("`{}` is not a currency of ISO 4217", args.currency))
    })?;
    let line = Acquirer::connect(args.target, AcquirerSettings::new(&args.acquirer_id))
        .await
        .with_context(|| format!("no line to {} as acquirer {}", args.target, args.acquirer_id))?;
    let order = Order::card(Money::new(args.amount, currency), &args.biller);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        seconds.tick().await;
        match line.pay(&order).await {
            Ok((request, answer)) => print(&told(&request, &answer)),
            Err(error) => say(&format!("{error}")),
        }
    }
}

/// What came of one payment: STAN, response code, folio, and the authorisation or the reason.
fn told(request: &Fields, answer: &Answer) -> String {
    let (stan, code, folio) = (request.text(11), answer.response_code(), answer.folio());
    let rest = match answer.is_approved() {
        true => format!("authorisation {}", answer.authorisation()),
        false => refusal(answer.fields.get(39), answer.fields.get(44)),
    };
    format!("STAN {stan}  {code}  folio {folio}  {rest}")
}
