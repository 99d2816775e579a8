//! Batches of an epoch, made ahead of time by worker threads, in an order and with contents that do not depend on their number.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use rand::SeedableRng;
use rand_pcg::Pcg64Mcg;
use serde::{Deserialize, Serialize};

use crate::{
    batch::HostBatch,
    error::DataError,
    face::FaceSource,
    face_cache::FaceCache,
    rng::{mix, permutation},
    sample::{Sample, SampleMaker},
};

/// How batches are made of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoaderConfig {
    /// Samples in a batch; the last of an epoch may have fewer.
    pub batch_size: usize,
    /// Whether each epoch has an order of its own.
    pub shuffle: bool,
    /// Whether a last batch with fewer samples is left out.
    pub drop_last: bool,
    /// Threads that make samples; 0 makes them in the calling thread, when asked for.
    pub workers: usize,
    /// Batches that are kept ready.
    pub prefetch: usize,
    /// Decides order and variation.
    pub seed: u64,
    /// Bytes of decoded images that are kept from epoch to epoch; 0 keeps none. The samples do not depend on it.
    pub cache_bytes: usize,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            batch_size: 128,
            shuffle: true,
            drop_last: false,
            workers: 4,
            prefetch: 2,
            seed: 0,
            cache_bytes: 0,
        }
    }
}

/// Makes the batches of any epoch of a source.
#[derive(Clone)]
pub struct Loader {
    source: Arc<dyn FaceSource>,
    maker: Arc<SampleMaker>,
    config: LoaderConfig,
    cache: Option<Arc<FaceCache>>,
}

impl Loader {
    /// # Errors
    /// When the batch size is 0, or the source's layout is not the maker's.
    pub fn new(
        source: Arc<dyn FaceSource>,
        maker: SampleMaker,
        config: LoaderConfig,
    ) -> Result<Self, DataError> {
        if config.batch_size == 0 {
            return Err(DataError::Invalid(
                "the batch size is 0; it must be at least 1".into(),
            ));
        }
        if source.layout() != maker.layout() {
            return Err(DataError::Invalid(format!(
                "the faces have layout {}, but samples are to be made with layout {}",
                source.layout().name,
                maker.layout().name
            )));
        }
        let cache = (config.cache_bytes > 0)
            .then(|| Arc::new(FaceCache::new(source.len(), config.cache_bytes)));
        Ok(Self {
            source,
            maker: Arc::new(maker),
            config,
            cache,
        })
    }

    /// Where faces come from.
    pub fn source(&self) -> &Arc<dyn FaceSource> {
        &self.source
    }

    /// What makes samples of them.
    pub fn maker(&self) -> &SampleMaker {
        &self.maker
    }

    /// Its settings.
    pub fn config(&self) -> &LoaderConfig {
        &self.config
    }

    /// Samples of an epoch.
    pub fn samples(&self) -> usize {
        let len = self.source.len();
        if self.config.drop_last {
            len - len % self.config.batch_size
        } else {
            len
        }
    }

    /// Batches of an epoch.
    pub fn batches(&self) -> usize {
        self.samples().div_ceil(self.config.batch_size)
    }

    /// The faces of an epoch in their order; the same for the same seed and epoch, always.
    pub fn order(&self, epoch: u64) -> Vec<usize> {
        let len = self.source.len();
        let mut order = if self.config.shuffle {
            // The last part keeps this stream apart from those of the samples.
            let seed = mix(&[self.config.seed, epoch, u64::MAX]);
            permutation(len, &mut Pcg64Mcg::seed_from_u64(seed))
        } else {
            (0..len).collect()
        };
        order.truncate(self.samples());
        order
    }

    /// The batches of an epoch.
    pub fn epoch(&self, epoch: u64) -> EpochBatches {
        self.epoch_from(epoch, 0)
    }

