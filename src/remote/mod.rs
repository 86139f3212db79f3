//! A host, over the system's ssh. The only room that speaks SSH; it knows nothing of
//! certificates.
