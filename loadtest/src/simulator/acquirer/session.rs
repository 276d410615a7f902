//! The tasks of an acquirer's line: one writes, one reads and hands answers to those who wait.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::{AcquirerError, Answer, Fields, Unmatched};
use crate::tasks::Tasks;
use crate::wire::{self, Index};

const QUEUED_FRAMES_MAX: usize = 1024;
const UNMATCHED_MAX: usize = 4096;
/// Longest burst written at once.
const WRITE_BYTES: usize = 64 << 10;

type Waiting = HashMap<([u8; 4], String), oneshot::Sender<Answer>>;

#[derive(Debug)]
pub(super) struct Session {
    frames: mpsc::Sender<Vec<u8>>,
    waiting: Mutex<Waiting>,
    unmatched: tokio::sync::Mutex<Unmatched>,
    closed: CancellationToken,
}

impl Session {
    /// Starts the tasks of a line that is open.
    pub(super) fn start<S>(stream: S, tasks: &Tasks) -> Arc<Self>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let (reader, writer) = tokio::io::split(stream);
        let (frames, queue) = mpsc::channel(QUEUED_FRAMES_MAX);
        let (unmatched, stray) = mpsc::channel(UNMATCHED_MAX);
        let session = Arc::new(Self {
            frames,
            waiting: Mutex::default(),
            unmatched: tokio::sync::Mutex::new(stray),
            closed: CancellationToken::new(),
        });
        let token = tasks.token();
        tasks.spawn(token.clone().run_until_cancelled_owned(write(writer, queue)));
        let of_reader = Arc::clone(&session);
        tasks.spawn(async move {
            token.run_until_cancelled(of_reader.read(reader, unmatched)).await;
            of_reader.closed.cancel();
            of_reader.lock().clear();
        });
        session
    }

    /// Registers for the answer of this type and STAN; none when the line falls first.
    pub(super) fn expect(
        self: &Arc<Self>,
        mti: [u8; 4],
        stan: &str,
    ) -> impl Future<Output = Option<Answer>> + use<> {
        let (sender, answer) = oneshot::channel();
        let mut waiting = self.lock();
        if !self.closed.is_cancelled() {
            waiting.insert((mti, stan.to_owned()), sender);
        }
        drop(waiting);
        async move { answer.await.ok() }
    }

    pub(super) async fn send(&self, frame: Vec<u8>) -> Result<(), AcquirerError> {
        self.frames.send(frame).await.map_err(|_| AcquirerError::Closed)
    }

    pub(super) async fn unmatched(&self) -> Option<Answer> {
        self.unmatched.lock().await.recv().await
    }

    pub(super) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    async fn read<S: AsyncRead>(&self, mut reader: ReadHalf<S>, unmatched: mpsc::Sender<Answer>) {
        let mut input = BytesMut::with_capacity(WRITE_BYTES);
        let mut index = Index::new();
        while matches!(reader.read_buf(&mut input).await, Ok(1..)) {
            while let Some((message, taken)) = wire::first_message(&input) {
                if let Some(answer) = answer_of(&mut index, message) {
                    self.hand_over(answer, &unmatched);
                }
                input.advance(taken);
            }
        }
    }

    fn hand_over(&self, answer: Answer, unmatched: &mpsc::Sender<Answer>) {
        let mti = answer.mti.as_bytes().try_into().unwrap_or_default();
        let waiting = self.lock().remove(&(mti, answer.fields.text(11).to_owned()));
        let stray = match waiting {
            Some(sender) => sender.send(answer).err(),
            None => Some(answer),
        };
        let is_dropped = stray.is_some_and(|answer| unmatched.try_send(answer).is_err());
        if is_dropped {
            tracing::debug!("too many messages nobody waits for; one is dropped");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write<S: AsyncWrite>(mut writer: WriteHalf<S>, mut queue: mpsc::Receiver<Vec<u8>>) {
    let mut burst = Vec::with_capacity(WRITE_BYTES);
    while let Some(frame) = queue.recv().await {
        burst.clear();
        burst.extend_from_slice(&frame);
        while burst.len() < WRITE_BYTES {
            let Ok(frame) = queue.try_recv() else { break };
            burst.extend_from_slice(&frame);
        }
        if writer.write_all(&burst).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

fn answer_of(index: &mut Index, message: &[u8]) -> Option<Answer> {
    let mti = wire::mti(message)?;
    if let Err(error) = index.read(message) {
        tracing::warn!(%error, "an answer cannot be read");
        return None;
    }
    let mut fields = Fields::new();
    for field in 2..=128 {
        if let Some(value) = index.value(message, field) {
            fields.set(field, value);
        }
    }
    Some(Answer { mti: String::from_utf8_lossy(&mti).into_owned(), fields })
}
