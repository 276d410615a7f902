//! What is written, held against the published schemas by xmllint.

use std::path::{Path, PathBuf};
use std::process::Command;

use bytes::BytesMut;
use codecs::iso20022::MessageId;
use codecs::iso20022::write::{Bank, BusinessHeader, Outgoing, write};

use super::outgoing::{self, AT};

/// How to get the tool; a test that silently did without it would prove nothing.
const XMLLINT: &str = "xmllint is needed to hold messages against their schemas: \
                       apt-get install libxml2-utils";

/// Validates files against the schema of a message.
fn validate(message: &str, files: &[PathBuf]) {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata/iso20022/xsd")
        .join(format!("{message}.xsd"));
    let mut command = Command::new("xmllint");
    command.args(["--noout", "--nonet", "--schema"]).arg(&schema).args(files);
    let output = command.output().expect(XMLLINT);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}: {said}");
}

fn file(name: &str, content: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("iso20022");
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join(name);
    std::fs::write(&path, content).expect("a file");
    path
}

fn text(message: &Outgoing<'_>, version: &str, header: Option<&BusinessHeader<'_>>) -> String {
    let mut out = BytesMut::new();
    let version = MessageId::parse(version).expect("an identifier");
    write(message, version, header, &mut out)
        .unwrap_or_else(|error| panic!("{version}: {error}: {message:?}"));
    String::from_utf8(out.to_vec()).expect("UTF-8")
}

#[test]
fn every_message_in_every_version_is_valid() {
    outgoing::with_all(|messages| {
        let mut versions: Vec<_> = messages.iter().flat_map(Outgoing::versions).collect();
        versions.sort_unstable();
        versions.dedup();
        assert_eq!(versions.len(), 16);
        for version in versions {
            let these = messages.iter().filter(|message| message.versions().contains(version));
            let files: Vec<_> = these
                .enumerate()
                .map(|(n, message)| {
                    file(&format!("{version}-{n}.xml"), &text(message, version, None))
                })
                .collect();
            assert!(files.len() >= 3, "{version}");
            validate(version, &files);
        }
    });
}

#[test]
fn a_header_and_its_document_are_valid_each() {
    let member = Bank::Member { system: Some("USABA"), id: "021150706" };
    for is_possible_duplicate in [false, true] {
        let header = BusinessHeader {
            from: Bank::Bic("AAAAGB2LXXX"),
            to: member,
            id: "BAH-1",
            created: AT,
            is_possible_duplicate,
        };
        outgoing::with_all(|messages| {
            let version = messages[0].usual_version();
            let whole = text(&messages[0], version.as_str(), Some(&header));
            let part = |tag: &str| {
                let (from, to) = (format!("<{tag} "), format!("</{tag}>"));
                let from = whole.find(&from).expect("a part");
                &whole[from..whole.find(&to).expect("a part") + to.len()]
            };
            let name = format!("header-{is_possible_duplicate}.xml");
            validate("head.001.001.02", &[file(&name, part("AppHdr"))]);
            validate(version.as_str(), &[file("of-header.xml", part("Document"))]);
        });
    }
}

#[test]
fn the_schemas_refuse_what_they_must() {
    let broken = outgoing::with_all(|messages| {
        let version = messages[0].usual_version();
        text(&messages[0], version.as_str(), None).replace("<ChrgBr>SLEV</ChrgBr>", "")
    });
    let path = file("broken.xml", &broken);
    let refused = std::panic::catch_unwind(|| validate("pacs.008.001.08", &[path]));
    assert!(refused.is_err(), "a transfer without charge bearer is not valid");
}
