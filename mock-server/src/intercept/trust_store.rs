//! One certificate as a PKCS#12 file (RFC 7292), which is what Java reads its trusted authorities from.
//!
//! Neither encrypted nor sealed: it holds nothing secret, and Java opens it without a password. The attribute by which Java
//! knows a certificate as trusted is Oracle's own (`trustedKeyUsage`, any usage).

use yasna::{DERWriter, Tag, models::ObjectIdentifier};

const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
const CERT_BAG: &[u64] = &[1, 2, 840, 113_549, 1, 12, 10, 1, 3];
const X509_CERTIFICATE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 22, 1];
const FRIENDLY_NAME: &[u64] = &[1, 2, 840, 113_549, 1, 9, 20];
const TRUSTED_KEY_USAGE: &[u64] = &[2, 16, 840, 1, 113_894, 746_875, 1, 1];
const ANY_USAGE: &[u64] = &[2, 5, 29, 37, 0];

/// A trust store with one certificate, given as DER.
pub(crate) fn trust_store(certificate: &[u8]) -> Vec<u8> {
    let bags = yasna::construct_der(|writer| writer.write_sequence(|bags| bag(bags.next(), certificate)));
    let safe = yasna::construct_der(|writer| writer.write_sequence(|safes| content(safes.next(), &bags)));
    yasna::construct_der(|writer| {
        writer.write_sequence(|file| {
            file.next().write_u8(3);
            content(file.next(), &safe);
        });
    })
}

/// `ContentInfo` of the type `data`.
fn content(writer: DERWriter<'_>, bytes: &[u8]) {
    writer.write_sequence(|info| {
        oid(info.next(), DATA);
        info.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(bytes));
    });
}

/// `SafeBag`.
fn bag(writer: DERWriter<'_>, certificate: &[u8]) {
    writer.write_sequence(|bag| {
        oid(bag.next(), CERT_BAG);
        bag.next().write_tagged(Tag::context(0), |writer| {
            writer.write_sequence(|held| {
                oid(held.next(), X509_CERTIFICATE);
                held.next().write_tagged(Tag::context(0), |writer| writer.write_bytes(certificate));
            });
        });
        bag.next().write_set(|attributes| {
            attribute(attributes.next(), FRIENDLY_NAME, |value| value.write_bmp_string("regrant"));
            attribute(attributes.next(), TRUSTED_KEY_USAGE, |value| oid(value, ANY_USAGE));
        });
    });
}

fn attribute(writer: DERWriter<'_>, kind: &[u64], value: impl FnOnce(DERWriter<'_>)) {
    writer.write_sequence(|attribute| {
        oid(attribute.next(), kind);
        attribute.next().write_set(|values| value(values.next()));
    });
}

fn oid(writer: DERWriter<'_>, numbers: &[u64]) {
    writer.write_oid(&ObjectIdentifier::from_slice(numbers));
}
