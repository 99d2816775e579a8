//! One network on one thread, behind a queue.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::backend::Backend;
use star_data::CropRule;
use star_infer::PreparedNet;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use super::{look::MOST_AT_ONCE, problem::Problem};
use crate::{
    commands::predict::{
        ahead::Ready,
        document::{Document, Shared},
        stills::Network,
    },
    error::CliError,
};

/// An image that waits for the network.
pub struct Question {
    pub ready: Ready,
    pub passes: usize,
    /// The image's memory.
    pub room: OwnedSemaphorePermit,
}

type Answer = Result<String, Problem>;

/// The side of the queue that asks.
#[derive(Clone)]
pub struct Asker(mpsc::Sender<(Question, oneshot::Sender<Answer>)>);

/// The side that answers.
pub struct Questions(mpsc::Receiver<(Question, oneshot::Sender<Answer>)>);

impl Asker {
    pub fn new() -> (Self, Questions) {
        let (sender, receiver) = mpsc::channel(MOST_AT_ONCE);
        (Self(sender), Questions(receiver))
    }

    /// The image's document, as JSON.
    ///
    /// # Errors
    /// A full queue; a network that fails.
    pub async fn ask(&self, question: Question) -> Answer {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.try_send((question, answer));
        sent.map_err(|_| Problem::Busy)?;
        let ended = |_| Problem::Failed("the server is ending".into());
        answered.await.map_err(ended)?
    }
}

/// What is needed to answer.
pub struct Answering<'a, B: Backend> {
    pub trained: &'a PreparedNet<B>,
    pub rule: CropRule,
    pub shared: &'a Shared,
    pub device: &'a B::Device,
}

impl<B: Backend> Answering<'_, B> {
    /// Answers one after another until nobody is left who could ask.
    pub fn answer(&self, Questions(mut questions): Questions) {
        while let Some((question, answer)) = questions.blocking_recv() {
            if answer.is_closed() {
                continue; // The person has gone on to something else.
            }
            // A panic here would leave a server that never answers again.
            let said = catch_unwind(AssertUnwindSafe(|| {
                self.document(question.ready, question.passes)
            }))
            .unwrap_or_else(|_| {
                let text = "the network failed on this image; its terminal says more";
                Err(CliError::Usage(text.into()))
            });
            // Before the answer, so that whoever has it finds room for the next.
            drop(question.room);
            let failed = |e: CliError| Problem::Failed(e.to_string());
            let _ = answer.send(said.map_err(failed));
        }
    }

    /// What `predict --format json` writes of the image.
    fn document(&self, ready: Ready, passes: usize) -> Result<String, CliError> {
        let network = Network {
            trained: self.trained,
            rule: self.rule,
            passes,
            device: self.device,
        };
        let done = network.predict(vec![ready])?;
        let image = (done.into_iter().next())
            .ok_or_else(|| CliError::Usage("the network gave no answer".into()))?
            .finite()?;
        Document::new(&image, self.shared).to_json()
    }
}
