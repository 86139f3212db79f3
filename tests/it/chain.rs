//! Chains in every order: what is wrong with them, whatever the date.

use certdeck::fleet::{Chain, ChainFault, Roots, Unparsable};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls_pki_types::CertificateDer;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str, is_ca: bool) -> CertificateParams {
    let names = if is_ca { vec![] } else { vec![name.to_owned()] };
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca =
        if is_ca { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    params
}

fn root(name: &str) -> Authority {
    CertifiedIssuer::self_signed(params(name, true), KeyPair::generate().unwrap()).unwrap()
}

#[test]
fn faults_are_told() {
    let top = root("top");
    let middle =
        CertifiedIssuer::signed_by(params("middle", true), KeyPair::generate().unwrap(), &top)
            .unwrap();
    // The same name and another key, as after a botched change of intermediates.
    let other = root("middle");
    let key = KeyPair::generate().unwrap();
    let leaf = params("a.test", false).signed_by(&key, &middle).unwrap();
    let alone = params("a.test", false).self_signed(&key).unwrap();
    let (leaf, alone) = (leaf.der(), alone.der());
    let check = |ders: &[&CertificateDer<'static>], expect| {
        let ders: Vec<_> = ders.iter().map(|it| (*it).clone()).collect();
        assert_eq!(Chain::read(&ders, &Roots::none()).map(|it| it.fault), expect);
    };
    let (top, middle, other) = (top.der(), middle.der(), other.der());
    check(&[], Err(Unparsable::NoCertificate));
    check(&[leaf, middle, top], Ok(None));
    check(&[leaf, middle], Ok(None));
    check(&[alone], Ok(None));
    check(&[leaf], Ok(Some(ChainFault::NoIntermediate)));
    check(&[leaf, top], Ok(Some(ChainFault::WrongIntermediate)));
    check(&[leaf, other], Ok(Some(ChainFault::WrongIntermediate)));
    check(&[leaf, top, middle], Ok(Some(ChainFault::WrongOrder)));
    let many: Vec<_> = std::iter::once(leaf).chain(std::iter::repeat_n(middle, 5000)).collect();
    let many: Vec<_> = many.into_iter().cloned().collect();
    assert_eq!(Chain::read(&many, &Roots::none()).unwrap().rest.len(), 19);
}
