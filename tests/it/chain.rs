//! Chains in every order: what is wrong with them, whatever the date.

use certdeck::fleet::{Chain, ChainFault, Moment, Roots, Unparsable};
use certdeck::text::SafeText;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
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

/// A chain that leads to a root by two ways, as those of Let's Encrypt do.
#[test]
fn trust_lasts_as_long_as_the_best_way() {
    let until = |mut it: CertificateParams, year| {
        it.not_before = date_time_ymd(2020, 1, 1);
        it.not_after = date_time_ymd(year, 1, 1);
        it
    };
    let key = || KeyPair::generate().unwrap();
    let new = |name: &str| until(params(name, true), 2040);
    let old_root = CertifiedIssuer::self_signed(new("old root"), key()).unwrap();
    let other_root = CertifiedIssuer::self_signed(new("other root"), key()).unwrap();
    let middle =
        CertifiedIssuer::signed_by(until(params("middle", true), 2030), key(), &old_root).unwrap();
    let crossed = until(params("middle", true), 2025).signed_by(middle.key(), &other_root).unwrap();
    let leaf = until(params("a.test", false), 2035).signed_by(&key(), &middle).unwrap();
    let direct = until(params("b.test", false), 2035).signed_by(&key(), &old_root).unwrap();
    let check = |roots: &[&Authority], ders: &[&CertificateDer<'static>], anchor, until| {
        let mut known = Roots::none();
        assert!(roots.iter().all(|it| known.add(it.der())));
        let ders: Vec<_> = ders.iter().map(|it| (*it).clone()).collect();
        let chain = Chain::read(&ders, &known).unwrap();
        let year = chain.trust.until.and_then(Moment::civil).map(jiff::civil::DateTime::year);
        assert_eq!((chain.trust.anchor.as_ref().map(SafeText::as_str), year), (anchor, until));
        assert_ne!(chain.fault, Some(ChainFault::NoIntermediate));
    };
    let both = [leaf.der(), crossed.der(), middle.der()];
    check(&[], &both, None, None);
    check(&[&old_root], &both, Some("CN=old root"), Some(2030));
    check(&[&other_root], &both, Some("CN=other root"), Some(2025));
    check(&[&other_root, &old_root], &both, Some("CN=old root"), Some(2030));
    check(&[&old_root], &[direct.der()], Some("CN=old root"), None);
    check(&[&old_root], &[direct.der(), old_root.der()], Some("CN=old root"), None);
}
