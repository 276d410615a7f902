//! An event's fields. Subject, kind and actors are words and printed ids, so that a reader that does
//! not know them can keep and show them. The body is the fields of the subject, in bytes of their
//! own: how they read depends on the subject alone.

use router::event::{
    Actor, ApiKeyChange, Event, EventBody, EventKind, OtherBody, OwedNotice, PrintedId, Subject,
    Word,
};
use router::time::Timestamp;

use super::DecodeError;
use super::endpoint;
use super::field::{Field, FieldFate, ValueReader, ValueWriter, fields};

/// The field of the body.
const BODY: u8 = 6;

/// What an event says of an API key.
struct ApiKeyFields {
    role: Word,
    owner: Box<str>,
    ends_at: Option<Timestamp>,
}

fields!(ApiKeyFields { 0 => role, 1 => owner, 2 => ends_at });
fields!(OwedNotice { 0 => biller, 1 => kind, 2 => payment, 3 => bill });

impl Field for Event {
    fn write(&self, out: &mut ValueWriter<'_>) {
        let mut body = Vec::new();
        match &self.body {
            EventBody::Endpoint(endpoint) => endpoint::put_body(endpoint, &mut body),
            EventBody::ApiKey(change) => {
                let ApiKeyChange { role, owner, ends_at, id: _, version: _, at: _ } =
                    change.clone();
                ApiKeyFields { role, owner, ends_at }.write(&mut ValueWriter::new(&mut body));
            }
            EventBody::Other(other) => body.extend_from_slice(&other.bytes),
        }
        out.map(|out| {
            out.field(0, &self.subject());
            out.field(1, &self.kind);
            out.field(2, &i64::from(self.version()));
            out.field(3, &self.at());
            out.field(4, &self.actor);
            out.field(5, &self.approver);
            out.field(BODY, &Box::<[u8]>::from(body));
            out.field(7, &self.entry);
            out.field(8, &self.notices);
        });
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let (mut subject, mut kind, mut version, mut at) = (None, None, None, None);
        let (mut actor, mut approver, mut entry, mut notices) = (None, None, None, None);
        let (start, mut body) = (reader.at(), (0, &[][..]));
        reader.map(|number, reader| {
            match number {
                0 => subject = Some(Field::read(reader)?),
                1 => kind = Some(Field::read(reader)?),
                2 => version = Some(Field::read(reader)?),
                3 => at = Some(Field::read(reader)?),
                4 => actor = Some(Field::read(reader)?),
                5 => approver = Field::read(reader)?,
                6 => body = (reader.at(), reader.bytes("body")?),
                7 => entry = Some(Field::read(reader)?),
                8 => notices = Some(Field::read(reader)?),
                _ => return Ok(FieldFate::Unknown),
            }
            Ok(FieldFate::Known)
        })?;
        let missing = |field| DecodeError::Missing { field };
        let version: i64 = version.ok_or(missing("version"))?;
        let version = u32::try_from(version).or_else(|_| reader.invalid("version", start))?;
        let at = at.ok_or(missing("time"))?;
        let subject = subject.ok_or(missing("subject"))?;
        Ok(Self {
            kind: kind.ok_or(missing("event kind"))?,
            actor: actor.ok_or(missing("actor"))?,
            approver,
            body: body_of(subject, (version, at), body)?,
            entry: entry.unwrap_or_default(),
            notices: notices.unwrap_or_default(),
        })
    }
}

/// What an event says of its subject; its bytes are at a place of the record.
fn body_of(
    subject: Subject,
    (version, at): (u32, Timestamp),
    (place, bytes): (usize, &[u8]),
) -> Result<EventBody, DecodeError> {
    match subject {
        Subject::Endpoint(id) => {
            let invalid = |_| DecodeError::Value { field: "endpoint", at: place };
            let read = endpoint::body((id, version, at), bytes).map_err(invalid)?;
            Ok(EventBody::Endpoint(read))
        }
        Subject::ApiKey(id) => {
            let mut reader = ValueReader::new(bytes);
            let ApiKeyFields { role, owner, ends_at } = ApiKeyFields::read(&mut reader)?;
            reader.finish()?;
            Ok(EventBody::ApiKey(ApiKeyChange { id, version, at, role, owner, ends_at }))
        }
        Subject::Other { kind, id } => {
            Ok(EventBody::Other(OtherBody { kind, id, version, at, bytes: bytes.into() }))
        }
    }
}

/// A pair: the kind, and the id.
impl Field for Subject {
    fn write(&self, out: &mut ValueWriter<'_>) {
        put_pair(self.kind(), self.id(), out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        let at = reader.at();
        let (kind, id) = pair(reader, "subject")?;
        Self::of_parts(kind, id).map_or_else(|| reader.invalid("subject", at), Ok)
    }
}

/// A pair: the kind, and the id.
impl Field for Actor {
    fn write(&self, out: &mut ValueWriter<'_>) {
        put_pair(self.kind(), self.id(), out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        pair(reader, "actor").map(|(kind, id)| Self::of_parts(kind, id))
    }
}

/// Its name.
impl Field for EventKind {
    fn write(&self, out: &mut ValueWriter<'_>) {
        self.name().write(out);
    }

