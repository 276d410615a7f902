use std::pin::Pin;
use std::task::{Context, Poll};

use codecs::frame::FrameSpec;
use tokio::io::AsyncReadExt;

use super::*;

fn line(in_flight_max: usize, bytes_max: usize) -> (Line, Outgoing) {
    let framer = Framer::new(FrameSpec { body_len_max: 4, ..FrameSpec::NAC }).expect("framing");
    let backlog = Backlog::new(in_flight_max, bytes_max);
    Line::new(framer, None, backlog, LineIdentity::default())
}

fn message(body: &'static [u8]) -> Outbound {
    Outbound { header: None, body: Bytes::from_static(body) }
}

#[tokio::test]
async fn what_is_queued_is_written_in_the_frames_of_the_line() {
    let (line, outgoing) = line(64, 4096);
    let later = Instant::now() + Duration::from_secs(3600);
    line.send_now(Bytes::from_static(b"0800"), later).expect("room");
    line.answer(message(b"08000")).expect("room");
    line.keep_alive();
    drop(line);
    let mut socket = Vec::new();
    write_out(outgoing, &mut socket, Duration::from_secs(60)).await;
    assert_eq!(socket, b"\0\x09\x60\0\0\0\x000800\0\0");
}

#[test]
fn bytes_that_wait_have_a_ceiling_and_who_leaves_no_room_for_answers_is_given_up() {
    let (line, _outgoing) = line(64, 10 * (FRAME_OVERHEAD + 4));
    let later = Instant::now() + Duration::from_secs(3600);
    let ask = || line.send_now(Bytes::from_static(b"0800"), later);
    let taken = (0..20).filter(|_| ask().is_ok()).count();
    assert_eq!((taken, ask()), (10, Err(NotSent::Congested)), "a request tries elsewhere");
    assert!(!line.is_backed_up(), "requests of ours do not keep the peer from being read");
    assert_eq!(line.answer(message(b"0810")), Err(NotSent::SignedOff));
    assert_eq!(ask(), Err(NotSent::SignedOff), "the line has ended");
}

#[tokio::test]
async fn a_peer_is_read_again_once_it_has_taken_its_answers() {
    let framer = Framer::new(FrameSpec::BINARY2).expect("framing");
    let backlog = Backlog::new(64, 1 << 20);
    let (line, outgoing) = Line::new(framer, None, backlog, LineIdentity::default());
    for _ in 0..63 {
        line.answer(message(b"0810")).expect("room");
    }
    assert!(!line.is_backed_up());
    line.answer(message(b"0810")).expect("room");
    assert!(line.is_backed_up());
    let mut socket = Vec::new();
    let writing = write_out(outgoing, &mut socket, Duration::from_secs(60));
    let reading = async {
        line.has_room().await;
        drop(line);
    };
    futures_util::future::join(writing, reading).await;
    assert_eq!(socket.len(), 64 * 6);
}

#[tokio::test]
async fn a_message_leaves_a_connection_that_keeps_bytes_until_it_is_flushed() {
    let (line, outgoing) = line(64, 4096);
    let (near, mut far) = tokio::io::duplex(4096);
    // As TLS does: what is written is taken, and stays.
    let kept = tokio::io::BufWriter::new(near);
    let writing = write_out(outgoing, kept, Duration::from_secs(60));
    let later = Instant::now() + Duration::from_secs(3600);
    line.send_now(Bytes::from_static(b"0800"), later).expect("room");
    let reading = async {
        let mut read = [0; 11];
        let reading = far.read_exact(&mut read);
        let left = tokio::time::timeout(Duration::from_secs(30), reading).await;
        left.expect("it left").expect("read");
        assert_eq!(&read, b"\0\x09\x60\0\0\0\x000800");
        drop(line);
    };
    futures_util::future::join(writing, reading).await;
}

/// A connection that takes all, and whose peer never lets it be closed.
struct NeverClosed(Option<mpsc::Sender<()>>);

impl AsyncWrite for NeverClosed {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Pending
    }
}

#[tokio::test]
async fn a_peer_that_lets_no_connection_end_keeps_it_no_longer_than_a_write() {
    let (line, outgoing) = line(64, 4096);
    let (asked, mut closing) = mpsc::channel(1);
    let socket = NeverClosed(Some(asked));
    drop(line);
    let writing = write_out(outgoing, socket, Duration::from_millis(20));
    let ended = tokio::time::timeout(Duration::from_secs(30), writing).await;
    ended.expect("the writer ends");
    assert_eq!(closing.recv().await, None, "the end was told");
}