    /// The batches of an epoch from batch `first_batch` on, exactly as [`Loader::epoch`] has them: to go on in its middle.
    ///
    /// A sample that cannot be made makes its batch an error that names it; the batches after it still come.
    pub fn epoch_from(&self, epoch: u64, first_batch: usize) -> EpochBatches {
        let mut order = self.order(epoch);
        let skipped = first_batch
            .saturating_mul(self.config.batch_size)
            .min(order.len());
        order.drain(..skipped);
        let plan = Plan {
            source: Arc::clone(&self.source),
            maker: Arc::clone(&self.maker),
            cache: self.cache.clone(),
            order,
            seed: self.config.seed,
            epoch,
            batch_size: self.config.batch_size,
        };
        EpochBatches::start(plan, self.config.workers, self.config.prefetch.max(1))
    }
}

type BatchResult = Result<HostBatch, DataError>;
type SampleResult = Result<Sample, DataError>;

/// What one epoch's threads share.
struct Plan {
    source: Arc<dyn FaceSource>,
    maker: Arc<SampleMaker>,
    cache: Option<Arc<FaceCache>>,
    order: Vec<usize>,
    seed: u64,
    epoch: u64,
    batch_size: usize,
}

impl Plan {
    fn batches(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// How many samples batch `batch` has.
    fn batch_len(&self, batch: usize) -> usize {
        (self.order.len() - batch * self.batch_size).min(self.batch_size)
    }

    /// Makes the sample at `position` of the order. A panic, say in a decoder, becomes an error that names the face.
    fn make(&self, position: usize) -> SampleResult {
        let index = self.order[position];
        let made = catch_unwind(AssertUnwindSafe(|| {
            let (source, maker) = (&*self.source, &*self.maker);
            if let Some(cache) = &self.cache {
                return cache.sample(source, maker, index, self.seed, self.epoch);
            }
            let face = source.face(index)?;
            maker.sample(&face, index, self.seed, self.epoch)
        }));
        made.unwrap_or_else(|panic| {
            let reason = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no reason given");
            Err(DataError::Invalid(format!(
                "{}: making the sample panicked: {reason}",
                self.source.name(index)
            )))
        })
    }

    /// Makes batch `batch` in this thread.
    fn make_batch(&self, batch: usize) -> BatchResult {
        let start = batch * self.batch_size;
        let samples: Result<Vec<_>, _> = (start..start + self.batch_len(batch))
            .map(|position| self.make(position))
            .collect();
        samples.map(HostBatch::from_samples)
    }
}

/// The batches of one epoch; stops its threads when it is dropped.
pub struct EpochBatches {
    left: usize,
    work: Work,
}

enum Work {
    Inline {
        plan: Box<Plan>,
        next: usize,
    },
    Threads {
        ready: Option<Receiver<BatchResult>>,
        turnstile: Arc<Turnstile>,
        threads: Vec<JoinHandle<()>>,
    },
}

impl EpochBatches {
    fn start(plan: Plan, workers: usize, prefetch: usize) -> Self {
        let left = plan.batches();
        let workers = workers.min(plan.order.len());
        if workers == 0 {
            let plan = Box::new(plan);
            return Self {
                left,
                work: Work::Inline { plan, next: 0 },
            };
        }
        let plan = Arc::new(plan);
        // Samples are made at most this far ahead of the next one to be put in a batch, so memory is bounded even if one is slow.
        let window = plan.batch_size.max(2 * workers);
        let turnstile = Arc::new(Turnstile::new(plan.order.len(), window));
        let (sample_sender, sample_receiver) = channel();
        let (batch_sender, batch_receiver) = sync_channel(prefetch);
        let mut threads = Vec::with_capacity(workers + 1);
        let mut spawn = |name: String, job: Box<dyn FnOnce() + Send>| {
            // Threads that the system refuses are done without; with none at all the first batch says so.
            if let Ok(thread) = Builder::new().name(name).spawn(job) {
                threads.push(thread);
            }
        };
        for worker in 0..workers {
            let (plan, turnstile) = (Arc::clone(&plan), Arc::clone(&turnstile));
            let sender = sample_sender.clone();
            let job = Box::new(move || work(&plan, &turnstile, &sender));
            spawn(format!("star-data-{worker}"), job);
        }
        drop(sample_sender);
        {
            let turnstile = Arc::clone(&turnstile);
            let job =
                Box::new(move || assemble(&plan, &turnstile, &sample_receiver, &batch_sender));
            spawn("star-data-batch".into(), job);
        }
        Self {
            left,
            work: Work::Threads {
                ready: Some(batch_receiver),
                turnstile,
                threads,
            },
        }
    }
}

impl Iterator for EpochBatches {
    type Item = BatchResult;

