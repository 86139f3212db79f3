//! Why a certificate is not in a store, in plain words: what the store said, what it means, and
//! what to do next.

use crate::text::SafeText;

/// Why a store does not hold what it should, or cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Fault {
    /// The kind of reason, in a word.
    pub name: &'static str,
    /// What happened, in one line.
    pub text: SafeText,
    /// What it means.
    pub cause: &'static str,
    /// What to do next.
    pub next: &'static str,
    /// Whether a new version may have been written before.
    pub is_written: bool,
}

impl Fault {
    pub(super) fn new(
        name: &'static str,
        text: &str,
        cause: &'static str,
        next: &'static str,
    ) -> Self {
        Self { name, text: SafeText::new(text), cause, next, is_written: false }
    }

    /// What opens the store is not there, or makes no sense.
    pub fn settings(text: &SafeText) -> Self {
        let cause = "what the inventory says of the store does not open it";
        Self::new("settings", text.as_str(), cause, "mend its [[secret-store]], and run it again")
    }

    /// The store cannot be reached.
    pub(super) fn unreached(text: &str) -> Self {
        let cause = "no answer came from the store";
        let next = "see whether it runs and can be reached from here; then run it again, which \
                    writes nothing twice";
        Self::new("store-unreachable", text, cause, next)
    }

    /// The store may not be read or written with what we have.
    pub(super) fn forbidden(text: &str) -> Self {
        let cause = "what it is opened with may not do this at this path, or is not valid any more";
        let next = "let it read and write the path, or put a valid one where the inventory says \
                    that it is";
        Self::new("forbidden", text, cause, next)
    }

    /// The store asked to be left alone.
    pub(super) fn throttled(text: &str) -> Self {
        let cause = "others ask it, too, and it takes no more for now";
        Self::new("throttled", text, cause, "run it again in a minute; nothing is written twice")
    }

    /// Somebody else was quicker.
    pub(super) fn conflict(text: &str) -> Self {
        let cause = "somebody else wrote a version between our look and our write";
        let next = "look at who else writes there; run it again to see what it holds now";
        Self::new("conflict", text, cause, next)
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.name == "conflict"
    }

    /// The answer is none that such a store gives.
    pub(super) fn odd(text: &str) -> Self {
        let cause = "it does not answer as a store of that kind does";
        Self::new(
            "odd-store",
            text,
            cause,
            "see whether `kind` and `url` in the inventory are right",
        )
    }

    /// What is there is not ours.
    pub(super) fn foreign(text: &str) -> Self {
        let cause = "a version without what is there now would break whoever reads it";
        let next = "choose another `path` for the store in the inventory, or take away what is \
                    there, if nobody needs it";
        Self::new("foreign", text, cause, next)
    }

    /// What is there has a key, and what comes has none.
    pub(super) fn keyless(path: &str) -> Self {
        let text = format!("{path} holds a private key, and this delivery has none");
        let cause = "whoever reads it would get a certificate without its key";
        let next = "deliver it --with-key, which has to be typed; or choose another `path`";
        Self::new("keyless", &text, cause, next)
    }

    /// What was written cannot be seen there.
    pub(super) fn not_kept(path: &str) -> Self {
        let text = format!("{path} was written, and another certificate is read back");
        let cause = "somebody else has written there, or the store answers from an old copy";
        Self::new("not-kept", &text, cause, "look at its versions, and run it again").after()
    }

    /// The same, and a version may have been written before.
    #[must_use]
    pub(super) fn after(self) -> Self {
        Self { is_written: true, ..self }
    }

    /// The same, saying which store it is.
    #[must_use]
    pub(super) fn of(self, whose: &SafeText) -> Self {
        if self.text.as_str().starts_with(whose.as_str()) {
            return self;
        }
        Self { text: SafeText::new(&format!("{whose}: {}", self.text)), ..self }
    }
}