#[tokio::test]
async fn a_line_that_was_busy_gives_its_write_buffers_back_when_it_is_quiet() {
    let (line, mut outgoing) = line(64, 1 << 20);
    let (mut frames, mut buffer) = (Vec::with_capacity(512), BytesMut::with_capacity(1 << 16));
    let next = outgoing.next(&mut frames, &mut buffer, Duration::ZERO);
    let silence = tokio::time::timeout(Duration::from_millis(50), next).await;
    assert!(silence.is_err(), "nothing was queued");
    assert_eq!((frames.capacity(), buffer.capacity()), (0, 0));
    line.answer(message(b"0810")).expect("room");
    assert_eq!(outgoing.next(&mut frames, &mut buffer, Duration::ZERO).await, 1);
}

/// Hands answers over to a line that ends then, and gives what was written.
async fn written(answers: ReadyAnswers<()>, outgoing: Outgoing) -> Vec<u8> {
    answers.hand_over();
    drop(answers);
    let mut socket = Vec::new();
    write_out(outgoing, &mut socket, Duration::from_secs(60)).await;
    socket
}

#[tokio::test]
async fn answers_that_are_ready_together_are_written_in_the_frames_of_the_line() {
    let (line, outgoing) = line(64, 4096);
    let header = line.framer().own_header().cloned();
    let answers = ReadyAnswers::new(Arc::new(line));
    for message in [&b"0210"[..], b"", b"too long", b"0430"] {
        answers.add(header.as_ref(), (), |out| out.extend_from_slice(message));
    }
    let written = written(answers, outgoing).await;
    assert_eq!(written, b"\0\x09\x60\0\0\0\x000210\0\x09\x60\0\0\0\x000430");
}

#[tokio::test]
async fn an_answer_whose_writing_panics_leaves_no_half_of_a_frame() {
    let (line, outgoing) = line(64, 4096);
    let header = line.framer().own_header().cloned();
    let answers = ReadyAnswers::new(Arc::new(line));
    let defect = std::panic::AssertUnwindSafe(|| {
        answers.add(header.as_ref(), (), |out| {
            out.extend_from_slice(b"02");
            panic!("a defect");
        });
    });
    assert!(std::panic::catch_unwind(defect).is_err());
    answers.add(header.as_ref(), (), |out| out.extend_from_slice(b"0210"));
    assert_eq!(written(answers, outgoing).await, b"\0\x09\x60\0\0\0\x000210");
}

#[tokio::test]
async fn an_answer_whose_writing_panics_takes_no_earlier_one_with_it() {
    let (line, outgoing) = line(64, 4096);
    let header = line.framer().own_header().cloned();
    let answers = ReadyAnswers::new(Arc::new(line));
    answers.add(header.as_ref(), (), |out| out.extend_from_slice(b"0210"));
    let defect = std::panic::AssertUnwindSafe(|| {
        answers.add(header.as_ref(), (), |out| {
            out.extend_from_slice(b"02");
            panic!("a defect");
        });
    });
    assert!(std::panic::catch_unwind(defect).is_err());
    assert_eq!(written(answers, outgoing).await, b"\0\x09\x60\0\0\0\x000210");
}

#[test]
fn places_are_given_back_when_the_answers_are_queued_and_not_before() {
    let (line, mut outgoing) = line(64, 4096);
    let (header, place) = (line.framer().own_header().cloned(), Arc::new(()));
    let answers = ReadyAnswers::new(Arc::new(line));
    answers.add(header.as_ref(), Arc::clone(&place), |out| out.extend_from_slice(b"0210"));
    answers.add(header.as_ref(), Arc::clone(&place), |_| {});
    assert_eq!((Arc::strong_count(&place), outgoing.queue.len()), (3, 0));
    answers.hand_over();
    assert_eq!((Arc::strong_count(&place), outgoing.queue.len()), (1, 1));
    assert!(matches!(outgoing.queue.try_recv(), Ok(Queued::Answers(_, 1))));
}

#[test]
fn answers_queued_together_count_each_for_itself() {
    let (line, _outgoing) = line(64, 4096);
    let line = Arc::new(line);
    let answers = ReadyAnswers::new(Arc::clone(&line));
    let header = line.framer().own_header().cloned();
    let add = || answers.add(header.as_ref(), (), |out| out.extend_from_slice(b"0210"));
    (0..40).for_each(|_| add());
    answers.hand_over();
    assert!(line.is_backed_up(), "their bytes are more than a quarter of the ceiling");
    (0..40).for_each(|_| add());
    answers.hand_over();
    assert_eq!(line.answer(message(b"0210")), Err(NotSent::SignedOff), "it was given up");
}
