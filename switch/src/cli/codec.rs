//! `cauce codec`: messages and formats, without a switch.

mod lines;
mod message;
mod specs;
mod whole;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use codecs::frame::Framer;
use codecs::iso8583::{Form, Spec};
use codecs::qr::Reading;

/// What to do with messages or formats.
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(super) enum CodecCommand {
    /// Turn messages into JSON; exit 1 if any could not be read
    ///
    /// With --spec, standard input holds ISO 8583 messages in hexadecimal, one a line, and each
    /// becomes one line of JSON: the message, or {"error":{"kind","field","offset","message"}}.
    #[command(after_help = DECODE_EXAMPLES)]
    Decode(Decode),
    /// Turn JSON, one message a line as `decode` prints it, into hexadecimal; exit 1 if any failed
    #[command(after_help = ENCODE_EXAMPLES)]
    Encode(Encode),
    /// Explain messages field by field, card numbers and secrets masked; exit 1 if any failed
    #[command(after_help = DESCRIBE_EXAMPLES)]
    Describe(Encode),
    /// Check formats and print every mistake with its key; exit 1 if there is any
    #[command(after_help = LINT_EXAMPLES)]
    Lint {
        /// Format: our own TOML, jPOS XML, moov JSON or compact JSON
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print a format of another project in our own form
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert {
        /// Who wrote it; told by its text when left out
        #[arg(long, value_enum)]
        from: Option<From>,
        /// The format
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// List the formats that are compiled in, or print one of them to start your own from
    #[command(after_help = SPECS_EXAMPLES)]
    Specs {
        /// Format to print
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

const EXAMPLES: &str = "Examples:
  cauce codec decode --spec bank.toml < messages.hex
  cauce codec describe --spec iso87-bcd --framed < capture.hex
  cauce codec lint config/iso8583/*.toml
  cauce codec convert --from jpos-xml iso87binary.xml > bank.toml
  cauce codec decode --format pix < payload.txt";

const DECODE_EXAMPLES: &str = "Examples:
  cauce codec decode --spec cauce-87 messages.hex
  cauce codec decode --spec packager.xml --framed --reveal < capture.hex
  cauce codec decode --format iso20022 < pacs008.xml
  cauce codec decode --format iso20022 --guideline sepa < pacs008.xml
  cauce codec decode --format emvco < qr.txt";

const ENCODE_EXAMPLES: &str = "Example:
  echo '{\"mti\":\"0800\",\"fields\":{\"7\":\"1123211722\",\"11\":\"000042\",\"70\":\"301\"}}' |
      cauce codec encode --spec cauce-87";

const DESCRIBE_EXAMPLES: &str = "Example:
  cauce codec describe --spec iso87-ascii < messages.hex";

const CONVERT_EXAMPLES: &str = "Example:
  cauce codec convert --from moov-json spec87ascii.json > bank.toml && cauce codec lint bank.toml";

const LINT_EXAMPLES: &str = "Example:
  cauce codec lint bank.toml && cauce codec decode --spec bank.toml < messages.hex";

const SPECS_EXAMPLES: &str = "Example:
  cauce codec specs iso87-bcd > bank.toml";

/// Which messages to read, and how to show them.
#[derive(Debug, Args)]
pub(super) struct Decode {
    /// Format of ISO 8583 messages: a name that `cauce codec specs` lists, or a file
    #[arg(long, value_name = "NAME-OR-FILE", required_unless_present = "format")]
    spec: Option<String>,
    /// Each line is a whole frame: the format's own framing, else two bytes of length
    #[arg(long, requires = "spec")]
    framed: bool,
    /// Show card numbers and secrets in clear
    #[arg(long)]
    reveal: bool,
    /// File to read instead of standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Other formats: one whole message on standard input
    #[arg(long, value_enum, conflicts_with = "spec")]
    format: Option<WholeFormat>,
    /// Apply the rules of this usage guideline to an ISO 20022 message, whatever its header names
    #[arg(long, value_enum, requires = "format")]
    guideline: Option<Guideline>,
    /// Refuse QR codes that are read with a warning otherwise
    #[arg(long, requires = "format")]
    strict: bool,
}

/// Which format to write or explain.
#[derive(Debug, Args)]
pub(super) struct Encode {
    /// Format of ISO 8583 messages: a name that `cauce codec specs` lists, or a file
    #[arg(long, value_name = "NAME-OR-FILE")]
    spec: String,
    /// Each line is a whole frame: the format's own framing, else two bytes of length
    #[arg(long)]
    framed: bool,
    /// File to read instead of standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Formats that are one whole message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum WholeFormat {
    /// An ISO 20022 message in XML
    Iso20022,
    /// A merchant-presented QR code of EMVCo
    Emvco,
    /// A Pix QR code
    Pix,
    /// A QR code of a SEPA credit transfer (EPC069-12)
    Epc,
}

/// Usage guidelines of ISO 20022 messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Guideline {
    /// Cross-border payments and reporting (CBPR+)
    CbprPlus,
    /// SEPA credit transfers
    Sepa,
    /// FedNow
    Fednow,
}

/// Who wrote a format down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum From {
    /// GenericPackager XML of jPOS
    JposXml,
    /// JSON of moov-io/iso8583
    MoovJson,
    /// Compact JSON of shared test suites
    CompactJson,
}

impl From {
    fn form(self) -> Form {
        match self {
            Self::JposXml => Form::Jpos,
            Self::MoovJson => Form::Moov,
            Self::CompactJson => Form::Compact,
        }
    }
}

/// What a command came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// All went well.
    Well,
    /// Something could not be read or written, and was told.
    Short,
}

impl std::convert::From<Came> for ExitCode {
    fn from(came: Came) -> Self {
        match came {
            Came::Well => Self::SUCCESS,
            Came::Short => Self::FAILURE,
        }
    }
}

pub(super) fn main(command: &CodecCommand) -> ExitCode {
    let came = match command {
        CodecCommand::Decode(Decode { format: Some(format), file, guideline, strict, .. }) => {
            let reading = if *strict { Reading::Strict } else { Reading::Lenient };
            let rules = whole::Rules { guideline: *guideline, reading };
            source(file.as_deref()).and_then(|source| whole::decode(*format, rules, source))
        }
        CodecCommand::Decode(Decode { spec, framed, reveal, file, .. }) => {
            let messages =
                Messages { spec: spec.as_deref().unwrap_or_default(), framed: *framed, file };
            messages.each(|job| message::decode(job, *reveal))
        }
        CodecCommand::Encode(encode) => Messages::of(encode).each(message::encode),
        CodecCommand::Describe(encode) => Messages::of(encode).each(message::describe),
        CodecCommand::Lint { files } => specs::lint(files),
        CodecCommand::Convert { from, file } => specs::convert(*from, file),
        CodecCommand::Specs { name } => specs::list(name.as_deref()),
    };
    match came {
        Ok(came) => came.into(),
        // A reader that has seen enough, such as `head`, is no mistake.
        Err(problem) if is_broken_pipe(&problem) => ExitCode::SUCCESS,
        Err(problem) => told(&problem),
    }
}

/// Where messages come from, and how they are written.
struct Messages<'a> {
    spec: &'a str,
    framed: bool,
    file: &'a Option<PathBuf>,
}

/// The work on messages of a format, line by line.
struct Job {
    spec: Arc<Spec>,
    framer: Option<Framer>,
    input: Box<dyn BufRead>,
}

impl<'a> Messages<'a> {
    fn of(encode: &'a Encode) -> Self {
        Self { spec: &encode.spec, framed: encode.framed, file: &encode.file }
    }

    fn each(&self, work: impl FnOnce(Job) -> io::Result<Came>) -> anyhow::Result<Came> {
        let spec = specs::find(self.spec)?;
        let framer = if self.framed { Some(specs::framer(&spec)?) } else { None };
        Ok(work(Job { spec, framer, input: source(self.file.as_deref())? })?)
    }
}

/// A file, or standard input.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
fn source(file: Option<&Path>) -> anyhow::Result<Box<dyn BufRead>> {
    let Some(path) = file.filter(|path| *path != Path::new("-")) else {
        if io::stdin().is_terminal() {
            eprintln!("reading standard input; Ctrl-D ends it");
        }
        return Ok(Box::new(io::stdin().lock()));
    };
    let file = File::open(path).with_context(|| path.display().to_string())?;
    Ok(Box::new(BufReader::new(file)))
}

fn is_broken_pipe(problem: &anyhow::Error) -> bool {
    let error = problem.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells what is wrong with the command itself.
#[expect(clippy::print_stderr, reason = "this is a program's own output")]
fn told(problem: &anyhow::Error) -> ExitCode {
    eprintln!("{problem:#}");
    ExitCode::from(crate::configured::EXIT_USAGE)
}
