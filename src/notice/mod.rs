//! Telling the webhooks of the inventory: what is critical, what has been given up, what is over.
//! The only room that speaks to a webhook.
//!
//! Nobody waits for one. What is to be told is written down first, in the folder of state and
//! readable by its owner only, and sent from there; what could not be sent is sent at the next
//! start:
//!
//! ```text
//! <state>/notices/
//!   LOCK             held while anything here is changed
//!   sending-…        held by whoever sends to a webhook
//!   queue/ID.json    one to be sent: its text as it is signed, and how often it was tried
//!   told.json        what each webhook knows, so that nothing is told twice
//!   last.json        how the last one to each webhook went
//! ```
//!
//! Losing any of it loses nothing but the notices in it. Nothing here is in the audit log, which
//! is about what is changed; the log of the program has every delivery and every one given up.

mod event;
mod post;
mod queue;
mod sign;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::clock::Clock;
use crate::fleet::DAY;
use crate::https::jittered;
use crate::inventory::{self, Inventory};

pub use event::Event;
pub use post::{Again, Answer, Trouble};
pub use queue::{Last, Pending};

use queue::Queue;

/// The webhooks of an inventory, and what they are to be told.
#[derive(Debug, Clone)]
pub struct Notices {
    webhooks: Vec<inventory::Notice>,
    queue: Queue,
    clock: Clock,
    /// Wakes whoever keeps sending.
    woken: Arc<watch::Sender<()>>,
}

impl Notices {
    /// The webhooks of this inventory, and what the folder of state holds for them. Nothing is
    /// touched yet.
    pub fn of(inventory: &Inventory, state: &Path, clock: Clock) -> Self {
        let webhooks = inventory.notices.clone();
        let woken = Arc::new(watch::Sender::new(()));
        Self { webhooks, queue: Queue::below(state), clock, woken }
    }

    /// The webhooks.
    pub fn webhooks(&self) -> &[inventory::Notice] {
        &self.webhooks
    }

    /// Writes down what is news to a webhook that wants to know it; how many there are to send.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn tell(&self, events: &[Event]) -> io::Result<usize> {
        let mut count = 0;
        for event in events {
            let wanting = self.webhooks.iter().filter(|it| it.on.contains(&event.occasion));
            for webhook in wanting {
                let told = self.queue.add(&webhook.name, event, self.clock.now())?;
                count += usize::from(told);
            }
        }
        if count > 0 {
            self.woken.send_replace(());
        }
        Ok(count)
    }

    /// Sends what is to be sent, for so long at the most. What is left stays for the next time. One
    /// webhook that is silent keeps no other from its notices.
    pub async fn send(&self, patience: Duration) {
        let all = join_all(self.webhooks.iter().map(|it| self.send_to(it)));
        timeout(patience, all).await.ok();
    }

    /// Sends what there is and what comes, until it is dropped.
    pub async fn keep_sending(&self) {
        join_all(self.webhooks.iter().map(|webhook| async {
            let mut news = self.woken.subscribe();
            loop {
                self.send_to(webhook).await;
                // Others may have left something, or be at it.
                timeout(LOOK_AGAIN, news.changed()).await.ok();
            }
        }))
        .await;
    }

    /// Sends a notice past the queue, and tells what comes back.
    ///
    /// # Errors
    /// Where it was not taken.
    pub async fn test(&self, webhook: &inventory::Notice) -> Result<Answer, Trouble> {
        let now = self.clock.now();
        let notice = Pending::new(&webhook.name, &Event::test(), &[], now);
        post::post(webhook, &notice, now).await
    }

    /// What is still to be sent, oldest first.
    pub fn pending(&self) -> Vec<Pending> {
        self.queue.pending()
    }

    /// How the last one to this webhook went.
    pub fn last(&self, webhook: &str) -> Option<Last> {
        self.queue.last(webhook)
    }

    /// Sends what one webhook is to be told, in order, until there is nothing more, or somebody else
    /// is at it.
    async fn send_to(&self, webhook: &inventory::Notice) {
        let mine = || self.queue.pending().into_iter().find(|it| it.to == webhook.name);
        let mut pause = FIRST_PAUSE;
        while let Some(notice) = mine() {
            let wait = notice.not_before.since(self.clock.now());
            if let Ok(wait @ 1..) = u64::try_from(wait) {
                sleep(Duration::from_secs(wait)).await;
            }
            let Ok(Some(held)) = self.queue.hold(&webhook.name) else { return };
            // Whoever was at it may just have sent it.
            if mine().is_none_or(|it| it.id != notice.id) {
                continue;
            }
            let is_over = self.try_once(webhook, notice).await;
            drop(held);
            if is_over {
                pause = FIRST_PAUSE;
            } else {
                sleep(jittered(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    /// Tries to send a notice; whether it is over with it, one way or the other.
    async fn try_once(&self, webhook: &inventory::Notice, mut notice: Pending) -> bool {
        let now = self.clock.now();
        let trouble = match post::post(webhook, &notice, now).await {
            Ok(answer) => {
                self.end(&notice, true, &format!("taken (HTTP {})", answer.status));
                return true;
            }
            Err(trouble) => trouble,
        };
        notice.tries += 1;
        let text = trouble.text.as_str();
        let is_late = notice.tries >= MOST_TRIES || now.since(notice.at) > OLDEST;
        match trouble.again {
            Again::Never => self.end(&notice, false, &format!("given up: {text}")),
            Again::Later(_) if is_late => {
                self.end(&notice, false, &format!("given up after {} tries: {text}", notice.tries));
            }
            Again::Later(until) => {
                let Pending { to, id, tries, .. } = &notice;
                tracing::warn!(to, %id, tries, why = text, "a notice was not taken");
                notice.not_before = until.unwrap_or(notice.not_before);
                // What cannot be kept is told by the next try again.
                self.queue.keep(&notice).ok();
                self.queue.told(&notice, false, text, now).ok();
                return false;
            }
        }
        true
    }

    /// It is over with a notice: taken, or given up.
    fn end(&self, notice: &Pending, is_taken: bool, text: &str) {
        let Pending { to, id, event, .. } = notice;
        if is_taken {
            tracing::info!(to, %id, event, "a notice was taken");
        } else {
            tracing::error!(to, %id, event, why = text, "a notice was given up");
        }
        self.queue.told(notice, is_taken, text, self.clock.now()).ok();
        self.queue.remove(notice).ok();
    }
}

/// After so many tries a notice is given up: some hours, if nobody asks for longer pauses.
const MOST_TRIES: u32 = 40;
/// After so many seconds nobody wants to be woken by it.
const OLDEST: i64 = 3 * DAY;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How often whoever keeps sending looks for what others have left.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