    fn next(&mut self) -> Option<BatchResult> {
        if self.left == 0 {
            return None;
        }
        self.left -= 1;
        match &mut self.work {
            Work::Inline { plan, next } => {
                let batch = plan.make_batch(*next);
                *next += 1;
                Some(batch)
            }
            Work::Threads { ready, .. } => {
                let received = ready.as_ref().and_then(|ready| ready.recv().ok());
                Some(received.unwrap_or_else(|| {
                    self.left = 0;
                    Err(DataError::Invalid(
                        "the loader's threads could not be started or ended early; try fewer workers"
                            .into(),
                    ))
                }))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for EpochBatches {}

impl Drop for EpochBatches {
    fn drop(&mut self) {
        if let Work::Threads {
            ready,
            turnstile,
            threads,
        } = &mut self.work
        {
            turnstile.close();
            // Without a receiver a thread that waits to hand over a batch wakes up.
            drop(ready.take());
            for thread in threads.drain(..) {
                // Panics were caught where they happened.
                let _ = thread.join();
            }
        }
    }
}

/// A worker: makes whichever sample is next, until there are no more or nobody wants them.
fn work(plan: &Plan, turnstile: &Turnstile, samples: &Sender<(usize, SampleResult)>) {
    while let Some(position) = turnstile.take() {
        if samples.send((position, plan.make(position))).is_err() {
            return;
        }
    }
}

/// Puts samples, which come in any order, into batches in the right one as soon as their turn comes.
fn assemble(
    plan: &Plan,
    turnstile: &Turnstile,
    samples: &Receiver<(usize, SampleResult)>,
    batches: &SyncSender<BatchResult>,
) {
    let mut early = BTreeMap::new();
    let mut position = 0;
    for batch in 0..plan.batches() {
        let mut made = HostBatch::default();
        let mut failure = None;
        for _ in 0..plan.batch_len(batch) {
            let sample = loop {
                if let Some(sample) = early.remove(&position) {
                    break sample;
                }
                let Ok((at, sample)) = samples.recv() else {
                    return;
                };
                early.insert(at, sample);
            };
            position += 1;
            turnstile.advance(position);
            match sample {
                Ok(sample) => made.push(sample, plan.batch_len(batch)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        let result = failure.map_or(Ok(made), Err);
        if batches.send(result).is_err() {
            return;
        }
    }
}

/// Hands out positions in order, at most `window` ahead of what has been used up.
struct Turnstile {
    state: Mutex<TurnstileState>,
    changed: Condvar,
    window: usize,
    end: usize,
}

struct TurnstileState {
    next: usize,
    used: usize,
    closed: bool,
}

impl Turnstile {
    fn new(end: usize, window: usize) -> Self {
        Self {
            state: Mutex::new(TurnstileState {
                next: 0,
                used: 0,
                closed: false,
            }),
            changed: Condvar::new(),
            window,
            end,
        }
    }

    /// The state stays valid whoever panicked while holding it.
    fn state(&self) -> MutexGuard<'_, TurnstileState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<usize> {
        let mut state = self.state();
        loop {
            if state.closed || state.next >= self.end {
                return None;
            }
            if state.next < state.used + self.window {
                state.next += 1;
                return Some(state.next - 1);
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn advance(&self, used: usize) {
        self.state().used = used;
        self.changed.notify_all();
    }

    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}