    fn read(reader: &mut ValueReader<'_>) -> Result<Self, DecodeError> {
        Field::read(reader).map(Self::of_name)
    }
}

fn put_pair(kind: Word, id: PrintedId, out: &mut ValueWriter<'_>) {
    out.array(2);
    kind.write(out);
    id.write(out);
}

fn pair(
    reader: &mut ValueReader<'_>,
    field: &'static str,
) -> Result<(Word, PrintedId), DecodeError> {
    reader.array_of(2, field)?;
    Ok((Field::read(reader)?, Field::read(reader)?))
}

#[cfg(test)]
mod tests {
    use router::id::{BillerId, EndpointId, PaymentId};
    use router::notice::NoticeType;
    use router::text::Text;

    use super::*;
    use crate::conformance::sample;

    fn back(event: &Event) -> Result<Event, DecodeError> {
        let mut bytes = Vec::new();
        event.write(&mut ValueWriter::new(&mut bytes));
        let mut reader = ValueReader::new(&bytes);
        let read = Event::read(&mut reader)?;
        reader.finish()?;
        Ok(read)
    }

    /// An event as another build might have written it, field by field.
    fn written(fields: impl FnOnce(&mut ValueWriter<'_>)) -> Result<Event, DecodeError> {
        let mut bytes = Vec::new();
        ValueWriter::new(&mut bytes).map(fields);
        Event::read(&mut ValueReader::new(&bytes))
    }

    #[test]
    fn a_change_of_an_api_key_comes_back_with_its_owner_and_its_end() {
        let text = |text: &str| Text::new(text).unwrap();
        let change = ApiKeyChange {
            id: Text::new("key_00112233445566aa").unwrap(),
            version: 2,
            at: Timestamp(8),
            role: text("biller"),
            owner: "isp-ve".into(),
            ends_at: Some(Timestamp(9)),
        };
        let event = Event::of_api_key(change, EventKind::Changed, Actor::Node);
        assert_eq!(back(&event).unwrap(), event);
        assert_eq!(event.subject().to_string(), "api_key key_00112233445566aa");
    }

    #[test]
    fn an_event_of_an_unknown_subject_stays_as_it_came() {
        let event = sample::event_of_a_later_build(3);
        assert_eq!(back(&event).unwrap(), event);
        assert_eq!(event.subject().to_string(), "service srv_7");
        assert_eq!(event.actor.to_string(), "user:usr_1");
        assert!(event.approver.is_some() && !event.entry.is_empty());
        let owed = OwedNotice {
            biller: BillerId::new("isp-ve").unwrap(),
            kind: NoticeType::PaymentReversed,
            payment: PaymentId(9),
            bill: None,
        };
        assert_eq!(event.notices, [owed]);
    }

    #[test]
    fn the_fields_of_an_event_may_stand_in_any_order_and_most_may_be_missing() {
        let subject =
            Subject::Other { kind: Text::new("service").unwrap(), id: Text::new("srv_7").unwrap() };
        let read = written(|out| {
            out.field(6, &Box::<[u8]>::from(*b"body"));
            out.field(4, &Actor::Node);
            out.field(3, &Timestamp(5));
            out.field(2, &7_i64);
            out.field(1, &EventKind::Created);
            out.field(0, &subject);
        });
        let read = read.unwrap();
        assert_eq!((read.subject(), read.version(), read.at()), (subject, 7, Timestamp(5)));
        let EventBody::Other(body) = &read.body else { panic!("another body") };
        assert_eq!(&*body.bytes, b"body");
        assert!(read.approver.is_none() && read.entry.is_empty() && read.notices.is_empty());
        let nothing = written(|out| out.field(2, &7_i64));
        assert_eq!(nothing.err(), Some(DecodeError::Missing { field: "time" }));
    }

    #[test]
    fn an_endpoint_s_event_whose_id_version_or_body_is_none_is_refused_by_name() {
        let check = |id: &str, version: i64, body: &[u8], field| {
            let read = written(|out| {
                let (kind, id) = (Text::new("endpoint").unwrap(), Text::new(id).unwrap());
                out.field(0, &Subject::Other { kind, id });
                out.field(1, &EventKind::Changed);
                out.field(2, &version);
                out.field(3, &Timestamp(5));
                out.field(4, &Actor::Node);
                out.field(BODY, &Box::<[u8]>::from(body));
            });
            let Err(DecodeError::Value { field: found, .. }) = read else { panic!("{read:?}") };
            assert_eq!(found, field);
        };
        let id = EndpointId(4).to_string();
        check("ep_none", 1, b"", "subject");
        check(&id, -1, b"", "version");
        check(&id, i64::from(u32::MAX) + 1, b"", "version");
        check(&id, 1, b"", "endpoint");
        check(&id, 1, b"\xBF\xFF", "endpoint");
    }
}
