//! The store on a host: key and request of an order, and what puts a certificate in place.

mod csr;
